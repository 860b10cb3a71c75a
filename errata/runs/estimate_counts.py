"""Counts of what is estimated and not graded: the rationales on problems without a gold answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any

from errata.records import Rationale, Transcript


class EstimateCounts:
    """Sums over transcripts, given one at a time; those of problems with a gold answer add nothing.

    Args:
        judged_roles: roles of the rationales whose panel verdicts enter the acceptance.
    """

    def __init__(self, judged_roles: Collection[str]) -> None:
        self._judged_roles = judged_roles
        self.totals: Counter[str] = Counter()
        """Problems; rationales written, right (estimated), open, accepted; judged: those accepted in judged roles."""
        self._authors: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._chances = 0.0
        """Sum of the estimates of the judged ones."""

    def add(self, transcript: Transcript) -> None:
        if transcript.problem.answer is not None:
            return
        self.totals["problems"] += 1
        for each in transcript.rationales:
            self._rationale(each)

    def _rationale(self, each: Rationale) -> None:
        right, accepted = each.is_right, each.accepted is True
        estimated = each.marked is None
        self.totals.update(
            written=1, right=int(right is True and estimated), open=int(right is None), accepted=int(accepted)
        )
        self.totals.update(marked_right=int(each.marked is True), marked_wrong=int(each.marked is False))
        self._authors[each.author, each.role].update(estimated=1, estimated_right=int(right is True and estimated))
        chance = each.estimated if each.marked is None else float(each.marked)
        if accepted and each.role in self._judged_roles and chance is not None:
            self.totals["judged"] += 1
            self._chances += chance

    def of_author(self, author: str, role: str) -> dict[str, int]:
        """`estimated`, rationales without a grade, and `estimated_right` of them; nothing where all have one."""
        return dict(self._authors.get((author, role), {}))

    def of_role(self, role: str) -> dict[str, int]:
        """The same of all authors in a role."""
        counted = sum((counted for (_, own), counted in self._authors.items() if own == role), Counter[str]())
        return {name: counted[name] for name in ("estimated", "estimated_right")} if counted else {}

    def figures(self) -> dict[str, Any] | None:
        """What `status` says of it; None where all problems have a gold answer."""
        if not self.totals["problems"]:
            return None
        names, judged = ("problems", "written", "right", "open", "accepted"), self.totals["judged"]
        figures: dict[str, Any] = {name: self.totals[name] for name in names}
        marked = {verdict: self.totals[f"marked_{verdict}"] for verdict in ("right", "wrong")}
        if any(marked.values()):
            figures["marked"] = marked
        return figures | {"precision": self._chances / judged if judged else None}
