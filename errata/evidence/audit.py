"""`errata audit RUN [MARKS]`: what a person should look at first, as a page, and the marks that come of it.

Evidence --informative--> the N rationales whose mark tells most --> RUN/audit.html --person--> marks.jsonl
marks.jsonl --check--> RUN/marks.jsonl, read by accept, export, status and report from then on
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from errata.config.files import open_own
from errata.errors import ErrataError, UsageError, plain
from errata.evidence.audit_page import Item, write_page
from errata.evidence.read_log import Evidence, read_evidence
from errata.grading.steps import steps_of
from errata.records import Rationale, Transcript, to_json
from errata.runs.marks import Mark, marks_file, marks_in, read_marks
from errata.runs.ran_stages import judged_roles
from errata.runs.run_dir import RunDir, find_run
from errata.runs.transcripts import read_transcripts

USUAL = 20
"""Rationales on a page where no number is given."""


class WrittenPage(NamedTuple):
    """A page that was written, with how many rationales it offers and how many the run has marks of."""

    out: Path
    items: int
    marked: int


class AddedMarks(NamedTuple):
    """What became of a file of marks. `against_gold`: those that contradict a gold verdict, which stands."""

    added: int
    changed: tuple[str, ...]
    same: int
    against_gold: tuple[str, ...]


# ---- what to look at -------------------------------------------------------------------------------------------------


def informative(evidence: Evidence, number: int) -> list[str]:
    """Ids of the rationales whose mark tells most, the best first, one of each problem.

    A mark decides all rationales that give the same answer. So what it tells is the variance of the number of right
    ones among them, p (1 - p) n^2, p by the model of the voters. Of problems with a known verdict, by gold or by a
    mark, nothing is asked.
    """
    ballots, right_N = evidence.ballots, evidence.right_N
    answered = ballots.group_N >= 0
    size_G = np.bincount(ballots.group_N[answered], minlength=1)
    size_N = np.where(answered, size_G[ballots.group_N], 0)  # without an answer it is wrong
    known_P = np.zeros(ballots.problems, bool)
    known_P[ballots.problem_N[~np.isnan(ballots.gold_N)]] = True
    worth_N = right_N * (1 - right_N) * size_N**2 * ~known_P[ballots.problem_N]
    chosen: dict[int, str] = {}
    for row in np.argsort(-worth_N, kind="stable"):
        if len(chosen) == number or worth_N[row] <= 0:
            break
        chosen.setdefault(int(ballots.problem_N[row]), ballots.ids[row])
    return list(chosen.values())


def write_audit(
    run: str | Path, number: int = USUAL, out: Path | None = None, *, hide_gold: bool = False
) -> WrittenPage:
    """Writes the page, by default RUN/audit.html, with the rationales that tell most now; no call is made.

    Args:
        hide_gold: ask about rationales with a gold verdict, too, as if it were not known.

    Raises:
        UsageError: no run, or nothing left to ask.
    """
    directory = find_run(run)
    evidence = read_evidence(directory, hide_gold=hide_gold)
    chosen = informative(evidence, number)
    if not chosen:
        raise UsageError(
            f"{directory.path}: no rationale to mark",
            "its verdicts are known, by gold answers or by marks, or no answer was read",
            "errata accept RUN says what is known; --hide-gold asks about graded ones all the same",
        )
    written = {each.id: (transcript, each) for transcript, each in _rationales(directory)}
    items = [_item(*written[name]) for name in chosen]
    target = out or directory.path / "audit.html"
    write_page(target, directory.path.resolve().name, items)
    return WrittenPage(target, len(items), len(marks_in(directory)))


def _item(transcript: Transcript, rationale: Rationale) -> Item:
    """What the person sees: neither who wrote it nor what the model holds of it."""
    problem, steps = transcript.problem, steps_of(rationale.text)
    return Item(
        rationale.id,
        problem.question,
        list(problem.choices),
        [rationale.text[start:end] for start, end in steps],
        rationale.answer or "",
    )


def _rationales(run: RunDir) -> list[tuple[Transcript, Rationale]]:
    roles = judged_roles(run.manifest())
    transcripts = read_transcripts(run.log, run.index().in_input_order())
    return [(transcript, each) for transcript in transcripts for each in transcript.rationales if each.role in roles]


# ---- marks -----------------------------------------------------------------------------------------------------------


def add_marks(run: str | Path, file: Path) -> AddedMarks:
    """Adds the marks in a file to the run, all of them or none.

    Raises UsageError: no run, a line that is no mark, ids that are no rationale of the run, a step that is not there.
    """
    directory = find_run(run)
    marks, known = read_marks(file), {each.id: each for _, each in _rationales(directory)}
    _check(file, marks, known)
    before = marks_in(directory)
    fresh = [mark for name, mark in marks.items() if before.get(name) != mark]
    _append(directory, fresh)
    return AddedMarks(
        added=sum(mark.rationale not in before for mark in fresh),
        changed=tuple(mark.rationale for mark in fresh if mark.rationale in before),
        same=len(marks) - len(fresh),
        against_gold=tuple(name for name, mark in marks.items() if known[name].correct not in (None, mark.right)),
    )


def _check(file: Path, marks: Mapping[str, Mark], known: Mapping[str, Rationale]) -> None:
    if not marks:
        raise UsageError(f"no mark in {file}", "there is nothing to add", "save the marks of the page first")
    unknown = [name for name in marks if name not in known]
    if unknown:
        raise UsageError(
            f"{file}: {len(unknown)} of {len(marks)} marks are of no rationale of this run: {_some(unknown)}",
            "a mark names a rationale that is judged, by its id",
            "name the run whose page was marked; nothing was added",
        )
    for name, mark in marks.items():
        number = len(steps_of(known[name].text))
        if mark.first_wrong_step is not None and not 0 <= mark.first_wrong_step < number:
            raise UsageError(
                f"{file}: step {mark.first_wrong_step} of {plain(name)}",
                f"it has {number} steps, counted from 0",
                "correct the mark; nothing was added",
            )


def _append(run: RunDir, marks: Sequence[Mark]) -> None:
    """All lines by one write, on disk before anything is said of them."""
    if not marks:
        return
    path = marks_file(run)
    torn = path.is_file() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    lines = b"".join(to_json(mark.model_dump(exclude_none=True)) + b"\n" for mark in marks)
    try:
        with os.fdopen(open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
            file.write(b"\n" * torn + lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ErrataError(f"{path} cannot be written: {error.strerror or error}", do="free space or rights") from error


def show_added(added: AddedMarks) -> list[str]:
    """What became of the marks, as lines of text."""
    lines = [f"marks     {added.added} added, {len(added.changed)} changed, {added.same} as before"]
    if added.changed:
        lines.append(f"changed   {_some(added.changed)}: the new mark counts")
    if added.against_gold:
        lines.append(
            f"note: {len(added.against_gold)} contradict the gold answer, which stands: {_some(added.against_gold)}"
        )
    return lines


def _some(names: Sequence[str]) -> str:
    return plain(", ".join(names[:5]) + (", ..." if len(names) > 5 else ""))
