"""Each rationale is scored by the other teachers; a rejected one may be revised by its author and scored again.

START -> review -> END          nothing to revise, or out of rounds
         ^    |
         |    +--> revise
         |           |
         +-- grade <-+

With `votes: adaptive` the whole panel reviews the problems of a warm-up; of the others each review, or further sample
of a teacher, is asked for only where it is worth its price (graphs/vote_policy.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import Field

from errata.agents.team import Team
from errata.config.base import Settings
from errata.errors import UsageError
from errata.graphs.call_counts import NONE, CallEstimate, Range, Rates
from errata.graphs.nodes import add_rationales, grade_all, together
from errata.graphs.stage import END, Counts, Pipeline, PipelineSettings, Route, Stage, Steps
from errata.graphs.stages.adaptive_votes import vote_on_all, vote_where_undecided
from errata.graphs.stages.more_samples import MoreSamples
from errata.graphs.stages.rationales import RATIONALES, RationalesSettings
from errata.graphs.stages.review_panel import AcceptRule, check_panel, review_all, unreviewed
from errata.graphs.state import State, none_right, rationales_of
from errata.llm.spec import Agents, AgentSpec, Sampling
from errata.records import Problem, Rationale


class PeerReviewSettings(Settings):
    """How the panel scores and what it accepts (methods.md 2a)."""

    blind: bool = False
    """Reviewers do not see the gold answer. The paper shows it, which makes much of the filter answer matching."""
    accept: AcceptRule = AcceptRule()
    only_correct: bool = False
    """Review only what the answer grader finds right (saves calls); the paper reviews everything."""
    votes: Literal["all", "adaptive"] = "all"
    """all: everyone on the panel but the author. adaptive, of problems without gold answers: one review after another,
    each where it tells most of what is undecided; accepted is what is then estimated right."""
    reviews_per_rationale: float = Field(default=0.3, gt=0)
    """Of adaptive votes: so many at most on the problems of the warm-up, by which the price of a review is set."""
    more_samples: int = Field(default=0, ge=0, le=16)
    """Of adaptive votes: so many further samples per teacher at most, each where it tells most for its price."""
    sample_price: float = Field(default=1.0, gt=0)
    """Of a further sample, in reviews."""
    warmup: int = Field(default=30, ge=2)
    """Of adaptive votes: the first problems, in input order, on which every vote is asked for."""
    revise_rounds: int = Field(default=0, ge=0, le=5)
    """How often a rejected rationale may be revised by its author from the critiques and reviewed again."""
    sampling: Sampling = Sampling()


def build(team: Team, settings: PeerReviewSettings, pipeline: Pipeline) -> Steps:
    authors = {teacher.name: teacher for teacher in team.teachers}
    more = MoreSamples(settings.more_samples, settings.sample_price, pipeline.of(RATIONALES))

    async def review(state: State) -> State:
        waiting = unreviewed(rationales_of(state, *pipeline.targets), only_correct=settings.only_correct)
        if settings.votes == "adaptive" and (policy := state.get("policy")) is not None:
            return await vote_where_undecided(team, state, waiting, policy, settings.sampling, more)
        if settings.votes == "adaptive":
            return await vote_on_all(team, state, waiting, settings.sampling, more, blind=settings.blind)
        return await review_all(team, state, waiting, settings.accept, settings.sampling, blind=settings.blind)

    def rejected(state: State) -> list[Rationale]:
        return revisable(state, settings.revise_rounds, authors)

    async def revise(state: State) -> State:
        problem = state["problem"]
        return add_rationales(
            await together(authors[each.author].revise(problem, each, settings.sampling) for each in rejected(state))
        )

    async def grade(state: State) -> State:
        return await grade_all(team, state)

    async def after_review(state: State) -> str:
        return "revise" if rejected(state) else END

    return Steps(
        {"review": review, "revise": revise, "grade": grade},
        {"review": Route(after_review, ("revise", END)), "revise": "grade", "grade": "review"},
    )


def revisable(state: State, rounds: int, authors: Collection[str]) -> list[Rationale]:
    """The rejected rationales of these authors that have reviews to learn from, rounds left, and no revision yet."""
    tried = {call.about for call in state.get("calls", {}).values() if call.verb == "revise"}
    return [
        each
        for each in rationales_of(state, "teacher", "revised")
        if each.accepted is False
        and each.reviews
        and each.author in authors
        and each.id not in tried
        and _revisions(state, each) < rounds
    ]


def _revisions(state: State, rationale: Rationale) -> int:
    count = 0
    while rationale.role == "revised" and rationale.parent_id is not None:
        rationale, count = state["rationales"][rationale.parent_id], count + 1
    return count


def expected(counts: Counts, settings: PeerReviewSettings, rates: Rates) -> Iterator[CallEstimate]:
    counts.panel_sat = True
    written_by_each = counts.settings.of(RATIONALES)
    filtered = written_by_each.max_chars is not None or written_by_each.diversity is not None
    written = counts.attending.times(written_by_each.samples)
    sure = 0.0 if settings.only_correct or filtered else 1.0
    share = rates.teacher_right * rates.kept + (0 if settings.only_correct else 1 - rates.teacher_right)
    reviewed = written.times(sure, share, 1)
    accepted = rates.right_accepted if settings.only_correct else rates.accepted
    revisions, waiting = NONE, reviewed.times(0, 1 - accepted, 1)
    counts.right = counts.right.times(1, rates.right_accepted, 1)
    for _ in range(settings.revise_rounds):
        revisions += waiting
        again = waiting.times(0 if settings.only_correct else 1, rates.revised_right if settings.only_correct else 1, 1)
        reviewed += again
        counts.right += waiting.times(0, min(rates.revised_right, rates.revised_accepted), 1)
        waiting = again.times(0, 1 - rates.revised_accepted, 1)

    def inputs(problem: Problem) -> dict[str, str]:
        return {"answer": ""} if settings.blind else {}

    def reviews(author: AgentSpec, number: Range) -> Iterator[CallEstimate]:
        adaptive = settings.votes == "adaptive"
        reviewers = _where_undecided(counts, settings, rates, author, number) if adaptive else number
        return counts.reviews(author, reviewers, inputs=inputs, by_policy=adaptive)

    further = _further_samples(counts, settings, rates, written)
    counts.right += further.times(0, rates.teacher_right * rates.kept, 1)
    counts.wrong += further.times(0, 1 - rates.teacher_right, 1)
    for teacher in counts.agents.teachers:
        yield from reviews(teacher, reviewed)
        if settings.more_samples:
            avoid = "set settings.peer_review.more_samples=0"
            yield CallEstimate(
                "teacher/solve", teacher, further, inputs=written_by_each.examples, avoid=avoid, by_policy=True
            )
        if settings.revise_rounds:
            avoid = "set settings.peer_review.revise_rounds=0"
            yield CallEstimate("teacher/revise", teacher, revisions, avoid=avoid)

    for author, number in counts.others:
        yield from reviews(author, number.times(0 if settings.only_correct else 1, 1, 1))


def _where_undecided(
    counts: Counts, settings: PeerReviewSettings, rates: Rates, author: AgentSpec, number: Range
) -> Range:
    """Reviews by each member of the panel: in the warm-up of all, else of as many as the recipe wants, of half as many
    beside further samples; of all at most."""
    panel = sum(reviewer.name != author.name for reviewer in counts.agents.panel)
    wanted = settings.reviews_per_rationale * (0.5 if settings.more_samples else 1.0)
    share = min(1.0, wanted / max(1, panel))
    return number.times(rates.in_warmup, rates.in_warmup + (1 - rates.in_warmup) * share, 1)


def _further_samples(counts: Counts, settings: PeerReviewSettings, rates: Rates, written: Range) -> Range:
    """Further samples per teacher: all in the warm-up, else for half of what the recipe wants to spend."""
    affordable = settings.reviews_per_rationale / 2 * written.expected / settings.sample_price
    share = min(1.0, affordable / max(1, settings.more_samples))
    every = counts.attending.times(settings.more_samples)
    return every.times(rates.in_warmup, rates.in_warmup + (1 - rates.in_warmup) * share, 1)


def missing(state: State) -> str | None:
    judged = [each for each in state.get("rationales", {}).values() if each.dropped is None and each.role != "student"]
    if any(each.accepted for each in judged):
        return None
    return "no_accepted_rationale" if any(each.reviews for each in judged) else none_right(state)


def check(agents: Agents, settings: PeerReviewSettings, pipeline: PipelineSettings) -> None:
    check_panel(agents, settings.accept)
    if settings.votes == "adaptive" and settings.accept != AcceptRule():
        raise UsageError(
            "settings.peer_review.accept beside votes: adaptive",
            "a few scores make no panel: accepted is what all evidence together holds right",
            "leave accept out, or set settings.peer_review.votes=all",
        )
    if settings.more_samples:
        _check_more_samples(settings, pipeline.of(RATIONALES))


def _check_more_samples(settings: PeerReviewSettings, usual: RationalesSettings) -> None:
    """Raises UsageError where no further sample could tell anything."""
    if settings.votes != "adaptive":
        raise UsageError(
            "settings.peer_review.more_samples beside votes: all",
            "further samples are votes, asked for where it is open which answer is right",
            "set settings.peer_review.votes=adaptive, or settings.rationales.samples for more of all",
        )
    if usual.sampling.temperature == 0:
        raise UsageError(
            "settings.peer_review.more_samples, and settings.rationales.sampling.temperature is 0",
            "a further sample would repeat the first",
            "set a temperature above 0, or leave more_samples out",
        )


PEER_REVIEW = Stage(
    name="peer_review",
    settings=PeerReviewSettings,
    build=build,
    expected=expected,
    needs=("rationales",),
    agents=("teachers", "panel"),
    roles={"revised": "target"},
    missing=missing,
    replaces=("rationales",),
    check=check,
)
