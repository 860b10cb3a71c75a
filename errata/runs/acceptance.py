"""What a recipe says of acceptance: by which rule rationales count as accepted, as a view over the log."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from errata.config.base import Settings
from errata.errors import UsageError, did_you_mean

RuleName = Literal["mean", "min", "k_of_n", "veto", "agreement", "majority", "reliability"]


class Acceptance(Settings):
    """The rule by which exports accept rationales, whatever the panel decided while the run was on.

    mean, min, k_of_n, veto: the panel's, as of `settings.peer_review.accept`. agreement: another author reached the
    same answer. majority: its answer is that of more rationales than any other. reliability: the most probable ones by
    the model of the voters, as many as keep the estimated precision at `precision` or above, but for texts whose steps
    are more probably flawed than not.
    """

    rule: RuleName
    precision: float = Field(default=0.95, gt=0.0, le=1.0)
    threshold: float = 3.0
    k: int = Field(default=1, ge=1)
    veto_at: int = 1


def acceptance_of(rule: str | None, precision: float | None = None) -> Acceptance | None:
    """The acceptance that a command line names; None where it names none. Raises UsageError for what is no rule."""
    if rule is None and precision is None:
        return None
    rules = get_args(RuleName)
    if rule is not None and rule not in rules:
        raise UsageError(
            f"no acceptance rule is called {rule}",
            f"the rules are {', '.join(rules)}",
            did_you_mean(rule, rules, "name one of them"),
        )
    if precision is None:
        return Acceptance(rule=rule)  # type: ignore[arg-type]
    if rule not in (None, "reliability"):
        raise UsageError(f"--precision with --accept {rule}", "it would change nothing", "name reliability")
    return Acceptance(rule="reliability", precision=precision)
