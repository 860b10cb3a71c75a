"""The panel where votes are asked for one after another, each only where it is worth its price.

A vote is a review, or one more sample of a teacher (more_samples.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from errata.agents.ask import Parsed
from errata.agents.team import Team
from errata.grading.equivalence import grouped
from errata.graphs.nodes import calls_of, comparison, estimated
from errata.graphs.stages.more_samples import MoreSamples, all_samples, filtered, is_further, one_sample, still_to_ask
from errata.graphs.stages.review_panel import AcceptRule, panel_of, review_all
from errata.graphs.state import State
from errata.graphs.vote_policy import VotePolicy, best
from errata.graphs.vote_worth import Ask, Case, Sample
from errata.llm.spec import Sampling
from errata.records import Rationale, Review


async def vote_where_undecided(
    team: Team, state: State, waiting: Sequence[Rationale], policy: VotePolicy, sampling: Sampling, more: MoreSamples
) -> State:
    """Those in `waiting` with the votes that the policy asks for, and accepted where their answer is held right.

    Of a problem with a gold answer none is asked for. A vote that the provider lost ends the asking; a lost review
    leaves the verdict on its rationale open.
    """
    case, replies = await case_of(team, state, waiting), list[Parsed[Any]]()
    open_ = state["problem"].answer is None
    reviews = [
        Ask(place, reviewer.name)
        for place, each in enumerate(case.rationales)
        if each.id in case.judged and case.answers[place] is not None and open_
        for reviewer in panel_of(team, each)
    ]
    samples = still_to_ask(team, case.rationales, more) if open_ else {}
    while choice := best(case, [*reviews, *map(Sample, samples)], policy.reviewers, more.price):
        if choice.worth < policy.price:
            break
        if isinstance(choice.vote, Ask):
            reviews.remove(choice.vote)
            replies.append(await _review(team, case, choice.vote, sampling))
            case = case if (review := replies[-1].value) is None else case.with_review(choice.vote.place, review)
        else:
            replies.append(await _next_sample(team, case, choice.vote, samples, more))
            case = case if (sample := replies[-1].value) is None else await _with_sample(team, case, sample)
        if replies[-1].failure is not None:
            break
    rationales = {each.id: each for each in case.rationales}
    return {"rationales": await _judged(team, state, case.judged, rationales, more), "calls": calls_of(replies)}


async def vote_on_all(
    team: Team, state: State, waiting: Sequence[Rationale], sampling: Sampling, more: MoreSamples, *, blind: bool
) -> State:
    """As `vote_where_undecided` with every vote that could be asked for: the whole panel, and all further samples."""
    sampled = await all_samples(team, state, more) if state["problem"].answer is None else State()
    written = {**state.get("rationales", {}), **sampled.get("rationales", {})}
    drafts = State(problem=state["problem"], rationales=written)
    reviewed = await review_all(team, drafts, waiting, AcceptRule(), sampling, blind=blind)
    ids = frozenset(each.id for each in waiting)
    judged = await _judged(team, state, ids, written | reviewed["rationales"], more)
    return {"rationales": judged, "calls": {**sampled.get("calls", {}), **reviewed["calls"]}}


async def _review(team: Team, case: Case, ask: Ask, sampling: Sampling) -> Parsed[Review]:
    reviewer = next(each for each in team.panel if each.name == ask.reviewer)
    return await reviewer.score(case.problem, case.rationales[ask.place], sampling, blind=True)


async def _next_sample(
    team: Team, case: Case, sample: Sample, waiting: dict[str, list[int]], more: MoreSamples
) -> Parsed[Rationale]:
    """The teacher's next further sample, which is then no longer waiting."""
    numbers = waiting[sample.teacher]
    number = numbers.pop(0)
    if not numbers:
        del waiting[sample.teacher]
    return await one_sample(team, case.problem, sample.teacher, number, more)


async def _with_sample(team: Team, case: Case, sample: Rationale) -> Case:
    written = [each.answer for each in (*case.rationales, sample)]
    *answers, own = await grouped(written, comparison(team, case.problem))
    return case._replace(answers=tuple(answers)).with_sample(sample, own)


async def _judged(
    team: Team, state: State, ids: frozenset[str], rationales: dict[str, Rationale], more: MoreSamples
) -> dict[str, Rationale]:
    """All rationales with their estimates; those of these ids, and new further samples, accepted where held right."""
    if state["problem"].answer is None:
        rationales = filtered(state["problem"], await estimated(team, state["problem"], rationales), more.usual)
    further = (each for each in rationales.values() if is_further(each, more.usual) and each.dropped is None)
    fresh = {each.id for each in further if each.accepted is None}
    judged = {name: accepted_where_right(rationales[name]) for name in ids | fresh}
    return rationales | judged


async def case_of(team: Team, state: State, waiting: Sequence[Rationale]) -> Case:
    """The problem as a policy sees it. Raises UsageError where the team's grader cannot compare two answers."""
    written = tuple(state.get("rationales", {}).values())
    answers = await grouped([each.answer for each in written], comparison(team, state["problem"]))
    return Case(state["problem"], written, tuple(answers), frozenset(each.id for each in waiting))


def accepted_where_right(each: Rationale) -> Rationale:
    """The rationale, accepted where it is right by gold or estimate; open while a review of it is lost."""
    verdict = None if any(review.lost for review in each.reviews) else each.is_right is True
    return each.model_copy(update={"accepted": verdict})
