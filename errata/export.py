"""Makes data sets of logs: `errata export RUN... --format F --out FILE.jsonl`, with a data-set card beside the file.

    transcript --rows--> rows of one format, each traced by one `meta` struct

A format is a pure function from a transcript to rows. Rows come run by run in the order given and, within a run, in the
problems' input order, so that the same recipe and the same replies give the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from errata.agents.prompts import Prompts, load_prompts
from errata.agents.student import student_messages
from errata.errors import ErrataError, UsageError
from errata.funnel import funnel_of, problems
from errata.recipe import expand, load_recipe
from errata.records import Rationale, Transcript, to_json
from errata.roles import stages_of
from errata.rundir import LogIndex, RunDir, find_run, index_log, read_lines, write_whole
from errata.settings import GraphName, Stage, SynthRecipe

Row = dict[str, Any]
TAUGHT = ("teacher", "rectified", "revised")


@dataclass(frozen=True)
class Source:
    """A run to export from: its directory, what its recipe asked for, and what it tells the student."""

    run: RunDir
    recipe: SynthRecipe
    prompts: Prompts
    index: LogIndex

    @property
    def has_panel(self) -> bool:
        return "peer_review" in stages_of(self.recipe.graph, self.recipe.settings)


@dataclass(frozen=True)
class Format:
    """`needs` is the stage without which a log cannot serve the format, `graphs` those that have it."""

    rows: Callable[[Transcript, Source], Iterator[Row]]
    needs: Stage
    graphs: tuple[GraphName, ...]
    takes: str


@dataclass
class Exported:
    """What was written, for the card and for the person."""

    out: Path
    card: Path
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Problems without a row, by how they ended."""
    duplicates: int = 0
    authors: Counter[tuple[str, str]] = field(default_factory=Counter)


# ---- formats ---------------------------------------------------------------------------------------------------------


def sft_rows(transcript: Transcript, source: Source) -> Iterator[Row]:
    """prompt, completion: right rationales, accepted where a panel sat, by teachers or rewritten by them."""
    prompt = student_messages(source.prompts, transcript.problem)[-1].content
    for rationale in usable(transcript, source):
        yield {"prompt": prompt, "completion": rationale.text, "meta": meta(transcript, rationale, source)}


def messages_rows(transcript: Transcript, source: Source) -> Iterator[Row]:
    """The rows of sft as a conversation, with the student's system line where the recipe gives it one."""
    student = source.recipe.agents.student
    asked = student_messages(source.prompts, transcript.problem, student.system if student else None)
    for rationale in usable(transcript, source):
        turns = [{"role": message.role, "content": message.content} for message in asked]
        turns.append({"role": "assistant", "content": rationale.text})
        yield {"messages": turns, "meta": meta(transcript, rationale, source)}


TEACHING: tuple[GraphName, ...] = ("rationales", "peer_review", "dual_cot", "lesson")
FORMATS: dict[str, Format] = {
    "messages": Format(
        messages_rows, "rationales", TEACHING, "right rationales by teachers, accepted where a panel sat"
    ),
    "sft": Format(sft_rows, "rationales", TEACHING, "right rationales by teachers, accepted where a panel sat"),
}


def usable(transcript: Transcript, source: Source) -> Iterator[Rationale]:
    """What a student may learn from as right: by teachers, rectified or revised; right; accepted where a panel sat;
    not set aside by a filter. Of a failed problem, whose panel may not have met, only what it did accept."""
    must_be_accepted = source.has_panel and transcript.outcome.status == "failed"
    for rationale in transcript.rationales:
        unjudged = rationale.accepted is None and not rationale.reviews and not must_be_accepted
        right = rationale.correct and not rationale.dropped and rationale.text.strip()
        if rationale.role in TAUGHT and right and (rationale.accepted or unjudged):
            yield rationale


