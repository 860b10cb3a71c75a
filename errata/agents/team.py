"""The team: every agent of a recipe, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from errata.agents.ask import PromptedModel
from errata.agents.prompts import Prompts, load_prompts
from errata.agents.reviewer import Reviewer
from errata.agents.student import Student
from errata.agents.teacher import Teacher
from errata.errors import UsageError
from errata.grading.grader import Grades
from errata.llm.request import Ask
from errata.llm.spec import Agents


@dataclass(frozen=True, slots=True)
class Team:
    """The agents of a run with their grader. `seed` is the run's: random choices in stages hash it."""

    teachers: tuple[Teacher, ...]
    panel: tuple[Reviewer, ...]
    student: Student | None
    grader: Grades
    others: Mapping[str, tuple[PromptedModel, ...]] = field(default_factory=dict)
    """Models of one's own stages, by their key in `agents.others`."""
    seed: int = 17

    def reviewers_of(self, author: str) -> tuple[Reviewer, ...]:
        """The panel without the author: nobody scores what is their own."""
        return tuple(reviewer for reviewer in self.panel if reviewer.name != author)

    def other(self, key: str) -> PromptedModel:
        """The one model under this key of `agents.others`. Raises UsageError where there is none or several."""
        models = self.others.get(key, ())
        if len(models) != 1:
            raise UsageError(
                f"agents.others.{key} names {len(models)} models",
                "a stage asks for exactly one",
                f"write agents: {{others: {{{key}: {{name: ..., model: ...}}}}}}",
            )
        return models[0]

    def in_stage(self, stage: str) -> Team:
        """The same team, whose calls are logged and budgeted under `stage`."""
        return replace(
            self,
            teachers=tuple(Teacher(each.model.in_stage(stage)) for each in self.teachers),
            panel=tuple(Reviewer(each.model.in_stage(stage)) for each in self.panel),
            student=self.student and Student(self.student.model.in_stage(stage)),
            others={key: tuple(each.in_stage(stage) for each in models) for key, models in self.others.items()},
        )


def build_team(agents: Agents, gateway: Ask, grader: Grades, prompts: Prompts | None = None, *, seed: int = 17) -> Team:
    """The agents of a recipe over one gateway; `prompts` are by default the shipped ones."""
    loaded = load_prompts() if prompts is None else prompts
    return Team(
        teachers=tuple(Teacher(PromptedModel(spec, gateway, loaded)) for spec in agents.teachers),
        panel=tuple(Reviewer(PromptedModel(spec, gateway, loaded)) for spec in agents.panel),
        student=Student(PromptedModel(agents.student, gateway, loaded, tries=1)) if agents.student else None,
        grader=grader,
        others={
            key: tuple(PromptedModel(spec, gateway, loaded) for spec in specs)
            for key, specs in agents.named_others.items()
        },
        seed=seed,
    )
