"""Rows of one format from the logs of one or more runs, streamed, with what was left out counted.

    logs --transcripts in input order--> format --> near-duplicates, overlap --> rows

Memory: 22 bytes per problem and at most 50 bytes per row, plus the hashes of the evaluation sets compared with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from errata.data.contamination import EvalSet, load_eval_set
from errata.data.source import ProblemSource
from errata.errors import NothingToLearn, UsageError
from errata.exports.dedup import Duplicates
from errata.exports.format import Format
from errata.exports.logs import Log
from errata.exports.transcript_view import ALL, LeftOut, Options, Row, TranscriptView
from errata.exports.wrong_from import UNKNOWN, UNSURE
from errata.records import Problem
from errata.runs.funnel import funnel_of
from errata.runs.log_lines import damage_note

TAKEN_WITH = {"cut_off": "--cut-off", "saw_answer_unjudged": "--unjudged"}
"""The option that takes what is left out for this reason."""
LACKING = {UNKNOWN: "add locate to `stages` of the recipe", UNSURE: "lower --min-step-probability"}
"""What else helps where all is left out for this reason."""


@dataclass(frozen=True)
class Selection:
    """How a data set is made: the options of its format, and what becomes of near-duplicates and overlap."""

    options: Options = ALL
    keep_duplicates: bool = False
    """Near-duplicates are counted in any case."""
    eval_sets: tuple[EvalSet, ...] = ()
    exclude_overlap: bool = False
    """Leave out problems that overlap with an evaluation set; they are counted in any case."""


@dataclass
class ExportCounts:
    """What came of the logs: rows, and what gave none."""

    rows: int = 0
    example: Row | None = None
    """The first row."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Problems without a row, by how they ended."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rationales, explanations and pairs that the format would have taken but for this reason."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Rows that repeat an earlier one: the same, or like it."""
    authors: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rationales in rows, by author and role."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Rows by kind, of a format that has several."""
    overlap: dict[str, Counter[str]] = field(default_factory=dict)
    """By evaluation set: its size, problems that meet it by measure, and their rows."""
    excluded: int = 0
    """Problems left out for overlap."""
    overlapping: int = 0
    """Problems with rows, taken though they overlap."""
    notes: list[str] = field(default_factory=list)
    """What was wrong with the logs."""

    @property
    def duplicates(self) -> int:
        return self.repeated.total()

    def figures(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "rows": self.rows,
            "near_duplicates": {"same": self.repeated["same"], "like": self.repeated["like"]},
            "left_out": dict(sorted(self.left_out.items())),
            "problems_without_a_row": dict(sorted(self.skipped.items())),
            "kinds": dict(sorted(self.kinds.items())),
            "overlap": {name: dict(sorted(counts.items())) for name, counts in self.overlap.items()},
            "excluded_for_overlap": self.excluded,
            "notes": self.notes,
        }


def compile_rows(
    logs: Sequence[Log], form: Format, selection: Selection | None = None, counts: ExportCounts | None = None
) -> Iterator[Row]:
    """The rows of all logs, log by log and in input order; `counts` counts as they go."""
    selection, counts = selection or Selection(), ExportCounts() if counts is None else counts
    counts.overlap.update({each.name: Counter(size=each.size) for each in selection.eval_sets})
    duplicates = Duplicates()
    for log in logs:
        if log.index.damaged:
            counts.notes.append(damage_note(log.run.log, log.index.damaged))
        for transcript in log.transcripts():
            duplicates.next_problem()
            view = TranscriptView(transcript, log.source, selection.options)
            meeting = _meeting(transcript.problem, selection.eval_sets, counts)
            if meeting and selection.exclude_overlap:
                rows = sum(not isinstance(row, LeftOut) for row in form.rows(view))
                counts.excluded += 1
            else:
                rows = 0
                for row in _fresh(view, form, duplicates, selection, counts):
                    rows += 1
                    _count(row, form, counts)
                    yield row
                counts.overlapping += bool(meeting and rows)
            for name in meeting:
                counts.overlap[name]["rows"] += rows
            if not rows:
                counts.skipped[transcript.outcome.reason or transcript.outcome.status] += 1