def meta(transcript: Transcript, rationale: Rationale, source: Source) -> Row:
    """Where a row comes from: problem, rationale, verdicts, calls, prompts, price; the same keys in every row."""
    reviews = rationale.reviews
    wanted = {*rationale.call_ids, *(each for review in reviews for each in review.call_ids)}
    calls = [call for call in transcript.calls if call.id in wanted]
    prices = [call.price_usd for call in calls]
    return {
        "run": source.recipe.name,
        "graph": transcript.graph,
        "problem_id": transcript.problem.id,
        "task": transcript.problem.task,
        "split": transcript.problem.split,
        "answer": transcript.problem.answer,
        "rationale_id": rationale.id,
        "parent_id": rationale.parent_id,
        "author": rationale.author,
        "role": rationale.role,
        "sample": rationale.sample,
        "saw_answer": rationale.saw_answer,
        "correct": rationale.correct,
        "grade_rule": rationale.grade_rule,
        "accepted": rationale.accepted,
        "sound": rationale.sound,
        "reviews": [{"reviewer": each.reviewer, "score": each.score, "valid": each.valid} for each in reviews],
        "calls": [call.id for call in calls],
        "prompts": sorted({f"{call.prompt} {call.prompt_hash}" for call in calls}),
        "models": sorted({call.served or call.model for call in calls}),
        "price_usd": None if None in prices else round(sum(price or 0.0 for price in prices), 8),
    }


# ---- writing ---------------------------------------------------------------------------------------------------------


def export(runs: Sequence[str | Path], format_name: str, out: str | Path) -> Exported:
    """Writes the rows of all runs to `out` and the card beside it; each appears whole or not at all.

    Raises UsageError for a format the logs cannot serve, with the graph that could; ErrataError on a full disk.
    """
    form, out = FORMATS[format_name], Path(out)
    card = out.with_suffix(".md")
    if card == out:
        raise UsageError(f"--out {out}", "rows are JSON lines, and their card is the .md file", "name a .jsonl file")
    sources = [_source(run, format_name, form) for run in runs]
    done = Exported(out, card)
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write_rows(draft, sources, form, done)
        if not done.rows:
            raise _nothing(sources, form, format_name)
        draft.replace(out)
    except OSError as error:
        raise ErrataError(f"{out} cannot be written: {error.strerror or error}", do="free space or rights") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    write_whole(card, card_text(sources, format_name, form, done).encode())
    return done


def _source(run: str | Path, format_name: str, form: Format) -> Source:
    directory = find_run(run)
    recipe = load_recipe(directory.recipe)
    if form.needs not in stages_of(recipe.graph, recipe.settings):
        raise UsageError(
            f"{run} is a run of the graph {recipe.graph}",
            f"{format_name} takes {form.takes}, and its log has none",
            f"run one of the graphs {', '.join(form.graphs)}: `errata synth RECIPE graph={form.graphs[-1]} name=...`",
        )
    return Source(directory, recipe, load_prompts(recipe.prompts and expand(recipe.prompts)), index_log(directory.log))


def _write_rows(draft: Path, sources: Sequence[Source], form: Format, done: Exported) -> None:
    seen = array("Q")
    with draft.open("wb") as file:
        for source in sources:
            for transcript in _transcripts(source):
                before = done.rows
                for row in form.rows(transcript, source):
                    file.write(to_json(row) + b"\n")
                    done.rows += 1
                    done.authors[row["meta"]["author"], row["meta"]["role"]] += 1
                    seen.append(likeness(row))
                if done.rows == before:
                    done.skipped[transcript.outcome.reason or transcript.outcome.status] += 1
        file.flush()
        os.fsync(file.fileno())
    done.duplicates = len(seen) - len(np.unique(np.frombuffer(seen, np.uint64))) if seen else 0


def _transcripts(source: Source) -> Iterator[Transcript]:
    for line in read_lines(source.run.log, source.index.in_input_order()):
        try:
            yield Transcript.from_line(line)
        except ValueError as error:
            raise UsageError(
                f"{source.run.log}: a line is no transcript of this version",
                str(error).splitlines()[0],
                "export with the version named in its manifest.json",
            ) from error


