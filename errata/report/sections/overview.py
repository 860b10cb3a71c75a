"""The head of the report: what this is, in a sentence and a handful of figures."""

from __future__ import annotations

from dataclasses import dataclass

from errata.report.eval_results import Results
from errata.report.figures import count, dollars, listed, pct
from errata.report.sections.synthesis import RunView

MOST_CLAIMS = 4
"""Of a study's claims; all of them stand in the section of differences."""


@dataclass(frozen=True)
class Key:
    """One large figure. `note` puts it into words."""

    value: str
    name: str
    note: str


@dataclass(frozen=True)
class Overview:
    title: str
    lede: str
    keys: tuple[Key, ...]


def overview(view: RunView, results: Results | None) -> Overview:
    keys = [*(claim_keys(results) or _accuracy(results)), *_synthesis(view)]
    return Overview(view.name, _lede(view, results), tuple(keys[:6]))


def _lede(view: RunView, results: Results | None) -> str:
    teachers = sorted(view.totals.teachers)
    problems = count(view.status["problems"]["total"], "problem")
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
    return [
        Key(
            f"{100 * each.difference.value:+.1f}",
            f"points: {name}",
            f"[{100 * each.difference.low:+.1f}, {100 * each.difference.high:+.1f}], {each.verdict}",
        )
        for name, each in list(claims.items())[:MOST_CLAIMS]
    ]


def _accuracy(results: Results | None) -> list[Key]:
    if not results:
        return []
    task = results.tasks[0]
    against_untouched = [
        (arm, each)
        for arm in results.arms
        if (base := results.untouched(arm)) and (each := results.difference(arm.name, base.name, task))
    ]
    if not against_untouched:
        best = max(results.comparison.figures, key=lambda each: each.accuracy.value)
        return [Key(pct(best.accuracy.value, 1), "best accuracy", f"{best.arm} on {best.task}")]
    sided = [
        (arm.name, each.difference.value if each.arm == arm.name else -each.difference.value)
        for arm, each in against_untouched
    ]
    name, value = max(sided, key=lambda each: each[1])
    return [
        Key(
            f"{100 * value:+.1f}",
            "points of accuracy",
            f"{name} against the untouched student on {task or 'all items'}",
        )
    ]


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
    cost = "price unknown" if log["usd"] is None else dollars(log["usd"])
    keys.append(Key(cost, "at the price of the first payment", calls))
    return keys


def _than(acceptance: dict[str, dict[str, float | None]]) -> str:
    sound = acceptance["sound"]
    if sound and sound["grader_only_precision"] is not None:
        return f"{pct(sound['grader_only_precision'], 1)} of what the grader finds right"
    recall = acceptance["answer"]["recall"]
    return "no right one was judged" if recall is None else f"{pct(recall, 1)} of the right ones are accepted"
