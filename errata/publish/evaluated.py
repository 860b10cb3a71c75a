"""The section of a student's card that tells its evals."""

from __future__ import annotations

from collections.abc import Sequence

from errata.evals.results import Eval
from errata.evals.tables import share
from errata.exports.dataset_card import cell
from errata.runs.progress import worked
from errata.runs.times import times_in


def evaluated(evals: Sequence[Eval]) -> list[str]:
    """Accuracy by eval and task with its 95 % interval; nothing without evals."""
    rows = [
        f"| {cell(each.name)} | {cell(task)} | {figures['n']} | {share(figures['accuracy'])} | {_when(each)} |"
        for each in evals
        for task, figures in each.summary.get("tasks", {}).items()
    ]
    head = ["| eval | task | items | accuracy in % [95 %] | when |", "|---|---|---|---|---|"]
    return ["", "## Evaluated by errata", "", *head, *rows] if rows else []


def _when(one: Eval) -> str:
    times = times_in({"times": one.manifest.times})
    return worked(times) if times else "-"
