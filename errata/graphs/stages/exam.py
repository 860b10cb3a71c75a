"""The student sits an exam; its wrong answers are the mistakes that others explain and mend.

START -> answer -> grade -> END
"""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph
from pydantic import Field

from errata.agents.team import Cast
from errata.config.base import Settings
from errata.errors import UsageError
from errata.graphs.nodes import StoryGraph, grade_all, together, written_by
from errata.graphs.pipeline import GraphSettings
from errata.graphs.state import Story
from errata.llm.spec import Sampling


class ExamSettings(Settings):
    """The student answers `samples` times (methods.md 2a.1: once, T 0.3, top-p 0.9; 1a.4: 16 for a ranker)."""

    samples: int = Field(default=1, ge=1)
    sampling: Sampling = Sampling()


def build_exam(cast: Cast, settings: GraphSettings) -> StoryGraph:
    """The student answers `exam.samples` times. UsageError where the cast has no student."""
    student, exam = cast.student, settings.exam
    if student is None:
        raise UsageError("there is no student", "An exam needs one.", "Add agents.student, or leave the exam out.")

    async def answer(state: Story) -> Story:
        problem = state["problem"]
        return written_by(await together(student.solve(problem, exam.sampling, n) for n in range(exam.samples)))

    async def grade(state: Story) -> Story:
        return await grade_all(cast, state)

    graph = StateGraph(Story)
    graph.add_node("answer", answer)
    graph.add_node("grade", grade)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", "grade")
    graph.add_edge("grade", END)
    return graph.compile(name="exam")
