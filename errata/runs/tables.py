"""Figures as tables for people: the funnel of a run, the estimate of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from errata.errors import plain
from errata.runs.fitted_table import FittedTable
from errata.runs.progress import money
from errata.runs.review_counts import in_words

SET_ASIDE = {
    "cut_off": "rationales cut off at their length limit",
    "unjudged": "right ones that saw the answer, judged by nobody",
}
"""What exports leave out unless they are asked for, in words."""


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> FittedTable:
    """The first column is text, the others are figures."""
    return FittedTable(plain(title), headings, [[plain(_cell(cell)) for cell in row] for row in rows], caption)


def _cell(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def show(parts: Iterable[RenderableType], console: Console | None = None) -> None:
    """Prints the parts with an empty line between them."""
    if console is None:
        console = Console(highlight=False, soft_wrap=False)
        if not console.is_terminal:  # nothing folds a file's lines
            console.width = max(console.width, 120)
    for part in parts:
        console.print(part)
        console.print()


def show_lines(lines: Iterable[str]) -> None:
    """Prints prose: on a terminal it folds at spaces, elsewhere each line stays whole."""
    console = Console(highlight=False)
    for line in lines:
        console.print(Text(plain(line)), soft_wrap=not console.is_terminal)


def show_status(status: dict[str, Any], console: Console | None = None) -> None:
    """The funnel of `errata status`."""
    show([part for part in _parts(status) if part is not None], console)


def _parts(status: dict[str, Any]) -> list[RenderableType | None]:
    judged = status["acceptance"]["judged"]
    return [
        _problems(status["problems"]),
        _authors(status["authors"]),
        _verdicts(status["acceptance"], status["agreement"], graded=_graded(status)) if judged else None,
        _estimated(status["estimated"]),
        Text(f"{saved}.") if (saved := in_words(status["reviews"])) else None,
        Text(plain(status["accepted_by_in_words"])) if status.get("accepted_by_in_words") else None,
        _reviewers(status["reviewers"]) if status["reviewers"] else None,
        _yield(status),
        _agents(status["agents"]) if status["agents"] else None,
        _unread(status["replies"]),
        _so_far(status["paid_replies"]) if status["problems"]["pending"] and status["paid_replies"] else None,
        _costs(status),
        _resumes(status["resumes"]) if status["resumes"].get("count") else None,
        Text("\n".join(f"note: {plain(note)}" for note in status["notes"])) if status["notes"] else None,
    ]


def _problems(problems: dict[str, Any]) -> FittedTable:
    rows: list[tuple[str, int]] = [("done", problems["done"])]
    for ending in ("rejected", "failed"):
        rows.append((ending, sum(problems[ending].values())))
        rows += [(f"  {reason}", number) for reason, number in problems[ending].items()]
    rows += [("pending", problems["pending"]), ("total", problems["total"])]
    return table("Problems", ("", "number"), rows)


def _authors(authors: list[dict[str, Any]]) -> FittedTable:
    headings = ["author", "role", "written", "right", "reviewed", "accepted", "sound"]
    keys = ["author", "role", "written", "correct", "reviewed", "accepted", "sound"]
    if any(row.get("estimated") for row in authors):
        headings.insert(4, "estimated right")
        keys.insert(4, "estimated_right")
    return table("Rationales", headings, ([_figure(row, key) for key in keys] for row in authors))


def _figure(row: dict[str, Any], key: str) -> Any:
    """A figure of an author; None for what is right where nothing was graded."""
    if key == "correct" and row.get("estimated", 0) == row["written"]:
        return None
    return row.get(key)


def _graded(status: dict[str, Any]) -> bool:
    """Whether some of what was written could be graded: not all problems lack a gold answer."""
    estimated = status["estimated"]
    return estimated is None or estimated["written"] < status["rationales"]["written"]


def _verdicts(acceptance: dict[str, Any], agreement: dict[str, Any], *, graded: bool) -> FittedTable:
    answer, sound, differ = acceptance["answer"], acceptance["sound"], acceptance["disagreements"]
    rows = [("panel against the answer", percent(answer["precision"]), percent(answer["recall"]))] if graded else []
    if sound:
        rows.append(("panel against soundness", percent(sound["precision"]), percent(sound["recall"])))
        grader = percent(sound["grader_only_precision"]), percent(sound["grader_only_recall"])
        rows += [("grader alone against soundness", *grader)] if graded else []
    alpha = "is undefined" if agreement["alpha"] is None else f"{agreement['alpha']:.2f}"
    agreed = f"Krippendorff's alpha {alpha} over {agreement['units']:,} rationales"
    if not agreement["units"]:
        agreed = "no rationale has two scores to compare"
    wrongly = (
        f"accepted though wrong {differ['accepted_wrong']:,}, rejected though right {differ['rejected_right']:,}; "
    )
    caption = f"{wrongly if graded else ''}{agreed}"
    title = f"Acceptance of {acceptance['judged']:,} judged rationales"
    return table(title, ("", "precision", "recall"), rows, caption)


def _estimated(estimated: dict[str, Any] | None) -> Text | None:
    if estimated is None:
        return None
    mean = estimated["precision"]
    chance = "" if mean is None else f"; of what the panel accepted {percent(mean)} are right, if the estimates hold"
    marked = estimated.get("marked")
    by_hand = f", {marked['right']:,} marked right and {marked['wrong']:,} wrong by a person" if marked else ""
    return Text(
        f"{estimated['problems']:,} problems have no gold answer: of {estimated['written']:,} rationales on them "
        f"{estimated['right']:,} are estimated right, {estimated['open']:,} open{by_hand}{chance}"
    )


def _reviewers(reviewers: dict[str, dict[str, Any]]) -> FittedTable:
    rows = (
        (name, row["asked"], row["valid"], row["lost"], None if row["mean"] is None else f"{row['mean']:.2f}")
        for name, row in reviewers.items()
    )
    return table("Reviewers", ("reviewer", "asked", "valid scores", "lost", "mean score"), rows)


def _yield(status: dict[str, Any]) -> FittedTable:
    student, explanations = status["student"], status["explanations"]
    rows: list[tuple[str, int]] = []
    if student["answers"]:
        rows.append(("student's answers", student["answers"]))
        estimated = student.get("estimated", 0)
        rows += [("  found right", student["correct"])] if estimated < student["answers"] else []
        rows += [("  estimated right", student["estimated_right"])] if estimated else []
    rows.append(("explanations of mistakes", explanations["written"]))
    rows += [(f"  {kind}", number) for kind, number in explanations["kinds"].items()]
    for origin, counted in status["pairs"].items():
        rows.append((f"pairs, {origin}", counted["written"]))
        rows.append(("  in the band", counted["in_band"]))
    if located := status["first_wrong_step"]:
        rows.append((f"first wrong step located, of {located['wrong']:,} wrong rationales", located["located"]))
        if number := located.get("estimated_wrong"):
            rows.append((f"  of {number:,} estimated wrong", located["estimated_located"]))
    rows += [(f"rationales dropped: {reason}", number) for reason, number in status["dropped"].items()]
    rows += [(SET_ASIDE[reason], number) for reason, number in status["set_aside"].items() if number]
    rows += [(f"input {kind.replace('_', ' ')}", number) for kind, number in status["input"].items() if number]
    return table("Yield", ("", "number"), rows)


def _agents(agents: dict[str, dict[str, Any]]) -> FittedTable:
    rows = (
        (name, row["calls"], row["failed"], row["prompt_tokens"], row["completion_tokens"], money(row["usd"]))
        for name, row in agents.items()
    )
    headings = ("agent", "calls", "failed", "prompt tokens", "completion tokens", "price at first payment")
    return table("Calls in the log", headings, rows)


_WHOSE = ("agent", "stage", "verb")


def _unread(replies: list[dict[str, Any]]) -> FittedTable | None:
    """Replies that could not be read or were cut off; None where there are none."""
    keys = (*_WHOSE, "replies", "unreadable", "cut_off", "fresh_tries", "fresh_tokens")
    rows = [row for row in replies if row["unreadable"] or row["cut_off"]]
    if not rows:
        return None
    headings = (*_WHOSE, "replies", "unreadable", "cut off", "fresh tries", "their tokens", "their price")
    lines = ([*(row[key] for key in keys), money(row["fresh_usd"])] for row in rows)
    return table("Replies that could not be read, or were cut off", headings, lines)


def _so_far(replies: list[dict[str, Any]]) -> FittedTable:
    """The calls that were paid for, those of unfinished problems among them."""
    keys = ("stage", "verb", "agent", "replies", "cut_off", "fresh_tries", "prompt_tokens", "completion_tokens")
    rows = ([*(row[key] for key in keys), f"{row['seconds'] / max(row['replies'], 1):.1f}"] for row in replies)
    headings = (*keys[:3], "paid", "cut off", "fresh tries", "prompt tokens", "completion tokens", "s per call")
    return table("Calls paid so far, those of problems in flight among them", headings, rows)


def _costs(status: dict[str, Any]) -> Text:
    calls, tokens = status["calls"], status["tokens"]
    each = status["cost_per_accepted_usd"]
    per = "" if each is None else f", {money(each)} per accepted rationale"
    return Text(
        f"{calls['paid']:,} calls paid, {calls['cached']:,} from the store, {calls['failed']:,} failed; "
        f"{tokens['prompt']:,} + {tokens['completion']:,} tokens; cost {money(status['cost_usd'])}{per}"
    )


def _resumes(resumes: dict[str, Any]) -> Text:
    times = "once" if resumes["count"] == 1 else f"{resumes['count']:,} times"
    return Text(
        f"resumed {times}: {resumes['calls_saved']:,} calls, {resumes['tokens_saved']:,} tokens, "
        f"{money(resumes['usd_saved'])} paid before were not paid again, as starting over would have"
    )
