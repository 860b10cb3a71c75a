"""Teachers explain this student's mistakes and name their kinds.

START -> explain -> classify -> END
            |
            +-------------------> END      nothing was explained, or kinds are not asked for
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from errata.agents.prompt_inputs import shown_answer
from errata.agents.teacher import Teacher
from errata.agents.team import Team
from errata.config.base import Settings
from errata.graphs.call_counts import CallEstimate, Rates
from errata.graphs.estimated import agreed_solution, as_agreed
from errata.graphs.nodes import add_explanations, together
from errata.graphs.stage import END, Counts, Pipeline, Route, Stage, Steps
from errata.graphs.state import State, mistakes_of, none_right, student_right
from errata.llm.spec import Sampling
from errata.records import Problem, Rationale, draw


class MistakeExplanationSettings(Settings):
    """Who explains which mistakes (methods.md 2a)."""

    explainers: Literal["all", "one"] = "all"
    """All teachers explain (the paper), or one of them, drawn by hash."""
    classify: bool = True
    """A further call names the kinds of the mistake."""
    max_mistakes: int | None = Field(default=None, ge=1)
    """Explain at most this many wrong student rationales per problem."""
    sampling: Sampling = Sampling()


def build(team: Team, settings: MistakeExplanationSettings, pipeline: Pipeline) -> Steps:
    teachers = {teacher.name: teacher for teacher in team.teachers}

    def explainers(problem: Problem, mistake: Rationale) -> tuple[Teacher, ...]:
        if settings.explainers == "all":
            return team.teachers
        place = int(draw(team.seed, problem.id, "explainer", mistake.id) * len(team.teachers))
        return (team.teachers[place],)

    async def explain(state: State) -> State:
        problem = with_solution(state)
        turns = [
            (teacher, mistake)
            for mistake in to_explain(state, settings.max_mistakes)
            for teacher in explainers(problem, mistake)
        ]
        replies = await together(teacher.explain(problem, mistake, settings.sampling) for teacher, mistake in turns)
        return add_explanations(replies)

    async def classify(state: State) -> State:
        problem, rationales = with_solution(state), state["rationales"]
        replies = await together(
            teachers[each.author].classify(problem, rationales[each.rationale_id], each, settings.sampling)
            for each in state.get("explanations", {}).values()
        )
        return add_explanations(replies)

    async def after_explain(state: State) -> str:
        return "classify" if settings.classify and state.get("explanations") else END

    return Steps(
        {"explain": explain, "classify": classify},
        {"explain": Route(after_explain, ("classify", END)), "classify": END},
    )


def with_solution(state: State) -> Problem:
    """The problem as its explainers are shown it: without a gold answer, with the agreed one and a solution for it."""
    problem, rationales = state["problem"], list(state.get("rationales", {}).values())
    agreed, solution = as_agreed(problem, rationales), agreed_solution(rationales)
    if problem.answer is not None or agreed is None:
        return problem
    return problem.model_copy(update={"answer": f"{shown_answer(agreed)}\n\nOne solution ends in it:\n{solution}"})


def to_explain(state: State, at_most: int | None) -> list[Rationale]:
    """The student's mistakes that have a text to explain, each distinct text once; none while no answer is known."""
    if with_solution(state).answer is None:
        return []
    distinct = {each.text: each for each in reversed(mistakes_of(state)) if each.text.strip()}
    return sorted(distinct.values(), key=lambda each: each.sample)[:at_most]


def expected(counts: Counts, settings: MistakeExplanationSettings, rates: Rates) -> Iterator[CallEstimate]:
    teachers = counts.agents.teachers
    explained = counts.mistakes.capped(settings.max_mistakes)
    drawn = settings.explainers == "one"
    per_teacher = explained.times(1, 1 / max(1, len(teachers)), 1) if drawn else explained
    for teacher in teachers:
        yield CallEstimate("teacher/explain", teacher, per_teacher, drawn, tokens=150)
        if settings.classify:
            avoid = "set settings.mistake_explanation.classify=false"
            yield CallEstimate("teacher/classify", teacher, per_teacher, drawn, tokens=60, avoid=avoid)


def missing(state: State) -> str | None:
    if state.get("explanations"):
        return None
    if with_solution(state).answer is None:
        return none_right(state)
    return "no_explanation" if mistakes_of(state) else student_right(state)


MISTAKE_EXPLANATION = Stage(
    name="mistake_explanation",
    settings=MistakeExplanationSettings,
    build=build,
    expected=expected,
    needs=("exam",),
    agents=("teachers",),
    missing=missing,
)
