"""Formats of graded rationales, right and wrong: nat and kto, ranker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import lcm
from statistics import mean

from errata.exports.format import ANY_RATIONALE, PROMPT, Format, likeness
from errata.exports.sequences import graded_sequences, pair_sequences
from errata.exports.transcript_view import LeftOut, Row, TranscriptView, distinct, row_meta, unfit_as_wrong
from errata.exports.wrong_from import of_wrong_side, unplaced
from errata.records import Rationale, draw

PAIRS_PER_PROBLEM = 8
"""Rows of the ranker per problem at most, so that problems with many samples do not outweigh the rest."""


def unaided(view: TranscriptView) -> Iterator[Rationale | LeftOut]:
    """Every graded rationale whose author was not shown the gold answer, the student's among them.

    Of the student in its own role `self`, those that are not asked for in the role of its exam as well.
    """
    exam = set(view.source.roles("attempt"))
    own = [] if exam & set(view.options.roles) else [each for each in view.own if each.is_right]
    for rationale in (*view.rationales(), *own):
        fault = "shown_the_answer" if rationale.saw_answer else unfit_as_wrong(rationale, view)
        fault = fault or view.unshortened(rationale)
        yield LeftOut(fault) if fault else rationale


def nat_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, completion, label: true where the answer grader finds it right."""
    for each in unaided(view):
        if isinstance(each, LeftOut):
            yield each
        elif not each.is_right and (fault := unplaced(each, view.options)):
            yield LeftOut(fault)
        else:
            row = {"prompt": view.prompt, "completion": view.completion(each), "label": bool(each.is_right)}
            yield {**row, "meta": row_meta(view, each, more={} if each.is_right else of_wrong_side(view, each))}


def ranker_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, chosen, rejected: right x wrong of one problem, at most PAIRS_PER_PROBLEM of them, picked by hash.

    With `by_scores`, better x worse by the panel's mean score, at least one point apart, whatever the grades.
    """
    candidates = list(unaided(view))
    yield from (each for each in candidates if isinstance(each, LeftOut))
    rationales, repeats = distinct([each for each in candidates if not isinstance(each, LeftOut)])
    yield from (LeftOut("near_duplicate") for _ in range(repeats))
    pairs = _by_scores(view, rationales) if view.options.by_scores else _by_grade(view, rationales)
    if not pairs:
        reason = "no_two_scores" if view.options.by_scores else "nothing_to_compare"
        yield from (LeftOut(reason) for _ in rationales)
    for chosen, rejected in pairs:
        row = {"prompt": view.prompt, "chosen": view.completion(chosen), "rejected": view.completion(rejected)}
        yield {**row, "meta": row_meta(view, chosen, rejected)}


def _by_grade(view: TranscriptView, rationales: Sequence[Rationale]) -> list[tuple[Rationale, Rationale]]:
    """Pair i joins the i-th of both sides, round and round, so that none comes much oftener than another; after a
    common multiple of both lengths one side moves on by one, so that no pair comes twice."""
    right = _shuffled(view, [each for each in rationales if each.is_right])
    wrong = _shuffled(view, [each for each in rationales if not each.is_right])
    if not right or not wrong:
        return []
    rounds = lcm(len(right), len(wrong))
    count = min(len(right) * len(wrong), PAIRS_PER_PROBLEM)
    return [(right[i % len(right)], wrong[(i + i // rounds) % len(wrong)]) for i in range(count)]


def _by_scores(view: TranscriptView, rationales: Sequence[Rationale]) -> list[tuple[Rationale, Rationale]]:
    scored = []
    for each in rationales:
        scores = [review.score for review in each.reviews if review.valid and review.score is not None]
        if scores:
            scored.append((each, mean(scores)))
    apart = [(better, worse) for better, high in scored for worse, low in scored if high - low >= 1]
    order = {pair: draw(view.seed, view.problem.id, "ranker", *pair) for pair in ((a.id, b.id) for a, b in apart)}
    return sorted(apart, key=lambda pair: order[pair[0].id, pair[1].id])[:PAIRS_PER_PROBLEM]


def _shuffled(view: TranscriptView, rationales: Sequence[Rationale]) -> list[Rationale]:
    return sorted(rationales, key=lambda each: draw(view.seed, view.problem.id, "ranker", each.id))


# ---- the formats -----------------------------------------------------------------------------------------------------

_NEEDS = (ANY_RATIONALE,)
_OPTIONS = ("cut_off", "reasoning")

NAT = Format(
    name="nat",
    rows=nat_rows,
    takes="every graded rationale whose author was not shown the gold answer, teachers' and student's",
    columns={**PROMPT, "completion": "a rationale", "label": "true where the answer grader finds it right"},
    needs=_NEEDS,
    sequences=graded_sequences,
    reads=("prompt", "completion", "label"),
    likeness=likeness("completion", same=("label",)),
    options=(*_OPTIONS, "wrong_from", "min_step_probability"),
    kind=lambda row: "right" if row["label"] else "wrong",
)
KTO = replace(NAT, name="kto", options=_OPTIONS)
RANKER = Format(
    name="ranker",
    rows=ranker_rows,
    takes=f"right x wrong of one problem, not shown the gold answer, at most {PAIRS_PER_PROBLEM} per problem, picked "
    "by hash",
    columns={**PROMPT, "chosen": "a right rationale", "rejected": "a wrong one of the same problem"},
    needs=_NEEDS,
    sequences=pair_sequences,
    reads=("prompt", "chosen", "rejected"),
    likeness=likeness("chosen", "rejected"),
    options=("by_scores", *_OPTIONS),
)
