"""The panel where reviews are asked for one after another, each only where it is worth its price."""

from __future__ import annotations

from collections.abc import Sequence

from errata.agents.ask import Parsed
from errata.agents.team import Team
from errata.grading.equivalence import grouped
from errata.graphs.nodes import calls_of, comparison, estimated
from errata.graphs.stages.review_panel import panel_of
from errata.graphs.state import State
from errata.graphs.vote_policy import Ask, Case, VotePolicy, best
from errata.llm.spec import Sampling
from errata.records import Rationale, Review


async def review_where_undecided(
    team: Team, state: State, waiting: Sequence[Rationale], policy: VotePolicy, sampling: Sampling
) -> State:
    """Those in `waiting` with the reviews that the policy asks for, and accepted where their answer is held right.

    Of a problem with a gold answer none is asked for. A review that the provider lost ends the asking, and leaves the
    verdict on its rationale open.
    """
    case, replies = await case_of(team, state, waiting), list[Parsed[Review]]()
    asks = [
        Ask(place, reviewer.name)
        for place, each in enumerate(case.rationales)
        if each.id in case.judged and case.answers[place] is not None and state["problem"].answer is None
        for reviewer in panel_of(team, each)
    ]
    while (choice := best(case, asks, policy.reviewers)) and choice.worth >= policy.price:
        asks.remove(choice.ask)
        reviewer = next(each for each in team.panel if each.name == choice.ask.reviewer)
        reply = await reviewer.score(state["problem"], case.rationales[choice.ask.place], sampling, blind=True)
        replies.append(reply)
        if reply.value is not None:
            case = case.with_review(choice.ask.place, reply.value)
        if reply.failure is not None:
            break
    rationales = {each.id: each for each in case.rationales}
    if state["problem"].answer is None:
        rationales = await estimated(team, state["problem"], rationales)
    judged = {name: accepted_where_right(each) for name, each in rationales.items() if name in case.judged}
    return {"rationales": rationales | judged, "calls": calls_of(replies)}


async def case_of(team: Team, state: State, waiting: Sequence[Rationale]) -> Case:
    """The problem as a policy sees it. Raises UsageError where the team's grader cannot compare two answers."""
    written = tuple(state.get("rationales", {}).values())
    answers = await grouped([each.answer for each in written], comparison(team, state["problem"]))
    return Case(state["problem"], written, tuple(answers), frozenset(each.id for each in waiting))


def accepted_where_right(each: Rationale) -> Rationale:
    """The rationale, accepted where it is right by gold or estimate; open while a review of it is lost."""
    verdict = None if any(review.lost for review in each.reviews) else each.is_right is True
    return each.model_copy(update={"accepted": verdict})
