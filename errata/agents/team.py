"""The cast: every agent of a recipe, ready to speak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from errata.agents.ask import Voice
from errata.agents.prompts import load_prompts
from errata.agents.reviewer import Reviewer
from errata.agents.student import Student
from errata.agents.teacher import Teacher
from errata.grading.grader import Grade
from errata.llm.request import Ask
from errata.llm.spec import Agents
from errata.records import Problem


class Grades(Protocol):
    """Who says whether a text answers a problem rightly: errata.grading.grader.Grader, or one's own."""

    async def grade(self, problem: Problem, text: str) -> Grade: ...


@dataclass(frozen=True, slots=True)
class Cast:
    """`seed` is the run's: random choices in graphs hash it."""

    teachers: tuple[Teacher, ...]
    panel: tuple[Reviewer, ...]
    student: Student | None
    grader: Grades
    seed: int = 17

    def reviewers_of(self, author: str) -> tuple[Reviewer, ...]:
        """The panel without the author: nobody scores what is their own."""
        return tuple(reviewer for reviewer in self.panel if reviewer.name != author)


def assemble(agents: Agents, ask: Ask, grader: Grades, prompts: str | None = None, *, seed: int = 17) -> Cast:
    """The agents of a recipe over one gateway; `prompts` is a folder of overrides. UsageError on a bad prompt."""
    loaded = load_prompts(prompts)
    return Cast(
        teachers=tuple(Teacher(Voice(spec, ask, loaded)) for spec in agents.teachers),
        panel=tuple(Reviewer(Voice(spec, ask, loaded)) for spec in agents.panel),
        student=Student(Voice(agents.student, ask, loaded, tries=1)) if agents.student else None,
        grader=grader,
        seed=seed,
    )
