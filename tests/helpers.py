"""Scripted models: what every agent says is a function of what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from errata.agents.team import Team, build_team
from errata.grading.grader import Grades
from errata.graphs.pipeline import (
    LESSON,
    STAGES,
    CompiledPipeline,
    ShippedSettings,
    build_pipeline,
    check_agents,
    in_order,
)
from errata.graphs.stage import AnyStage, PipelineSettings
from errata.llm.request import Ask, Request
from errata.llm.spec import Agents, AgentSpec
from errata.records import Call, Problem, digest


@dataclass(frozen=True)
class Lost:
    """A call the provider fails."""

    failure: str = "500 Internal Server Error"


@dataclass(frozen=True)
class CutOff:
    """A reply that ends at the length limit."""

    text: str


Line = str | Lost | CutOff


@dataclass
class Script:
    """A gateway that answers from a function and remembers every request."""

    line: Callable[[Request], Line]
    asked: list[Request] = field(default_factory=list)

    async def __call__(self, request: Request) -> Call:
        self.asked.append(request)
        line = self.line(request)
        about = request.context.about
        place = (request.context.problem_id, request.spec.name, request.verb, about, request.sample, request.attempt)
        return Call(
            id=digest(*place),
            agent=request.spec.name,
            stage=request.stage,
            verb=request.verb,
            about=about,
            prompt=request.prompt,
            prompt_hash=request.prompt_hash,
            model=request.spec.model,
            parameters=dict(request.parameters),
            messages=request.messages,
            sample=request.sample,
            attempt=request.attempt,
            reply=None if isinstance(line, Lost) else line.text if isinstance(line, CutOff) else line,
            finish_reason=None if isinstance(line, Lost) else "length" if isinstance(line, CutOff) else "stop",
            failure=line.failure if isinstance(line, Lost) else None,
        )

    def requests(self, verb: str, agent: str | None = None) -> list[Request]:
        return [each for each in self.asked if each.verb == verb and agent in (None, each.spec.name)]


def apples(answer: str = "5", **changes: object) -> Problem:
    problem = Problem(
        id="p1", task="toy", question="Mia has 2 apples and gets 3. How many?", answer=answer, kind="number"
    )
    return problem.model_copy(update=changes)


def voices(*names: str) -> tuple[AgentSpec, ...]:
    return tuple(AgentSpec(name=name, model=f"openai/{name}") for name in names)


def agents_of(
    teachers: tuple[str, ...] = ("ada", "bea", "cyd"),
    student: str | None = "sam",
    reviewers: tuple[str, ...] | None = None,
) -> Agents:
    return Agents(
        teachers=voices(*teachers),
        reviewers=None if reviewers is None else voices(*reviewers),
        student=voices(student)[0] if student else None,
    )


def team_of(script: Ask, grader: Grades, **agents: Any) -> Team:
    return build_team(agents_of(**agents), script, grader)


def pipeline_of(
    script: Ask,
    grader: Grades,
    name: str = LESSON,
    settings: dict[str, Any] | PipelineSettings | None = None,
    stages: Sequence[AnyStage] | None = None,
    **agents: Any,
) -> CompiledPipeline:
    """The pipeline of a recipe with these scripted agents, checked as a recipe is."""
    if not isinstance(settings, PipelineSettings):
        settings = ShippedSettings.model_validate(settings or {})
    named = stages or (STAGES if name == LESSON else [stage for stage in STAGES if stage.name == name])
    running = in_order(named, only_mistakes=settings.only_mistakes)
    check_agents(running, agents_of(**agents), settings)
    return build_pipeline(running, team_of(script, grader, **agents), settings, name)
