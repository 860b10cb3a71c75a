"""What a recipe says of acceptance: by which rule rationales count as accepted, as a view over the log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from errata.config.base import Settings

RuleName = Literal["mean", "min", "k_of_n", "veto", "agreement", "majority", "reliability"]


class Acceptance(Settings):
    """The rule by which exports accept rationales, whatever the panel decided while the run was on.

    mean, min, k_of_n, veto: the panel's, as of `settings.peer_review.accept`. agreement: another author reached the
    same answer. majority: its answer is that of more rationales than any other. reliability: the most probable ones by
    the model of the voters, as many as keep the estimated precision at `precision` or above.
    """

    rule: RuleName
    precision: float = Field(default=0.95, gt=0.0, le=1.0)
    threshold: float = 3.0
    k: int = Field(default=1, ge=1)
    veto_at: int = 1
