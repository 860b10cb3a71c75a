"""Figures of verdicts beside the panel's: the acceptance rule of the recipe, and where wrong rationales go wrong."""

from __future__ import annotations

from typing import Any

from errata.evidence.in_force import sentence
from errata.report.figures import Cell, Figure, Lines, Link, Table, count, pct
from errata.runs.review_counts import in_words


def acceptance(status: dict[str, Any]) -> Figure | None:
    """What the recipe's rule accepts, its precision an estimate unless it says otherwise; None without a rule."""
    figures = status.get("accepted_by")
    if not figures:
        return None
    kinds = {"estimated": "estimated by the model of the voters", "realised": "by gold answers, where they are known"}
    rows: Lines = [
        [name, *(pct(figures[kind][key], 1) for key in ("value", "low", "high"))]
        for kind, name in kinds.items()
        if figures[kind] and figures[kind]["value"] is not None
    ]
    note = "Exports and trainings accept by this rule; the figures of the panel are those of the panel's own verdicts."
    return Figure(sentence(figures), Table(("precision", "value", "low", "high"), rows), (), note)


def reviews_saved(status: dict[str, Any]) -> Figure | None:
    """What adaptive votes have saved; None where the whole panel reviewed everything."""
    figures = status.get("reviews") or {}
    if not (saved := figures and in_words(figures)):
        return None
    rows: Lines = [["made", figures["reviews"]], ["by the whole panel", figures["whole_panel"]]]
    rows += [["further samples", figures["samples"]]] if figures["samples"] else []
    note = f"Of {figures['rationales']:,} judged rationales; those without a review are accepted by the estimate alone."
    return Figure(f"{saved}.", Table(("votes", "number"), rows), (), note)


def audit(status: dict[str, Any]) -> Figure | None:
    """Where a person marks rationales: the page, or the command that writes it; None where nothing is written."""
    marking = status.get("audit")
    if not marking or not status["rationales"]["written"]:
        return None
    title = f"A person has marked {count(marking['marks'], 'rationale')}."
    written = marking["page"] is not None
    row: list[Cell] = ["page", Link("audit.html", marking["page"])] if written else ["command", marking["command"]]
    note = (
        "The page shows the rationales whose mark tells most, without authors or estimates, and saves marks.jsonl; "
        "errata audit RUN marks.jsonl adds them to the run." + ("" if written else " The command writes it.")
    )
    return Figure(title, Table(("to mark more", "where"), [row]), (), note)


def first_wrong_steps(status: dict[str, Any]) -> Figure | None:
    """In how many wrong rationales the first wrong step is known; None where nobody looked."""
    known = status.get("first_wrong_step")
    if not known:
        return None
    kinds = {"known wrong": "", "estimated wrong": "estimated_"}
    counted = {words: (known.get(f"{kind}located", 0), known.get(f"{kind}wrong", 0)) for words, kind in kinds.items()}
    located, wrong = (sum(numbers) for numbers in zip(*counted.values(), strict=True))
    if not wrong:
        return None
    title = f"The first wrong step is located in {located:,} of {count(wrong, 'wrong rationale')}."
    rows: Lines = [[words, located, of - located] for words, (located, of) in counted.items() if of]
    note = (
        "Known wrong by a gold answer or a person's mark; located by the stage locate, with a probability, or by the "
        "mark."
    )
    return Figure(title, Table(("rationales", "located", "not located"), rows), (), note)


FIGURES = (acceptance, reviews_saved, first_wrong_steps, audit)