def eval_sets_of(logs: Sequence[Log], against: Sequence[ProblemSource], exclude_overlap: bool) -> tuple[EvalSet, ...]:
    """The evaluation sets of `against` and those that the runs' recipes name, each once.

    Raises UsageError where one cannot be read, or where overlap is to be left out and none is named.
    """
    sets: list[ProblemSource] = []
    for each in (*against, *(each for log in logs for each in log.source.recipe.eval_sets)):
        if each not in sets:
            sets.append(each)
    if exclude_overlap and not sets:
        raise UsageError(
            "no evaluation set is named",
            "there is nothing to exclude",
            "name it: eval_sets in the recipe, or --against of an export",
        )
    return tuple(load_eval_set(each) for each in sets)


def _meeting(problem: Problem, eval_sets: Sequence[EvalSet], counts: ExportCounts) -> list[str]:
    """Names of the evaluation sets that this problem meets."""
    names = []
    for each in eval_sets:
        if measure := each.meets(problem):
            counts.overlap[each.name][measure] += 1
            names.append(each.name)
    return names


def _fresh(
    view: TranscriptView, form: Format, duplicates: Duplicates, selection: Selection, counts: ExportCounts
) -> Iterator[Row]:
    """The format's rows of one problem, near-duplicates and what is left out counted."""
    for row in form.rows(view):
        if isinstance(row, LeftOut):
            counts.left_out[row.reason] += 1
            continue
        _check_row(row, form)
        if repeated := duplicates.repeats(*form.likeness(row)):
            counts.repeated[repeated] += 1
            if not selection.keep_duplicates:
                continue
        yield row


def _check_row(row: Row, form: Format) -> None:
    if "rationales" not in row.get("meta", {}) or set(row) - {"meta"} != set(form.columns):
        raise UsageError(
            f"a row of the format {form.name} with the columns {', '.join(row)}",
            f"the format states {', '.join(form.columns)}, and every row says in `meta` where it comes from",
            "state them in `columns`, and add meta=row_meta(view, rationale)",
        )


def _count(row: Row, form: Format, counts: ExportCounts) -> None:
    counts.rows += 1
    counts.example = counts.example or row
    for rationale in row["meta"]["rationales"]:
        counts.authors[rationale["author"], rationale["role"]] += 1
    kind = form.kind(row)
    if kind is not None:
        counts.kinds[kind] += 1


def no_row(logs: Sequence[Log], form: Format, counts: ExportCounts) -> NothingToLearn:
    """What to say of logs that have given no row."""
    rationales: Counter[str] = Counter()
    for log in logs:
        funnel = funnel_of(log.run, log.index)
        rationales.update(funnel.rationales())
        rationales["estimated"] += funnel.estimates.totals["right"]
    why = ", ".join(f"{number} {reason}" for reason, number in counts.left_out.most_common(5))
    if counts.excluded:
        why = f"{counts.excluded} problems left out for overlap{', ' * bool(why)}{why}"
    flags = [flag for reason, flag in TAKEN_WITH.items() if counts.left_out[reason] and _takes(form, flag)]
    return NothingToLearn(
        f"no row: of {rationales['written']} rationales {rationales['correct']} are right, "
        + (f"{rationales['estimated']} estimated right, " if any(log.source.estimates for log in logs) else "")
        + f"{rationales['accepted']} accepted",
        f"{form.name} takes {form.takes}; left out: {why or 'nothing, there was nothing to take'}",
        "`errata status RUN` tells the reasons; let the run finish, or run the graph lesson for more to learn from"
        + "".join(f"; or take them: {flag}" for flag in flags)
        + "".join(f"; or {what}" for reason, what in LACKING.items() if counts.left_out[reason]),
    )


def _takes(form: Format, flag: str) -> bool:
    return flag.removeprefix("--").replace("-", "_") in form.options
