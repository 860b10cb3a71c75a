"""Teachers explain this student's mistakes and name their kinds.

START -> explain -> classify -> END
            |
            +-------------------> END      nothing was explained, or kinds are not asked for
"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START, StateGraph
from pydantic import Field

from errata.agents.teacher import Teacher
from errata.agents.team import Cast
from errata.config.base import Settings
from errata.errors import UsageError
from errata.graphs.nodes import StoryGraph, calls_of, together
from errata.graphs.pipeline import GraphSettings
from errata.graphs.state import Story, mistakes_of
from errata.llm.spec import Sampling
from errata.records import Problem, Rationale, draw


class MistakeExplanationSettings(Settings):
    explainers: Literal["all", "one"] = "all"
    """All teachers explain (the paper), or one of them, drawn by hash."""
    classify: bool = True
    """A further call names the kinds of the mistake."""
    max_mistakes: int | None = Field(default=None, ge=1)
    """Explain at most this many wrong student rationales a problem."""
    sampling: Sampling = Sampling()


def build_mistake_explanation(cast: Cast, settings: GraphSettings) -> StoryGraph:
    """Explanations of the student's wrong answers. UsageError where the cast has no teacher."""
    rules = settings.mistake_explanation
    teachers = {teacher.name: teacher for teacher in cast.teachers}
    if not teachers:
        raise UsageError("there is no teacher", "Mistakes are explained by teachers.", "Add agents.teachers.")

    def explainers(problem: Problem, mistake: Rationale) -> tuple[Teacher, ...]:
        if rules.explainers == "all":
            return cast.teachers
        drawn = draw(cast.seed, problem.id, "explainer", mistake.id)
        return (cast.teachers[int(drawn * len(cast.teachers))],)

    async def explain(state: Story) -> Story:
        problem = state["problem"]
        asked = [
            (teacher, mistake)
            for mistake in to_explain(state, rules.max_mistakes)
            for teacher in explainers(problem, mistake)
        ]
        said = await together(teacher.explain(problem, mistake, rules.sampling) for teacher, mistake in asked)
        return {"explanations": {each.value.id: each.value for each in said if each.value}, "calls": calls_of(said)}

    async def classify(state: Story) -> Story:
        problem, written = state["problem"], state["rationales"]
        said = await together(
            teachers[each.author].classify(problem, written[each.rationale_id], each, rules.sampling)
            for each in state.get("explanations", {}).values()
        )
        return {"explanations": {each.value.id: each.value for each in said if each.value}, "calls": calls_of(said)}

    async def after_explain(state: Story) -> Literal["classify", "__end__"]:
        return "classify" if rules.classify and state.get("explanations") else "__end__"

    graph = StateGraph(Story)
    graph.add_node("explain", explain)
    graph.add_node("classify", classify)
    graph.add_edge(START, "explain")
    graph.add_conditional_edges("explain", after_explain)
    graph.add_edge("classify", END)
    return graph.compile(name="mistake_explanation")


def to_explain(story: Story, at_most: int | None) -> list[Rationale]:
    """The student's mistakes that have a text to explain, each distinct text once."""
    distinct = {each.text: each for each in reversed(mistakes_of(story)) if each.text.strip()}
    return sorted(distinct.values(), key=lambda each: each.sample)[:at_most]
