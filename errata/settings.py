"""What a recipe may say: frozen models, one per part of the work, with the defaults.

The settings of the graphs carry the numbers of the papers where a paper states one; `recipes/` sets them per method.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from errata.records import AnswerKind

Stage = Literal["exam", "rationales", "peer_review", "mistake_explanation", "dual_cot"]
GraphName = Literal["exam", "rationales", "peer_review", "mistake_explanation", "dual_cot", "lesson"]


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sampling(Settings):
    """Decoding parameters; what is left out is not sent, so that the provider's default holds."""

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, gt=0)

    def parameters(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


# ---- agents ----------------------------------------------------------------------------------------------------------


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


# ---- graphs ----------------------------------------------------------------------------------------------------------


class Demonstration(Settings):
    """A worked example for few-shot prompts; `wrong` is used where a mistake is shown (corrupt)."""

    question: str
    rationale: str
    answer: str | None = None
    wrong: str | None = None


class ExamSettings(Settings):
    """The student answers `samples` times (methods.md 2a.1: once, T 0.3, top-p 0.9; 1a.4: 16 for a ranker)."""

    samples: int = Field(default=1, ge=1)
    sampling: Sampling = Sampling()


class DiversityFilter(Settings):
    """Keep rationales whose n-gram Jaccard similarity to every kept one stays below `max_similarity` (4a.3)."""

    ngram: int = Field(default=3, ge=1)
    max_similarity: float = Field(default=0.8, gt=0, le=1)
    keep: int | None = Field(default=None, ge=1)
    """At most this many a problem."""


class RationalesSettings(Settings):
    """Every teacher answers `samples` times, without seeing the gold answer."""

    samples: int = Field(default=1, ge=1)
    sampling: Sampling = Sampling()
    demonstrations: tuple[Demonstration, ...] = ()
    max_chars: int | None = Field(default=None, gt=0)
    """Set aside where question and rationale together are longer (NAT: 1600, NCE: 1200)."""
    diversity: DiversityFilter | None = None
    """Applied to the right rationales of a problem; None keeps all."""


class AcceptRule(Settings):
    """The panel's verdict from its valid scores.

    mean: their mean > `threshold` (the paper's rule with 3). min: the lowest > threshold. k_of_n: at least `k` scores
    > threshold. veto: mean > threshold and no score <= `veto_at`. No valid score: rejected.
    """

    rule: Literal["mean", "min", "k_of_n", "veto"] = "mean"
    threshold: float = 3.0
    k: int = Field(default=1, ge=1)
    veto_at: int = 1


class PeerReviewSettings(Settings):
    blind: bool = False
    """Reviewers do not see the gold answer. The paper shows it, which makes much of the filter answer matching."""
    accept: AcceptRule = AcceptRule()
    only_correct: bool = False
    """Review only what the answer grader finds right (saves calls); the paper reviews everything."""
    revise_rounds: int = Field(default=0, ge=0, le=5)
    """How often a rejected rationale may be revised by its author from the critiques and reviewed again."""
    sampling: Sampling = Sampling()


class MistakeExplanationSettings(Settings):
    explainers: Literal["all", "one"] = "all"
    """All teachers explain (the paper), or one of them, drawn by hash."""
    classify: bool = True
    """A further call names the kinds of the mistake."""
    max_mistakes: int | None = Field(default=None, ge=1)
    """Explain at most this many wrong student rationales a problem."""
    sampling: Sampling = Sampling()


class DualCotSettings(Settings):
    """Dual CoTs (methods.md 3a): rectify wrong rationales given the answer (AHP), corrupt right ones (CCP)."""

    rectify: bool = True
    corrupt: bool = True
    student: bool = True
    """Rectify the student's wrong rationales as well as the teachers'."""
    band: tuple[float, float] = (0.0, 1.0)
    """Edit ratio allowed for a pair, both ends included; the sides must differ."""
    tries: int = Field(default=2, ge=1)
    """Rewrites asked for until one flips the answer and falls in the band."""
    max_per_problem: int | None = Field(default=None, ge=1)
    """Rewrite at most this many rationales a problem and direction."""
    demonstrations: tuple[Demonstration, ...] | None = None
    """Shown to both rewrites; by default the run's own natural pairs, else the shipped ones."""
    shots: int = Field(default=3, ge=0)
    warmup: int = Field(default=0, ge=0)
    """The first problems, in input order, whose natural pairs serve the others as demonstrations; 0: shipped ones."""
    review: bool = False
    """The panel also reviews the rectified rationales."""
    sampling: Sampling = Sampling()

    @model_validator(mode="after")
    def _band_is_ordered(self) -> Self:
        if not 0 <= self.band[0] <= self.band[1] <= 1:
            raise ValueError(f"band {list(self.band)}: two shares between 0 and 1, the lower first")
        return self


class GraphSettings(Settings):
    stages: tuple[Stage, ...] | None = None
    """For graph: lesson, which parts run; by default all. They run in the order of the graph, not of this list."""
    only_mistakes: bool = False
    """A problem whose exam holds no mistake is set aside as rejected (student_right), as in MAPD."""
    exam: ExamSettings = ExamSettings()
    rationales: RationalesSettings = RationalesSettings()
    peer_review: PeerReviewSettings = PeerReviewSettings()
    mistake_explanation: MistakeExplanationSettings = MistakeExplanationSettings()
    dual_cot: DualCotSettings = DualCotSettings()


# ---- the run ---------------------------------------------------------------------------------------------------------


class Mapping(Settings):
    """Which fields of a row make a problem. A path may be dotted; `template` may join fields: "{Body} {Question}"."""

    question: str
    answer: str
    kind: AnswerKind
    id: str | None = None
    choices: str | None = None
    rationale: str | None = None
    split: str | None = None
    meta: tuple[str, ...] = ()
    prefix: str = ""
    """Dropped from the start of the question where it stands there."""


class ProblemSource(Settings):
    """Where problems come from: a file, a hub id or `classroom`.

    `mapping` is the name of a ready one (`gsm8k`) or a mapping of its own.
    """

    source: str
    mapping: str | Mapping | None = None
    task: str | None = None
    """By default the mapping's name, else the file's stem."""
    split: str | None = None
    """Only rows of this split; for a hub data set the split to load (default train)."""
    config: str | None = None
    """Configuration (subset) of a hub data set."""
    options: dict[str, Any] = Field(default_factory=dict)
    """For the classroom: count, seed, level, split."""
    exclude: tuple[ProblemSource, ...] = ()
    """Problems whose normalised question stands in one of these are left out and counted."""
    where: dict[str, Any] = Field(default_factory=dict)
    """Only rows whose field (dotted path) equals the value."""


class Amounts(Settings):
    usd: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    calls: int | None = Field(default=None, ge=0)


class Budget(Amounts):
    """What may be paid in total, and by graph stage; a run directory's earlier payments count."""

    stages: dict[Stage, Amounts] = Field(default_factory=dict)


class SynthRecipe(Settings):
    """`errata synth`: a data set of problems through one graph."""

    name: str
    graph: GraphName
    problems: ProblemSource
    agents: Agents
    settings: GraphSettings = GraphSettings()
    seed: int = 17
    prompts: str | None = None
    """A folder whose files replace shipped prompts of the same name."""
    store: str | None = None
    """A response store shared by several runs; by default the run's own `calls/`."""
    runs: str = "runs"
    """The folder that holds run directories."""
    licence: str | None = None
    """The data's licence, as it shall stand on data-set cards."""
    eval_sets: tuple[ProblemSource, ...] = ()
    """Evaluation sets that exports are compared with for overlap."""
    limit: int | None = Field(default=None, ge=1)
    budget: Budget = Budget()
    concurrency: int = Field(default=32, ge=1)
    """Calls in flight at most, over all agents; twice as many problems are."""

    @model_validator(mode="after")
    def _name_is_one_folder(self) -> Self:
        if self.name in {"", ".", ".."} or "/" in self.name or "\\" in self.name or not self.name.isprintable():
            raise ValueError(f"name {self.name!r}: one folder name, without slashes or control characters")
        return self


CHANGEABLE = {"limit", "budget", "concurrency", "runs", "eval_sets"}
"""Top-level keys that may differ between runs of one directory; of the agents see CHANGEABLE_OF_AGENT."""
CHANGEABLE_OF_AGENT = {"price", "rpm", "tpm", "concurrency", "api_key_env", "retries", "timeout", "fallback"}
