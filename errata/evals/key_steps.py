"""Key steps: where the two sides of a dual pair part, and whether a student takes the right way there.

key sentence   a sentence of the right rationale that holds a word which the alignment with the wrong one does not
               match (EDIT's key steps, arXiv 2405.19737), the final sentence left out
key step       an equation in a key sentence that the wrong side does not write, `14 + 5 = 19`
done           the student's text holds the equation, its operands in either order where that makes no difference
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from errata.classroom.check_steps import read
from errata.classroom.equations import equations
from errata.config.files import write_whole
from errata.data.problems import normalised
from errata.errors import UsageError
from errata.evals.evidence import interval_of_mean
from errata.evals.results import SUMMARY, Item
from errata.evals.stats import mean
from errata.records import Problem, Span, digest, to_json
from errata.runs.run_dir import find_run
from errata.runs.transcripts import read_transcripts

PAIRS = "pairs.jsonl"


class DualPair(NamedTuple):
    """A right and a wrong rationale of one problem, with the key spans of each side."""

    id: str
    problem: Problem
    right: str
    wrong: str
    right_spans: tuple[Span, ...]
    wrong_spans: tuple[Span, ...]


class PairScore(NamedTuple):
    """A model's mean negative log-likelihood of a pair's tokens in nats, teacher-forced: of the key tokens of either
    side, and of all tokens. `right_tokens` and `wrong_tokens` count the key tokens."""

    id: str
    problem_id: str
    key_right: float
    key_wrong: float
    all_right: float
    all_wrong: float
    right_tokens: int
    wrong_tokens: int


def pairs_of(run: str | Path) -> list[DualPair]:
    """The pairs in the band of a run, in input order. UsageError where there is none."""
    directory = find_run(run)
    log, index = directory.log, directory.index()
    pairs: list[DualPair] = []
    for transcript in read_transcripts(log, index.in_input_order()):
        rationales = {each.id: each.text for each in transcript.rationales}
        pairs += [
            DualPair(
                pair.id,
                transcript.problem,
                rationales[pair.right],
                rationales[pair.wrong],
                pair.right_spans,
                pair.wrong_spans,
            )
            for pair in transcript.pairs
            if pair.in_band
        ]
    if not pairs:
        raise UsageError(
            f"{run} holds no pair in its band",
            "key steps are where the two sides of a pair part",
            "run the graph dual_cot or lesson, or leave `pairs` out",
        )
    return pairs


Key = tuple[Fraction, str, Fraction, Fraction]
"""`left op right = result`, the operands of + and * in either order."""


def key_steps(pair: DualPair) -> frozenset[Key]:
    """The pair's key steps; empty where its key sentences hold no equation."""
    right = {key for key, place in _equations(pair.right) if any(_overlap(place, span) for span in pair.right_spans)}
    return frozenset(right) - {key for key, _ in _equations(pair.wrong)}


def done(pair: DualPair, text: str) -> float | None:
    """The share of the pair's key steps that a student's text does; None where it has none."""
    keys = key_steps(pair)
    return len(keys & {key for key, _ in _equations(text)}) / len(keys) if keys else None


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _equations(text: str) -> Iterator[tuple[Key, Span]]:
    """What a text calculates and where: equations as they are usually written, and the classroom's own voices."""
    for each in equations(text):
        yield each.key, Span(each.start, each.end)
    for step in read(text):
        if step.what == "step":
            left, right = (step.left, step.right) if step.op == "-" else sorted((step.left, step.right))
            key = Fraction(left), step.op, Fraction(right), Fraction(step.result or 0)
            yield key, Span(step.start, step.end)


def key_steps_done(pairs: Sequence[DualPair], items: Sequence[Item]) -> dict[str, Any] | None:
    """How many key steps the items' samples do, over the pairs whose question an item asks; None where none does.

    Every problem counts once: the mean over its pairs and samples. With an interval over problems.
    """
    by_question: dict[str, list[DualPair]] = {}
    for pair in pairs:
        by_question.setdefault(normalised(pair.problem.question), []).append(pair)
    shares = []
    for item in items:
        meeting = by_question.get(normalised(str(item.meta.get("question", ""))), [])
        shares_of_item = [
            share for pair in meeting for each in item.samples if (share := done(pair, each.text)) is not None
        ]
        if shares_of_item:
            shares.append(mean(shares_of_item))
    if not shares:
        return None
    return {"problems": len(shares), **interval_of_mean(shares)}


# ---- scores of pairs -------------------------------------------------------------------------------------------------


def summary_of(scores: Sequence[PairScore]) -> dict[str, Any]:
    """Means over the pairs; `prefers_right`: how often the right key tokens are likelier.

    Intervals are over problems, for several pairs of one problem go up and down together.
    """
    problems = [each.problem_id for each in scores]
    summary: dict[str, Any] = {"scored": len(scores), "problems": len(set(problems))}
    nats = {
        "key_right_nll": [each.key_right for each in scores],
        "key_wrong_nll": [each.key_wrong for each in scores],
        "right_nll": [each.all_right for each in scores],
        "wrong_nll": [each.all_wrong for each in scores],
    }
    prefers_right = [float(each.key_right < each.key_wrong) for each in scores]
    summary |= {name: interval_of_mean(values, problems, bounded=False) for name, values in nats.items()}
    return summary | {"prefers_right": interval_of_mean(prefers_right, problems)}


def key_steps_of(pairs: Sequence[DualPair], items: Sequence[Item], scores: Sequence[PairScore]) -> dict[str, Any]:
    """What summary.json says under `key_steps`; `hash` is that of all pairs, scored or not."""
    return {
        "hash": pairs_hash(pairs),
        "pairs": len(pairs),
        "done": key_steps_done(pairs, items),
        "likelihood": summary_of(scores) if scores else None,
    }


def pairs_hash(pairs: Sequence[DualPair]) -> str:
    return digest("pairs", [(pair.id, pair.right, pair.wrong) for pair in pairs])


def write_scores(folder: Path, scores: Sequence[PairScore]) -> None:
    write_whole(folder / PAIRS, b"".join(to_json(each._asdict()) + b"\n" for each in scores))


def read_scores(folder: Path, pairs: str | None = None) -> list[PairScore] | None:
    """The scores in an eval directory; None where there are none, or none of the pairs with this hash."""
    file, summary = folder / PAIRS, folder / SUMMARY
    if not file.is_file() or not summary.is_file():
        return None
    scored_hash = (orjson.loads(summary.read_bytes()).get("key_steps") or {}).get("hash")
    if pairs is not None and scored_hash != pairs:
        return None
    return [PairScore(**orjson.loads(line)) for line in file.read_bytes().splitlines() if line]
