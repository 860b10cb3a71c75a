"""Every teacher answers several times; graded, the right and the wrong ones are data alike.

START -> solve -> grade -> filter -> END

`filter` sets aside what copies a demonstration, is too long, or is too much like another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from errata.agents.demonstration import Demonstration, others_than
from errata.agents.team import Team
from errata.config.base import Settings
from errata.graphs.call_counts import CallEstimate, Rates
from errata.graphs.nodes import add_rationales, grade_all, together
from errata.graphs.stage import Counts, Pipeline, Stage, Steps, chain
from errata.graphs.stages.diversity_filter import DiversityFilter, set_aside
from errata.graphs.stages.parroting import copied
from errata.graphs.state import State, none_right, rationales_of
from errata.llm.spec import Sampling
from errata.records import Problem, Rationale


class RationalesSettings(Settings):
    """Every teacher answers `samples` times, without seeing the gold answer."""

    samples: int = Field(default=1, ge=1)
    sampling: Sampling = Sampling()
    demonstrations: tuple[Demonstration, ...] = ()
    """Shown to the teachers, but for one that asks the very question at hand. Copies of them are set aside."""
    max_chars: int | None = Field(default=None, gt=0)
    """Set aside where question and rationale together are longer (NAT: 1600, NCE: 1200)."""
    diversity: DiversityFilter | None = None
    """Applied to the right rationales of a problem; None keeps all."""

    def examples(self, problem: Problem) -> dict[str, Any]:
        """What the prompt shows beside the problem."""
        return {"demonstrations": others_than(problem, self.demonstrations)}


def build(team: Team, settings: RationalesSettings, pipeline: Pipeline) -> Steps:
    async def solve(state: State) -> State:
        # Sample by sample, so that the filter, which keeps the first of like ones, favours no teacher.
        turns = [(teacher, sample) for sample in range(settings.samples) for teacher in team.teachers]
        problem, examples = state["problem"], others_than(state["problem"], settings.demonstrations)
        return add_rationales(
            await together(teacher.solve(problem, settings.sampling, n, examples) for teacher, n in turns)
        )

    async def grade(state: State) -> State:
        return await grade_all(team, state)

    async def filter_(state: State) -> State:
        dropped = unkept(state["problem"], rationales_of(state, "teacher"), settings)
        return {"rationales": {each.id: each for each in dropped}}

    return chain(solve=solve, grade=grade, filter=filter_)


def unkept(problem: Problem, written: Sequence[Rationale], settings: RationalesSettings) -> list[Rationale]:
    """Those that the filter sets aside, with the reason: copies of a demonstration, too long ones, near-duplicates."""
    examples = others_than(problem, settings.demonstrations)
    copies = [each.model_copy(update={"dropped": why}) for each in written if (why := copied(problem, each, examples))]
    own = [each for each in written if each.id not in {copy.id for copy in copies}]
    return copies + set_aside(problem, own, settings.max_chars, settings.diversity)


def expected(counts: Counts, settings: RationalesSettings, rates: Rates) -> Iterator[CallEstimate]:
    written = counts.attending.times(settings.samples)
    counts.right = written.times(0, rates.teacher_right * rates.kept, 1)
    counts.wrong = written.times(0, 1 - rates.teacher_right, 1)

    for teacher in counts.agents.teachers:
        yield CallEstimate("teacher/solve", teacher, written, inputs=settings.examples)


def missing(state: State) -> str | None:
    right = any(each.is_right for each in rationales_of(state, "teacher", "revised"))
    return None if right else none_right(state)


RATIONALES = Stage(
    name="rationales",
    settings=RationalesSettings,
    build=build,
    expected=expected,
    agents=("teachers",),
    roles={"teacher": "target"},
    missing=missing,
)
