"""The panel: who reviews what, and the verdict its scores come to."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from pydantic import Field

from errata.agents.reviewer import Reviewer
from errata.agents.team import Team
from errata.config.base import Settings
from errata.config.code import Reference
from errata.errors import UsageError
from errata.graphs.nodes import calls_of, estimated, together
from errata.graphs.state import State
from errata.llm.spec import Agents, Sampling
from errata.records import Rationale, Review


class AcceptRule(Settings):
    """The panel's verdict from its valid scores.

    mean: their mean > `threshold` (the paper's rule with 3). min: the lowest > threshold. k_of_n: at least `k` scores
    > threshold. veto: mean > threshold and no score <= `veto_at`. No valid score: rejected. `my_rules.py:NAME`: a
    function of one's own, from the valid reviews to a truth value.
    """

    rule: Literal["mean", "min", "k_of_n", "veto"] | Reference = "mean"
    threshold: float = 3.0
    k: int = Field(default=1, ge=1)
    veto_at: int = 1


def verdict(rule: AcceptRule, reviews: Sequence[Review]) -> bool | None:
    """Accepted or not, by the valid scores; without any it is not. None while a review is lost to the provider."""
    if any(review.lost for review in reviews):
        return None
    valid = [review for review in reviews if review.valid and review.score is not None]
    scores = [review.score for review in valid if review.score is not None]
    if not scores:
        return False
    if isinstance(rule.rule, Reference):
        return bool(rule.rule.part(valid))
    match rule.rule:
        case "mean":
            return fmean(scores) > rule.threshold
        case "min":
            return min(scores) > rule.threshold
        case "k_of_n":
            return sum(score > rule.threshold for score in scores) >= rule.k
        case "veto":
            return fmean(scores) > rule.threshold and min(scores) > rule.veto_at


def check_panel(agents: Agents, rule: AcceptRule) -> None:
    """Raises UsageError where some teacher's work would have nobody to review it, or too few to be accepted."""
    names = [spec.name for spec in agents.panel]
    for teacher in agents.teachers:
        peers = [name for name in names if name != teacher.name]
        if not peers:
            raise UsageError(
                f"nobody can review {teacher.name}: the panel is {', '.join(names) or 'empty'}",
                "no one scores what is their own",
                "name a second teacher, or agents.reviewers",
            )
        if rule.rule == "k_of_n" and rule.k > len(peers):
            raise UsageError(
                f"settings.peer_review.accept.k is {rule.k}, and {teacher.name} has {len(peers)} reviewers",
                "no rationale of theirs could ever be accepted",
                f"set k to {len(peers)} or less, or add reviewers",
            )


def panel_of(team: Team, rationale: Rationale) -> tuple[Reviewer, ...]:
    """Everyone on the panel but the author and whoever wrote in the author's place."""
    return tuple(each for each in team.reviewers_of(rationale.author) if each.name != rationale.stand_in)


async def review_all(
    team: Team, state: State, waiting: Sequence[Rationale], accept: AcceptRule, sampling: Sampling, *, blind: bool
) -> State:
    """Every rationale in `waiting` scored by everyone on the panel but its author, with the verdict."""
    problem = state["problem"]
    # A blank text is rejected unread.
    panels = [panel_of(team, each) if each.text.strip() else () for each in waiting]
    replies = await together(
        reviewer.score(problem, rationale, sampling, blind=blind)
        for rationale, panel in zip(waiting, panels, strict=True)
        for reviewer in panel
    )
    rest = iter(replies)
    reviewed = {}
    for rationale, panel in zip(waiting, panels, strict=True):
        reviews = tuple(review for _ in panel if (review := next(rest).value))
        update = {"reviews": reviews, "accepted": verdict(accept, reviews)}
        reviewed[rationale.id] = rationale.model_copy(update=update)
    if problem.answer is None:
        reviewed = await estimated(team, problem, {**state.get("rationales", {}), **reviewed})
    return {"rationales": reviewed, "calls": calls_of(replies)}


def unreviewed(rationales: Sequence[Rationale], *, only_correct: bool) -> list[Rationale]:
    """Those the panel has not seen; only the right ones where the recipe says so."""
    fresh = [each for each in rationales if not each.reviews and each.accepted is None]
    return [each for each in fresh if each.is_right] if only_correct else fresh
