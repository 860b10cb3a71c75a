"""The panel: who reviews what, and the verdict its scores come to."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from pydantic import Field

from errata.agents.reviewer import Reviewer
from errata.agents.team import Cast
from errata.config.base import Settings
from errata.errors import UsageError
from errata.graphs.nodes import calls_of, together
from errata.graphs.state import Story
from errata.llm.spec import Sampling
from errata.records import Rationale, Review


class AcceptRule(Settings):
    """The panel's verdict from its valid scores.

    mean: their mean > `threshold` (the paper's rule with 3). min: the lowest > threshold. k_of_n: at least `k` scores
    > threshold. veto: mean > threshold and no score <= `veto_at`. No valid score: rejected.
    """

    rule: Literal["mean", "min", "k_of_n", "veto"] = "mean"
    threshold: float = 3.0
    k: int = Field(default=1, ge=1)
    veto_at: int = 1


class PeerReviewSettings(Settings):
    blind: bool = False
    """Reviewers do not see the gold answer. The paper shows it, which makes much of the filter answer matching."""
    accept: AcceptRule = AcceptRule()
    only_correct: bool = False
    """Review only what the answer grader finds right (saves calls); the paper reviews everything."""
    revise_rounds: int = Field(default=0, ge=0, le=5)
    """How often a rejected rationale may be revised by its author from the critiques and reviewed again."""
    sampling: Sampling = Sampling()


def verdict(rule: AcceptRule, reviews: Sequence[Review]) -> bool | None:
    """Accepted or not, by the valid scores; without any it is not. None while a review is lost to the provider."""
    if any(review.lost for review in reviews):
        return None
    scores = [review.score for review in reviews if review.valid and review.score is not None]
    if not scores:
        return False
    match rule.rule:
        case "mean":
            return fmean(scores) > rule.threshold
        case "min":
            return min(scores) > rule.threshold
        case "k_of_n":
            return sum(score > rule.threshold for score in scores) >= rule.k
        case "veto":
            return fmean(scores) > rule.threshold and min(scores) > rule.veto_at


def require_panel(cast: Cast, rule: AcceptRule) -> None:
    """UsageError where some teacher's work would have nobody to review it, or too few to be accepted."""
    for teacher in cast.teachers:
        panel = cast.reviewers_of(teacher.name)
        if not panel:
            raise UsageError(
                f"nobody can review {teacher.name}",
                "A rationale is reviewed by the others on the panel, never by its author.",
                "Add a second teacher, or agents.reviewers.",
            )
        if rule.rule == "k_of_n" and len(panel) < rule.k:
            raise UsageError(
                f"accept: {rule.k} of n, and {teacher.name} has {len(panel)} reviewers",
                "Nothing of this author could be accepted.",
                "Lower k, or add reviewers.",
            )


def _panel_of(cast: Cast, rationale: Rationale) -> tuple[Reviewer, ...]:
    """Everyone on the panel but the author and whoever wrote in the author's place."""
    return tuple(each for each in cast.reviewers_of(rationale.author) if each.name != rationale.stand_in)


async def sit(
    cast: Cast, story: Story, settings: PeerReviewSettings, waiting: Sequence[Rationale], stage: str = "peer_review"
) -> Story:
    """Every rationale in `waiting` scored by everyone on the panel but its author, with the verdict."""
    problem = story["problem"]
    # A blank text is rejected unread.
    panels = [_panel_of(cast, each) if each.text.strip() else () for each in waiting]
    said = await together(
        reviewer.score(problem, rationale, settings.sampling, blind=settings.blind, stage=stage)
        for rationale, panel in zip(waiting, panels, strict=True)
        for reviewer in panel
    )
    rest = iter(said)
    reviewed = {}
    for rationale, panel in zip(waiting, panels, strict=True):
        reviews = tuple(review for _ in panel if (review := next(rest).value))
        seen = {"reviews": reviews, "accepted": verdict(settings.accept, reviews)}
        reviewed[rationale.id] = rationale.model_copy(update=seen)
    return {"rationales": reviewed, "calls": calls_of(said)}


def unreviewed(rationales: Sequence[Rationale], settings: PeerReviewSettings) -> list[Rationale]:
    """Those the panel has not seen; only the right ones where the recipe says so."""
    fresh = [each for each in rationales if not each.reviews and each.accepted is None]
    return [each for each in fresh if each.correct] if settings.only_correct else fresh
