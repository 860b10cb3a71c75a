"""The head of the report: what this is, in a sentence and a handful of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from errata.evals.comparison import Difference
from errata.evals.pairing import Arm
from errata.report.eval_results import Results
from errata.report.figures import count, dollars, listed, named, pct
from errata.report.sections.differences import View
from errata.report.sections.synthesis import RunView
from errata.runs.progress import worked
from errata.runs.times import Times, times_in

MOST_CLAIMS = 4
"""Differences that the head shows as large figures; it names the others, which stand under Accuracy."""


@dataclass(frozen=True)
class About:
    """What a report knows beside its run: what it is of, when the steps of a study or school ran, and by the students'
    labels the settings that tell them from others of one method."""

    subject: str = "run"
    steps: Times | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


RUN = About()


@dataclass(frozen=True)
class Key:
    """One large figure. `note` puts it into words."""

    value: str
    name: str
    note: str


@dataclass(frozen=True)
class Overview:
    subject: str
    title: str
    lede: str
    keys: tuple[Key, ...]
    when: str = ""
    """When the run and the steps of its study or school worked and how long, and by which version; empty where no
    record says any of it."""
    pending: int = 0
    """Problems that the run has still to settle."""
    students: Sequence[tuple[str, str]] = ()
    tasks: Sequence[tuple[str, str]] = ()
    more: str = ""
    """Which comparisons stand below alone; empty where all are among the keys."""


def overview(view: RunView, results: Results | None, about: About) -> Overview:
    compared = claim_keys(results) or accuracy_keys(results)
    keys = [*compared[:MOST_CLAIMS], *_synthesis(view)]
    return Overview(
        about.subject,
        view.name,
        _lede(view, results),
        tuple(keys[:6]),
        _when(view.manifest, about.steps),
        view.status["problems"]["pending"],
        students(results, about.settings) if results else (),
        tasks(results) if results else (),
        _more(compared[MOST_CLAIMS:]),
    )


def _more(keys: Sequence[Key]) -> str:
    names = [key.name.partition(": ")[2] for key in keys]
    return f"{count(len(names), 'more figure')} under Accuracy: {'; '.join(names)}." if names else ""


def _when(manifest: Mapping[str, Any], steps: Times | None) -> str:
    times, versions = times_in(manifest), manifest.get("versions")
    parts = [f"Run {worked(times)}"] if times else []
    if isinstance(versions, dict) and versions.get("errata"):
        parts.append(f"{'by' if parts else 'Run by'} errata {versions['errata']}")
    sentences = [", ".join(parts), f"Steps ran {worked(steps)}" if steps else ""]
    return " ".join(f"{each}." for each in sentences if each)


def _lede(view: RunView, results: Results | None) -> str:
    teachers = sorted(view.totals.teachers)
    total, pending = (view.status["problems"][name] for name in ("total", "pending"))
    problems = count(total, "problem") if not pending else f"{total - pending:,} of {count(total, 'problem')} so far"
    if not results and not view.status["problems"]["total"]:
        return "The run has not begun."
    if results and not view.status["problems"]["total"]:
        return f"{count(len(results.arms), 'student')} were evaluated on {listed(results.tasks) or 'the same items'}."
    wrote = f"{listed(teachers)} wrote worked solutions of {problems}"
    parts = [wrote if teachers else f"A student sat an exam of {problems}"]
    if view.paneled:
        parts.append("reviewers judged them")
    if view.totals.ratios:
        parts.append(f"{count(view.totals.ratios.total(), 'pair')} set right beside wrong")
    if results:
        parts.append(f"and {count(len(results.arms), 'student')} were evaluated")
    elif len(parts) > 1:
        parts[-1] = f"and {parts[-1]}"
    return ", ".join(parts) + "."


def claim_keys(results: Results | None) -> list[Key]:
    """The planned comparisons, in their order: what was found, between which bounds, and the verdict."""
    claims = {each.claim: each for each in results.comparison.claims} if results else {}
    return [_difference(View(each, each.arm, ""), str(name)) for name, each in claims.items()]


def _difference(view: View, name: str, planned: str = "") -> Key:
    """A difference with all that must be known to read it: interval, verdict, control, task and items."""
    value, low, high = view.points
    one = view.difference
    where = f"{view.student} against {view.other} on {named(one.task)}, {_items(one)}"
    return Key(f"{value:+.1f}", f"points: {name}", f"[{low:+.1f}, {high:+.1f}], {view.verdict}{planned}: {where}")


def _items(one: Difference) -> str:
    seeds = len(one.by_seed)
    if seeds < 2:
        return f"{one.n:,} items"
    own = ("each ", " of its own") if one.design == "nested" else ("", "")
    return f"{seeds} seeds, {own[0]}on {one.n:,} items{own[1]}"


def accuracy_keys(results: Results | None) -> list[Key]:
    """Where nothing was planned: each student against the untouched one, per task; else each student's accuracy."""
    if not results:
        return []
    pairs = [(arm.name, base.name) for arm in results.arms if (base := results.untouched(arm))]
    keys = [
        _difference(View(each, arm, ""), f"{arm} on {named(task)}", ", not planned")
        for task in results.tasks
        for arm, base in pairs
        if (each := results.difference(arm, base, task)) is not None
    ]
    if keys:
        return keys
    return [
        Key(
            pct(each.accuracy.value, 1),
            f"accuracy: {each.arm} on {named(each.task)}",
            f"{100 * each.accuracy.low:.1f} to {100 * each.accuracy.high:.1f}\N{NO-BREAK SPACE}%, {each.n:,} items",
        )
        for each in results.comparison.figures
    ]


