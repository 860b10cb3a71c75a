"""The student sits an exam; its wrong answers are the mistakes that others explain and mend.

START -> answer -> grade -> END
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from errata.agents.team import Team
from errata.config.base import Settings
from errata.graphs.call_counts import CallEstimate, Range, Rates
from errata.graphs.nodes import add_rationales, grade_all, together
from errata.graphs.stage import Counts, Pipeline, Stage, Steps, chain
from errata.graphs.state import State
from errata.llm.spec import Sampling


class ExamSettings(Settings):
    """The student answers `samples` times (methods.md 2a.1: once, T 0.3, top-p 0.9; 1a.4: 16 for a ranker)."""

    samples: int = Field(default=1, ge=1)
    sampling: Sampling = Sampling()


def build(team: Team, settings: ExamSettings, pipeline: Pipeline) -> Steps:
    student = team.student
    assert student is not None

    async def answer(state: State) -> State:
        answers = (student.solve(state["problem"], settings.sampling, n) for n in range(settings.samples))
        return add_rationales(await together(answers))

    async def grade(state: State) -> State:
        return await grade_all(team, state)

    return chain(answer=answer, grade=grade)


def expected(counts: Counts, settings: ExamSettings, rates: Rates) -> Iterator[CallEstimate]:
    student, samples = counts.agents.student, settings.samples
    if student is None:
        return
    counts.mistakes = Range(0, samples * (1 - rates.student_right), samples)
    if counts.settings.only_mistakes:
        counts.attending = Range(0, 1 - rates.student_right**samples, 1)
    yield CallEstimate("student/solve", student, Range(samples, samples, samples))


EXAM = Stage(
    name="exam",
    settings=ExamSettings,
    build=build,
    expected=expected,
    agents=("student",),
    roles={"student": "attempt"},
)
