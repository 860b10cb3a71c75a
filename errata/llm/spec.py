"""The agents of a recipe: their names and models, how each is reached and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from errata.config.base import Settings
from errata.config.code import Reference
from errata.config.env import Location, expand, is_variable
from errata.errors import UsageError


class Sampling(Settings):
    """Decoding parameters; what is left out is not sent, so that the provider's default holds."""

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, gt=0)

    def parameters(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class Price(Settings):
    """USD per 1M tokens."""

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    """Of prompt tokens that the provider reads from its cache; by default that of all others."""
    cache_write: float | None = Field(default=None, ge=0)
    """Of prompt tokens that the provider writes to its cache; by default that of all others."""


class Batching(Settings):
    """How an agent's calls go out in batches; the limits are below those of both providers."""

    poll_s: float = Field(default=15.0, gt=0)
    """Seconds between two looks at a batch."""
    quiet_s: float = Field(default=2.0, ge=0)
    """Seconds without a new call after which those that wait are sent."""
    grace_s: float = Field(default=30.0, ge=0)
    """Seconds after which a batch that its provider does not list was never created."""
    calls: int = Field(default=10_000, ge=1, le=50_000)
    """Calls of one batch at most; more are split."""
    megabytes: float = Field(default=100.0, gt=0, le=200)
    """Of one batch at most; a single call may be longer."""


class Recording(Settings):
    """Where `recorded/` finds a real model's replies to one verb.

    `match` names the field of the file's rows that equals the problem's id or question (`by`); white space is ignored
    and so is `prefix` at the start of the row's field. `reply` is a dotted path (`gpt_rationale.0`) to the reply or to
    a list of samples; `{author}` in it is replaced by the author of the rationale the call is about, through `authors`
    (`{gemini: "gemini_rationale.1"}` style maps are written as a mapping instead of a path).
    """

    file: Location
    match: str
    by: Literal["id", "question"] = "question"
    prefix: str = ""
    reply: str | dict[str, str]


class AgentSpec(Settings):
    """One agent. Three teachers with one model string are three agents: the name is part of every call's key."""

    name: str = Field(min_length=1)
    model: str
    """`PROVIDER/NAME` of LiteLLM, `simulated/NAME`, `recorded/NAME` or `local/PATH`; `${VAR:-default}` is replaced."""
    backend: Reference | None = None
    """A way of one's own to reach the model (`my_backend.py:MINE`): a class derived from errata.Backend, or an object
    of one. By default the provider in the model string says which of the shipped ones."""
    api_base: str | None = None
    """The address of the server. One variable may stand for all of it (`${TEACHER_URL:-http://127.0.0.1:8081/v1}`)."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key, where it is not the provider's usual one."""
    system: str | None = None
    """A system message before every prompt."""
    temperature: float | None = None
    """Overrules that of the stages; an explicit null sends none."""
    top_p: float | None = None
    """As temperature."""
    max_tokens: int | None = None
    """As temperature: an explicit null sends no limit."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further per-call settings, passed through to the provider. In `extra_headers`, `${NAME}` is read from the
    environment when the call is made."""
    structured: Literal["auto", "off"] = "auto"
    """Replies that errata parses (scores, kinds) are asked for by a JSON schema where the provider takes one; `off`
    asks for their closing line alone. A schema makes a weak model's verdicts readable, not right."""
    tries: int | None = Field(default=None, ge=1)
    """Fresh tries for an unparsable reply; by default 3, and 1 for the student, whose failures are data."""
    retries: int = Field(default=5, ge=0)
    """Repeats of a call the provider failed: 429, 5xx, timeouts, dropped connections, bodies that are no completion."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds until a call counts as stalled."""
    give_up_after: float = Field(default=1800.0, gt=0)
    """Seconds after which a provider that has said nothing but 429 is given up: the agent counts as refused."""
    fallback: str | None = None
    """Name of the agent asked in this one's place where it is refused or out of reach; that one may have its own."""
    price: Price | None = None
    """By default that of LiteLLM's offline table; an unknown price is said and never taken as zero."""
    rpm: int | None = Field(default=None, gt=0)
    """Requests per minute at most; calls wait for their turn."""
    tpm: int | None = Field(default=None, gt=0)
    """Tokens per minute at most; calls wait for their turn."""
    concurrency: int | None = Field(default=None, gt=0)
    """Calls of this agent in flight at most."""
    batch: Batching | None = None
    """`true`, or settings: its calls go out in batches at half the price, and come back within a day (`openai/` and
    `anthropic/`; docs/batch.md)."""
    recorded: dict[str, Recording] = Field(default_factory=dict)
    """Of a `recorded/` model: where its replies stand, by the verb they answer (solve, score, explain, ...)."""

    @field_validator("model")
    @classmethod
    def _model_of_the_environment(cls, model: str) -> str:
        """`${VAR:-default}` replaced; a path of `local/` keeps its variables, for its data may move."""
        return model if model.startswith("local/") else expand(model)

    @field_validator("api_base")
    @classmethod
    def _address_of_the_environment(cls, base: str | None) -> str | None:
        """An http(s) address; of a variable that stands for the whole of it: no key is read into a host's name."""
        if base is None:
            return None
        if "${" not in base:
            if not base.startswith(("http://", "https://")):
                raise UsageError(
                    f"api_base {base!r}",
                    "an address begins with http:// or https://",
                    f"write it whole, such as http://{base.rpartition('://')[2].lstrip('/') or '127.0.0.1:8000/v1'}",
                )
            return base
        if not is_variable(base):
            raise UsageError(
                f"api_base {base!r} holds a variable within an address",
                "whatever the variable holds, a key too, would be sent to a host that the recipe names",
                "let the variable hold the whole address: ${NAME:-http://127.0.0.1:8000/v1}",
            )
        address = expand(base)
        if not address.startswith(("http://", "https://")):
            raise UsageError(
                f"api_base {base!r}: what the variable holds is no address",
                "it does not begin with http:// or https://",
                "set it to the server's address, such as http://127.0.0.1:8000/v1",
            )
        return address

    @field_validator("structured", mode="before")
    @classmethod
    def _off_is_no_truth_value(cls, value: object) -> object:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value

    @field_validator("batch", mode="before")
    @classmethod
    def _true_is_the_usual_batching(cls, value: object) -> object:
        return {} if value is True else None if value is False else value

    @model_validator(mode="after")
    def _recorded_needs_recordings(self) -> Self:
        if self.model.startswith("recorded/") != bool(self.recorded):
            raise ValueError(f"agent {self.name}: model recorded/... and the section recorded: go together")
        return self

    def parameters(self, stage: Sampling, max_tokens: int | None = None) -> dict[str, Any]:
        """The stage's sampling, overruled by what this agent sets; an explicit null here means: do not send it.

        `max_tokens` is the limit where neither sets one, not even under OpenAI's new name in `extra`.
        """
        own = {key: getattr(self, key) for key in Sampling.model_fields if key in self.model_fields_set}
        usual = {} if "max_completion_tokens" in self.extra else {"max_tokens": max_tokens}
        merged = usual | stage.parameters() | own | self.extra
        return {key: value for key, value in merged.items() if value is not None}


S = TypeVar("S", bound=AgentSpec)


class Agents(Settings):
    teachers: tuple[AgentSpec, ...] = ()
    reviewers: tuple[AgentSpec, ...] | None = None
    """Who scores rationales; by default the teachers, never of their own."""
    student: AgentSpec | None = None
    standby: tuple[AgentSpec, ...] = ()
    """Agents that answer only as the `fallback` of another."""
    others: dict[str, AgentSpec | tuple[AgentSpec, ...]] = Field(default_factory=dict)
    """Agents of one's own stages, by the key that the stage asks for."""

    def with_backends(self, backends: Mapping[str, Any]) -> Self:
        """The same agents, those of these providers by the backends given. Raises UsageError as check_backends."""
        check_backends(backends, self.everyone)

        def group(specs: tuple[AgentSpec, ...]) -> tuple[AgentSpec, ...]:
            return tuple(with_backend(spec, backends) for spec in specs)

        def one_or_several(value: AgentSpec | tuple[AgentSpec, ...]) -> AgentSpec | tuple[AgentSpec, ...]:
            return group(value) if isinstance(value, tuple) else with_backend(value, backends)

        changes: dict[str, Any] = {
            "teachers": group(self.teachers),
            "reviewers": self.reviewers and group(self.reviewers),
            "student": self.student and with_backend(self.student, backends),
            "standby": group(self.standby),
            "others": {key: one_or_several(value) for key, value in self.others.items()},
        }
        return self.model_copy(update=changes)

    @property
    def panel(self) -> tuple[AgentSpec, ...]:
        return self.teachers if self.reviewers is None else self.reviewers

    @property
    def named_others(self) -> dict[str, tuple[AgentSpec, ...]]:
        return {key: specs if isinstance(specs, tuple) else (specs,) for key, specs in self.others.items()}

    def other(self, key: str) -> AgentSpec:
        """The first agent under this key of `others`; a stage that declares the key finds one."""
        return self.named_others[key][0]

    @property
    def speaking(self) -> tuple[AgentSpec, ...]:
        """Those who are asked in some stage, reviewers given again under a teacher's name twice."""
        others = (spec for specs in self.named_others.values() for spec in specs)
        return (*self.teachers, *self.panel, *((self.student,) if self.student else ()), *others)

    @property
    def batched(self) -> tuple[AgentSpec, ...]:
        """Those whose calls go out in batches."""
        return tuple(spec for spec in self.everyone if spec.batch is not None)

    @property
    def everyone(self) -> tuple[AgentSpec, ...]:
        """Every distinct agent; a reviewer given again under a teacher's name must be the same."""
        named: dict[str, AgentSpec] = {}
        for spec in (*self.speaking, *self.standby):
            named.setdefault(spec.name, spec)
        return tuple(named.values())

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        for group in (self.teachers, self.panel, self.standby):
            names = [spec.name for spec in group]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two agents are named {', '.join(twice)}: each agent needs its own name")
        if self.student and self.student.name in {spec.name for spec in (*self.teachers, *self.panel)}:
            raise ValueError(f"student and teacher are both named {self.student.name}")
        by_name = {spec.name: spec for spec in self.teachers}
        for spec in (*self.panel, *(each for specs in self.named_others.values() for each in specs)):
            if by_name.get(spec.name, spec) != spec:
                raise ValueError(f"{spec.name} has a teacher's name but other settings")
        twice = sorted({spec.name for spec in self.speaking} & {spec.name for spec in self.standby})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands in agents.standby and among those who speak anyway")
        return self

    @model_validator(mode="after")
    def _fallbacks_lead_to_agents(self) -> Self:
        named = {spec.name: spec for spec in self.everyone}
        for spec in named.values():
            chain = [spec.name]
            while (follower := named[chain[-1]].fallback) is not None:
                if follower not in named:
                    raise ValueError(f"agent {chain[-1]}: no agent is named {follower}, its fallback")
                if follower in chain:
                    raise ValueError(f"the fallbacks {' -> '.join([*chain, follower])} lead in a circle")
                if named[follower].recorded or named[chain[-1]].recorded:
                    raise ValueError(
                        f"agent {chain[-1]}: fallback: is for models that can be asked, not for recordings"
                    )
                chain.append(follower)
        return self


def with_backend(spec: S, backends: Mapping[str, Any]) -> S:
    """The agent, by the backend that is given for the provider in its model string, if one is."""
    backend = backends.get(provider_of(spec))
    return spec if backend is None else spec.model_copy(update={"backend": Reference.of(backend)})


def provider_of(spec: AgentSpec) -> str:
    """What stands before the slash of the model string."""
    return spec.model.partition("/")[0]


def check_backends(backends: Mapping[str, Any], specs: Iterable[AgentSpec]) -> None:
    """Raises UsageError where a backend is given for a provider that no agent names."""
    named = {provider_of(spec) for spec in specs}
    for provider in backends:
        if provider not in named:
            raise UsageError(
                f"no agent has a model {provider}/NAME",
                "a backend was given for this provider",
                f"name one of {', '.join(sorted(named))}, or write model: {provider}/NAME",
            )


# ---- what no agent may be ----


def check_spec(spec: AgentSpec) -> None:
    """Raises UsageError for a model string without a provider, no backend, a batch where there is no such API, or a
    key in plain text."""
    _check_model(spec)
    _check_backend(spec)
    _check_batch(spec)
    _check_secrets(spec)


def _check_model(spec: AgentSpec) -> None:
    provider, _, name = spec.model.partition("/")
    if not provider.strip() or not name.strip():
        bare = spec.model.strip("/ ") or "NAME"
        raise UsageError(
            f"agent {spec.name}: model {spec.model!r}",
            "a model is written provider/NAME, so that it is clear who is asked",
            f"write openai/{bare}, anthropic/{bare}, simulated/{bare}, local/PATH ...",
        )


def _check_backend(spec: AgentSpec) -> None:
    part = spec.backend and spec.backend.part
    needed = ("complete", "fingerprint", "close", "paid", "remote", "takes_schema")
    missing = [] if part is None else [name for name in needed if not hasattr(part, name)]
    if missing:
        raise UsageError(
            f"agent {spec.name}: backend {spec.backend} has no {', '.join(missing)}",
            "a backend is a class derived from errata.Backend, or an object of one",
            "derive it: class Mine(Backend), with an async method complete(self, request, seed) -> Reply",
        )


def _check_batch(spec: AgentSpec) -> None:
    known = spec.model.startswith("openai/") or spec.model.removeprefix("litellm/").startswith("anthropic/")
    if spec.batch is not None and (spec.backend is not None or not known):
        raise UsageError(
            f"agent {spec.name}: batch is set for {spec.backend or spec.model}",
            "batches are known of OpenAI's and of Anthropic's API",
            "write openai/NAME or anthropic/NAME, or remove batch",
        )


_SECRET = re.compile(
    r"api[-_]?key|authorization|secret|password|credential|(access|auth|bearer|session)[-_]?token|^token$", re.I
)
_SECRET_HEADER = re.compile(rf"{_SECRET.pattern}|(^|[-_])(key|token|auth|cookie|signature)($|[-_])", re.I)
"""As a parameter such a word may be harmless (prompt_cache_key, stop_token)."""
_IN_QUERY = re.compile(r"[?&;]([^=&;#]+)=([^&;#]+)")
_USER = re.compile(r"//[^/@]*@")
_VARIABLE_ALONE = re.compile(r"(?:[A-Za-z]+ )?\$\{\w+\}")
"""What may stand for a key: a variable without a default, which would be one, after a word such as Bearer."""


def _check_secrets(spec: AgentSpec) -> None:
    """A run directory holds a copy of its recipe and is made to be handed on: no key stands in it."""
    base = spec.api_base or ""
    in_query = [name for name, _ in _IN_QUERY.findall(base) if _SECRET_HEADER.search(name)]
    if _USER.search(base) or in_query:
        raise UsageError(
            f"agent {spec.name}: api_base holds {f'a key ({in_query[0]})' if in_query else 'a password'}",
            "a run directory holds a copy of the recipe, and shall hold no key",
            "name the environment variable that holds it: api_key_env",
        )
    if path := next(_secrets(spec.extra, "extra"), None):
        raise UsageError(
            f"agent {spec.name}: {path} holds a key",
            "a run directory holds a copy of the recipe, and shall hold no key",
            "name the environment variable that holds it: api_key_env, or in a header ${NAME}",
        )


def _secrets(value: Any, path: str) -> Iterator[str]:
    """Paths of keys that are written out; in a header `${NAME}` stands for one."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in pairs:
        here = f"{path}.{name}"
        if isinstance(item, dict | list):
            yield from _secrets(item, here)
        elif isinstance(item, str) and _is_secret(str(name), item, in_header=path.endswith("headers")):
            yield here


def _is_secret(name: str, value: str, *, in_header: bool) -> bool:
    if in_header:
        return bool(_SECRET_HEADER.search(name)) and not _VARIABLE_ALONE.fullmatch(value.strip())
    return bool(_SECRET.search(name))