def students(results: Results, settings: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every student with a sentence of what it is."""
    return [(arm.name, _student(arm, settings.get(arm.evals[0].manifest.label, ""))) for arm in results.arms]


def _student(arm: Arm, settings: str) -> str:
    manifest = arm.evals[0].manifest
    seeds = f", {len(arm.evals)} seeds" if len(arm.evals) > 1 else ""
    if arm.baseline:
        return f"The student before any training{seeds}."
    trained = manifest.training or {}
    if not trained.get("method"):
        return f"Asked as it is{seeds}: {manifest.model}."
    control = trained.get("control")
    parts = [*([f"control {control}"] if control not in (None, "none") else []), *([settings] if settings else [])]
    how = f"{trained['method']} ({', '.join(parts)})" if parts else str(trained["method"])
    size = "" if arm.target_tokens is None else f" on {arm.target_tokens:,.0f} target tokens"
    return f"Trained by {how}{size}{seeds}."


def tasks(results: Results) -> list[tuple[str, str]]:
    """Every task with a sentence of what is asked."""
    lines = []
    for task in results.tasks:
        figure = next(each for each in results.comparison.figures if each.task == task)
        split = f" of the split {figure.split}" if figure.split else ""
        each = " for each seed" if _own_items(results, task) else ""
        lines.append((named(task), f"{count(figure.n, 'item')}{split}{each}, the same for every student."))
    return lines


def _own_items(results: Results, task: str) -> bool:
    """Whether seeds have items of their own."""
    return any(each.design == "nested" for each in results.comparison.differences if each.task == task)


def _synthesis(view: RunView) -> list[Key]:
    if not view.status["problems"]["total"]:
        return []
    status, keys = view.status, []
    estimated = status.get("estimated")
    if estimated:
        of = f"of {estimated['written']:,} on problems without a gold answer"
        keys.append(Key(f"{estimated['right']:,}", "rationales estimated right", of))
    rationales, acceptance = status["rationales"], status["acceptance"]
    if view.paneled:
        keys.append(Key(f"{rationales['accepted']:,}", "accepted rationales", f"of {acceptance['judged']:,} judged"))
        truth = acceptance["sound"] or acceptance["answer"]
        against = "sound in every step" if acceptance["sound"] else "right by the answer"
        if truth["precision"] is not None:
            keys.append(Key(pct(truth["precision"], 1), f"of the accepted are {against}", _than(acceptance)))
    elif rationales["written"] and not estimated:
        keys.append(Key(f"{rationales['correct']:,}", "right rationales", f"of {rationales['written']:,} written"))
    student = status["student"]
    if student["answers"] and not student.get("estimated"):
        share = pct(student["correct"] / student["answers"], 1)
        keys.append(
            Key(share, "right in the student's exam", f"{student['correct']:,} of {student['answers']:,} answers")
        )
    log = status["log"]
    calls = f"{log['calls']:,} calls, {log['prompt_tokens'] + log['completion_tokens']:,} tokens"
    keys.append(_cost(log["usd"], log["calls"], view.totals.replayed, calls))
    return keys


def _cost(usd: float | None, calls: int, replayed: int, note: str) -> Key:
    """What the run's calls cost. Replies of recordings cost nothing here, and what they once cost is not known."""
    if replayed == calls and calls:
        return Key("replayed", "replies of recordings, their price not known", note)
    if replayed:
        note += f"; {replayed:,} of them replayed from recordings, at no price"
    return Key("price unknown" if usd is None else dollars(usd), "at the price of the first payment", note)


def _than(acceptance: dict[str, dict[str, float | None]]) -> str:
    sound = acceptance["sound"]
    if sound and sound["grader_only_precision"] is not None:
        return f"{pct(sound['grader_only_precision'], 1)} of what the grader finds right"
    recall = acceptance["answer"]["recall"]
    return "no right one was judged" if recall is None else f"{pct(recall, 1)} of the right ones are accepted"
