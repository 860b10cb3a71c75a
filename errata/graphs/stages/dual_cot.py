"""Dual chains of thought: mistaken solutions rectified, right ones corrupted, each as near to its source as it gets.

    START -> mine -> rewrite -> grade -> pair -> review -> END
               |        ^                 |         |
               |        +-----------------+         |      not flipped, out of the band or a copy, tries left
               +----------------------------------> END    nothing to rewrite

`mine` finds the natural pairs; `pair` sets aside what parrots a demonstration; `review` lets the panel judge what was
rectified, where one has sat before or the recipe asks for it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from itertools import takewhile
from typing import Any

from errata.agents.ask import Parsed
from errata.agents.demonstration import Demonstration
from errata.agents.teacher import Teacher
from errata.agents.team import Team
from errata.graphs.call_counts import NONE, CallEstimate, Range, Rates
from errata.graphs.estimated import as_agreed
from errata.graphs.nodes import add_rationales, grade_all, together
from errata.graphs.stage import END, Counts, Pipeline, PipelineSettings, Route, Stage, Steps
from errata.graphs.stages.dual_pairs import (
    DualCotSettings,
    Rewrite,
    copies,
    natural_pairs,
    rewrites_of,
    rewritten_pairs,
)
from errata.graphs.stages.few_shot import check_demonstrations, examples_for
from errata.graphs.stages.peer_review import PEER_REVIEW
from errata.graphs.stages.review_panel import check_panel, review_all, unreviewed
from errata.graphs.state import State, rationales_of
from errata.llm.spec import Agents
from errata.records import Problem, Rationale, draw


def build(team: Team, settings: DualCotSettings, pipeline: Pipeline) -> Steps:
    panel, reviewing = pipeline.of(PEER_REVIEW), _reviews(settings, panel_sat=_panel_sits_before(pipeline))

    async def mine(state: State) -> State:
        return {"pairs": {pair.id: pair for pair in natural_pairs(state, settings)}}

    async def rewrite(state: State) -> State:
        problem, examples = state["problem"], examples_for_state(state, settings)

        def ask(each: Rewrite) -> Coroutine[Any, Any, Parsed[Rationale]]:
            teacher = rewriter(team, each.source)
            if each.verb == "corrupt":
                return teacher.corrupt(problem, each.source, settings.sampling, each.round, examples)
            agreed = as_agreed(problem, list(state["rationales"].values())) or problem
            return teacher.rectify(agreed, each.source, settings.sampling, each.round, examples)

        return add_rationales(await together(ask(each) for each in rewrites_of(state, settings)))

    async def grade(state: State) -> State:
        return await grade_all(team, state)

    async def pair(state: State) -> State:
        dropped = {each.id: each for each in copies(state, examples_for_state(state, settings))}
        rest: State = {**state, "rationales": state.get("rationales", {}) | dropped}
        return {"rationales": dropped, "pairs": {pair.id: pair for pair in rewritten_pairs(rest, settings.band)}}

    async def review(state: State) -> State:
        rectified = rationales_of(state, "rectified") if reviewing else []
        waiting = unreviewed(rectified, only_correct=panel.only_correct)
        return await review_all(team, state, waiting, panel.accept, panel.sampling, blind=panel.blind)

    async def after_mine(state: State) -> str:
        return "rewrite" if rewrites_of(state, settings) else END

    async def after_pair(state: State) -> str:
        return "rewrite" if rewrites_of(state, settings) else "review"

    return Steps(
        {"mine": mine, "rewrite": rewrite, "grade": grade, "pair": pair, "review": review},
        {
            "mine": Route(after_mine, ("rewrite", END)),
            "rewrite": "grade",
            "grade": "pair",
            "pair": Route(after_pair, ("rewrite", "review")),
            "review": END,
        },
    )


def examples_for_state(state: State, settings: DualCotSettings) -> list[Demonstration]:
    """What the rewrites of the state's problem are shown."""
    return examples_for(state["problem"], state.get("demonstrations", ()), settings)


def _panel_sits_before(pipeline: Pipeline) -> bool:
    before = takewhile(lambda stage: stage.build is not build, pipeline.stages)
    return any(stage.name == PEER_REVIEW.name for stage in before)


def _reviews(settings: DualCotSettings, *, panel_sat: bool) -> bool:
    """Whether the panel judges what was rectified: its author saw the gold answer."""
    return panel_sat if settings.review is None else settings.review


def rewriter(team: Team, source: Rationale) -> Teacher:
    """Its author, where a teacher wrote it; the student's are rewritten by a teacher drawn by hash."""
    for teacher in team.teachers:
        if teacher.name == source.author:
            return teacher
    return team.teachers[int(draw(team.seed, source.problem_id, "rewriter", source.id) * len(team.teachers))]


def expected(counts: Counts, settings: DualCotSettings, rates: Rates) -> Iterator[CallEstimate]:
    teachers = counts.agents.teachers
    number = max(1, len(teachers))
    mistakes = counts.mistakes if settings.student else NONE
    wrong = (counts.wrong.times(number) + mistakes).capped(settings.max_per_problem)
    right = counts.right.times(number).capped(settings.max_per_problem)
    rewrites = {
        "rectify": _with_tries(wrong, rates.rectified, settings.tries) if settings.rectify else NONE,
        "corrupt": _with_tries(right, rates.corrupted, settings.tries) if settings.corrupt else NONE,
    }
    counts.rectified = rewrites["rectify"].times(0, rates.rectified, 1)
    panel = counts.settings.of(PEER_REVIEW)

    def examples(problem: Problem) -> dict[str, Any]:
        return {"demonstrations": tuple(examples_for(problem, (), settings))}

    def answer(problem: Problem) -> dict[str, str]:
        return {"answer": ""} if panel.blind else {}

    for teacher in teachers:
        for verb, calls in rewrites.items():
            if calls != NONE:
                per_teacher = calls.times(1, 1 / number, 1)
                avoid = f"set settings.dual_cot.{verb}=false, or leave dual_cot out of the stages"
                yield CallEstimate(f"teacher/{verb}", teacher, per_teacher, True, inputs=examples, avoid=avoid)
        if _reviews(settings, panel_sat=counts.panel_sat):
            share = 1 if not panel.only_correct else rates.rectified
            rectified = rewrites["rectify"].times(0, share / number, 1 / number)
            yield from counts.reviews(teacher, rectified, inputs=answer)


def _with_tries(sources: Range, success: float, tries: int) -> Range:
    return sources.times(1, sum((1 - success) ** attempt for attempt in range(tries)), tries)


def missing(state: State) -> str | None:
    return None if any(pair.in_band for pair in state.get("pairs", {}).values()) else "no_pair"


def check(agents: Agents, settings: DualCotSettings, pipeline: PipelineSettings) -> None:
    check_demonstrations(settings)
    if settings.review:
        check_panel(agents, pipeline.of(PEER_REVIEW).accept)


DUAL_COT = Stage(
    name="dual_cot",
    settings=DualCotSettings,
    build=build,
    expected=expected,
    needs=("rationales",),
    agents=("teachers",),
    roles={"rectified": "target", "corrupted": "contrast"},
    missing=missing,
    check=check,
)
