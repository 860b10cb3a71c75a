"""The section of a student's card that tells its evals."""

from __future__ import annotations

from collections.abc import Sequence

from errata.evals.results import Eval
from errata.evals.tables import share
from errata.exports.dataset_card import cell


def evaluated(evals: Sequence[Eval]) -> list[str]:
    """Accuracy by eval and task with its 95 % interval; nothing without evals."""
    rows = [
        f"| {cell(each.name)} | {cell(task)} | {figures['n']} | {share(figures['accuracy'])} |"
        for each in evals
        for task, figures in each.summary.get("tasks", {}).items()
    ]
    head = ["| eval | task | items | accuracy in % [95 %] |", "|---|---|---|---|"]
    return ["", "## Evaluated by errata", "", *head, *rows] if rows else []