def likeness(row: Row) -> int:
    """64 bits of a row's texts, letter case and white space ignored: equal for near-duplicates in that sense."""
    texts = [row["prompt"], row["completion"]] if "prompt" in row else [turn["content"] for turn in row["messages"]]
    same = "\0".join(" ".join(text.casefold().split()) for text in texts)
    return int.from_bytes(hashlib.blake2b(same.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _nothing(sources: Sequence[Source], form: Format, format_name: str) -> UsageError:
    counts: Counter[str] = Counter()
    for source in sources:
        counts.update(funnel_of(source.run, source.index).rationales())
    return UsageError(
        f"no row: of {counts['written']} rationales {counts['correct']} are right, {counts['accepted']} accepted",
        f"{format_name} takes {form.takes}",
        "`errata status RUN` tells the reasons; let the run finish, or run the graph lesson, peer_review or rationales",
    )


# ---- the card --------------------------------------------------------------------------------------------------------


def card_text(sources: Sequence[Source], format_name: str, form: Format, done: Exported) -> str:
    """The data-set card: Markdown with the hub's front matter. Its bytes depend on the logs alone."""
    licences = sorted({source.recipe.licence or "not stated" for source in sources})
    lines = [
        "---",
        *([f"license: {licences[0]}"] if licences != ["not stated"] and len(licences) == 1 else []),
        "tags: [errata, synthetic, reasoning]",
        f"size_categories: [{_size(done.rows)}]",
        "---",
        f"# {done.out.stem}: {format_name} from {', '.join(source.recipe.name for source in sources)}",
        "",
        f"{done.rows} rows of format `{format_name}`: {form.takes}.",
        f"Licence as the recipe states it: {', '.join(licences)}.",
        "",
        f"- near-duplicates: {done.duplicates} rows repeat an earlier one (equal prompt and text, letter case and "
        "white space ignored); they are kept",
        f"- problems without a row: {done.skipped.total()}"
        + "".join(f"; {number} {_cell(reason)}" for reason, number in sorted(done.skipped.items())),
        "",
        "| author | role | rows |",
        "|---|---|---|",
        *(f"| {_cell(author)} | {role} | {number} |" for (author, role), number in sorted(done.authors.items())),
    ]
    for source in sources:
        lines += ["", *_of_run(source)]
    return "\n".join(lines) + "\n"


def _of_run(source: Source) -> list[str]:
    recipe, funnel = source.recipe, funnel_of(source.run, source.index)
    manifest = source.run.manifest()
    counted = problems(source.index, manifest.get("problems", {}).get("total"))
    rationales, logged, acceptance = funnel.rationales(), funnel.logged(), funnel.acceptance()
    usd = "unknown" if logged["usd"] is None else f"${logged['usd']:.4f}"
    used = sorted({f"{spec.name}: {spec.model}" for spec in recipe.agents.everyone})
    told = manifest.get("prompts", {})
    return [
        f"## Run {recipe.name}",
        "",
        f"Graph `{recipe.graph}`, seed {recipe.seed}, problems from `{_cell(recipe.problems.source)}`"
        f" (licence: {recipe.licence or 'not stated'}).",
        "",
        f"- problems: {counted['total']}, done {counted['done']}, rejected {_told(counted['rejected'])}, "
        f"failed {_told(counted['failed'])}, pending {counted['pending']}",
        f"- rationales: {rationales['written']} written, {rationales['correct']} right, "
        f"{rationales['accepted']} accepted; accepted though wrong: {acceptance['disagreements']['accepted_wrong']}",
        f"- calls: {logged['calls']}, {logged['prompt_tokens']} prompt and {logged['completion_tokens']} completion "
        f"tokens, {usd} at first payment",
        *(f"- agent {_cell(each)}" for each in used),
        *(f"- prompt `{name}` {told[name]}" for name in sorted(told)),
    ]


def _told(reasons: dict[str, int]) -> str:
    if not reasons:
        return "0"
    return f"{sum(reasons.values())} ({', '.join(f'{n} {_cell(reason)}' for reason, n in sorted(reasons.items()))})"


def _cell(text: str) -> str:
    """Text that came from elsewhere, as one harmless line of Markdown."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _size(rows: int) -> str:
    for limit, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")):
        if rows < limit:
            return name
    return "n>1M"
