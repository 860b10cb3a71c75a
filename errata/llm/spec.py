"""What a recipe says of its agents: who they are, which model speaks, how it is reached and what it costs."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from errata.config.base import Settings


class Sampling(Settings):
    """Decoding parameters; what is left out is not sent, so that the provider's default holds."""

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, gt=0)

    def parameters(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class Price(Settings):
    """US dollars for a million tokens."""

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)


class Recording(Settings):
    """Where `recorded/` finds a real model's replies to one verb.

    `match` names the field of the file's rows that equals the problem's id or question (`by`); white space is ignored
    and so is `prefix` at the start of the row's field. `reply` is a dotted path (`gpt_rationale.0`) to the reply or to
    a list of samples; `{author}` in it is replaced by the author of the rationale the call is about, through `authors`
    (`{gemini: "gemini_rationale.1"}` style maps are written as a mapping instead of a path).
    """

    file: str
    match: str
    by: Literal["id", "question"] = "question"
    prefix: str = ""
    reply: str | dict[str, str]


class AgentSpec(Settings):
    """One voice. Three teachers with one model string are three voices: the name is part of every call's key."""

    name: str = Field(min_length=1)
    model: str
    api_base: str | None = None
    api_key_env: str | None = None
    """Name of the environment variable that holds the key, where it is not the provider's usual one."""
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further per-call settings, passed through to the provider. In `extra_headers`, `${NAME}` is read from the
    environment when the call is made."""
    tries: int | None = Field(default=None, ge=1)
    """Fresh tries for an unparsable reply; by default 3, and 1 for the student, whose failures are data."""
    retries: int = Field(default=5, ge=0)
    """Repeats of a call the provider failed: 429, 5xx, timeouts, dropped connections, bodies that are no completion."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds until a call counts as stalled."""
    fallback: str | None = None
    """Name of the agent asked in this one's place where it is refused or out of reach; that one may have its own."""
    price: Price | None = None
    rpm: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)
    concurrency: int | None = Field(default=None, gt=0)
    recorded: dict[Literal["solve", "score", "explain"], Recording] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _recorded_needs_recordings(self) -> Self:
        if self.model.startswith("recorded/") != bool(self.recorded):
            raise ValueError(f"agent {self.name}: model recorded/... and the section recorded: go together")
        return self

    def parameters(self, stage: Sampling) -> dict[str, Any]:
        """The stage's sampling, overruled by what this agent sets; an explicit null here means: do not send it."""
        mine = {key: getattr(self, key) for key in Sampling.model_fields if key in self.model_fields_set}
        merged = stage.parameters() | mine | self.extra
        return {key: value for key, value in merged.items() if value is not None}


class Agents(Settings):
    teachers: tuple[AgentSpec, ...] = ()
    reviewers: tuple[AgentSpec, ...] | None = None
    """Who scores rationales; by default the teachers, never of their own."""
    student: AgentSpec | None = None
    standby: tuple[AgentSpec, ...] = ()
    """Agents that speak only as the `fallback` of another."""

    @property
    def panel(self) -> tuple[AgentSpec, ...]:
        return self.teachers if self.reviewers is None else self.reviewers

    @property
    def everyone(self) -> tuple[AgentSpec, ...]:
        """Every distinct voice; a reviewer given again under a teacher's name must be the same."""
        named: dict[str, AgentSpec] = {}
        for spec in (*self.teachers, *self.panel, *((self.student,) if self.student else ()), *self.standby):
            named.setdefault(spec.name, spec)
        return tuple(named.values())

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        for group in (self.teachers, self.panel, self.standby):
            names = [spec.name for spec in group]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two agents are named {', '.join(twice)}: each voice needs its own name")
        if self.student and self.student.name in {spec.name for spec in (*self.teachers, *self.panel)}:
            raise ValueError(f"student and teacher are both named {self.student.name}")
        by_name = {spec.name: spec for spec in self.teachers}
        for spec in self.panel:
            if by_name.get(spec.name, spec) != spec:
                raise ValueError(f"reviewer {spec.name} has a teacher's name but other settings")
        speaking = {spec.name for spec in (*self.teachers, *self.panel, *([self.student] if self.student else []))}
        twice = sorted(speaking & {spec.name for spec in self.standby})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands in agents.standby and among those who speak anyway")
        return self

    @model_validator(mode="after")
    def _fallbacks_lead_to_agents(self) -> Self:
        named = {spec.name: spec for spec in self.everyone}
        for spec in named.values():
            seen = [spec.name]
            while (follower := named[seen[-1]].fallback) is not None:
                if follower not in named:
                    raise ValueError(f"agent {seen[-1]}: no agent is named {follower}, its fallback")
                if follower in seen:
                    raise ValueError(f"the fallbacks {' -> '.join([*seen, follower])} lead in a circle")
                if named[follower].recorded or named[seen[-1]].recorded:
                    raise ValueError(f"agent {seen[-1]}: fallback: is for models that can be asked, not for recordings")
                seen.append(follower)
        return self
