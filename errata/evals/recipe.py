"""One YAML file becomes one frozen eval recipe: the untouched student, other models, decodings, tasks.

Every model is evaluated with every decoding; each of the two together make one directory, RUN/evals/MODEL-DECODING.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from errata.config.base import Settings
from errata.config.code import Code, Loader, Reference, code_of
from errata.config.overrides import override, validate
from errata.config.recipe_kinds import refuse_other_verb
from errata.config.yaml_file import read_mapping
from errata.errors import UsageError, did_you_mean
from errata.evals.claims import Claim, task_fault, unique
from errata.evals.tasks import Task, task_data
from errata.evals.voting import WEIGHTINGS, Weigh, Weighting
from errata.llm.budget import Budget
from errata.llm.spec import AgentSpec, Sampling, check_backends, with_backend


class Model(AgentSpec):
    """A model string of the gateway, or `local/PATH` for a checkpoint. `name` becomes part of the directory's name."""

    label: str | None = None
    """The arm: models that differ only in the seed of their training share it. By default the name."""
    replicate: int | None = None
    """Which seed of its arm this is; by default the seed that the checkpoint was trained with."""

    @property
    def agent(self) -> AgentSpec:
        own = {key: getattr(self, key) for key in self.model_fields_set & AgentSpec.model_fields.keys()}
        return AgentSpec(**own)

    @model_validator(mode="after")
    def _decoding_stands_apart(self) -> Self:
        misplaced = sorted(self.model_fields_set & Sampling.model_fields.keys())
        if misplaced:
            raise ValueError(f"model {self.name} sets {', '.join(misplaced)}: that belongs under decodings")
        return self


class Decoding(Settings):
    """How every item is answered. Temperature 0 is greedy; null leaves temperature or max_tokens to the provider.

    `vote`: what counts as the item's answer where there are several samples; without it the share of right samples. One
    of one's own is `my_votes.py:NAME`, a function from an item's samples to a weight for each.
    `ranker`: the folder of a ranker that scores every sample, which the weighted votes need. Rankers that differ in the
    seed of their training alone share a `ranker_label`: models of several seeds are one arm by it. `stop_at_answer`: a
    local model ends where nothing that follows could change its answer, as before it asks itself the next question.
    """

    samples: int = Field(default=1, ge=1)
    temperature: float | None = Field(default=0.0, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=512, gt=0)
    stop: tuple[str, ...] = ()
    vote: Weighting | Reference | None = None
    ranker: str | None = None
    ranker_label: str | None = None
    stop_at_answer: bool = True

    @property
    def sampling(self) -> Sampling:
        return Sampling(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are all the same: set a temperature")
        if self.vote is not None and self.samples == 1:
            raise ValueError(f"vote {self.vote} needs several samples")
        if self.vote in WEIGHTINGS[1:] and self.ranker is None:
            raise ValueError(f"vote {self.vote} weighs by scores: name the ranker")
        if self.ranker_label is not None and self.ranker is None:
            raise ValueError(f"ranker_label {self.ranker_label} is of no ranker: name it")
        return self


class EvalRecipe(Settings):
    """`errata eval`."""

    name: str
    """By default the file's stem."""
    run: str
    """The run directory that results go to, by default `runs/NAME`; it need not be there."""
    baseline: Model
    """The untouched student: always a row of the table."""
    models: tuple[Model, ...] = ()
    decodings: dict[str, Decoding] = Field(default_factory=lambda: {"greedy": Decoding()}, min_length=1)
    tasks: dict[str, Task] = Field(min_length=1)
    grader: Reference | None = None
    """A grader of one's own (`my_grader.py:NAME`) for all tasks without one: a function `(problem, text) -> Grade`, or
    a class with `grade`. Where it has no `same`, answers are compared by the shipped grader's rules."""
    claims: tuple[Claim, ...] = ()
    """The comparisons that are planned, corrected for one another; all others are exploratory."""
    training: tuple[str, ...] = ()
    """Run directories and exported files that the models learned from: what of the tasks stands in them is reported."""
    pairs: str | None = None
    """A run directory with pairs (dual CoTs): local models are scored on their key steps."""
    seed: int = 17
    """Of samples."""
    prompts: str | None = None
    """A folder whose files replace shipped prompts."""
    limit: int | None = Field(default=None, ge=1)
    """The first so many problems of every task."""
    store: str | None = None
    """The response store; by default `.calls` beside the run directory, shared by the runs and evals of the folder."""
    budget: Budget = Budget()
    concurrency: int = Field(default=128, ge=1)
    """Calls in flight at most. A local model decodes in batches of those that wait: give it several batches."""

    _code: dict[str, Code] = PrivateAttr(default_factory=dict)

    @property
    def own_parts(self) -> Iterator[Reference]:
        """The graders, votes and backends of one's own."""
        parts = [self.grader, *(task.grader for task in self.tasks.values())]
        parts += [model.backend for model in self.everyone]
        parts += [each.vote for each in self.decodings.values() if isinstance(each.vote, Reference)]
        yield from (part for part in parts if part is not None)

    @property
    def code(self) -> dict[str, Code]:
        """The files of one's own parts, by what the recipe calls them."""
        return {str(part): self._code.get(part) or code_of(part.loaded) for part in self.own_parts}

    @property
    def everyone(self) -> tuple[Model, ...]:
        return (self.baseline, *self.models)

    @field_validator("tasks", mode="before")
    @classmethod
    def _ready_ones_are_filled_in(cls, tasks: Any) -> Any:
        if isinstance(tasks, list) and all(isinstance(name, str) for name in tasks):
            tasks = {name: {} for name in tasks}
        if not isinstance(tasks, dict):
            return tasks
        return {
            str(name): task_data(str(name), spec or {}) if spec is None or isinstance(spec, dict) else spec
            for name, spec in tasks.items()
        }

    @field_validator("claims")
    @classmethod
    def _claims_have_names_of_their_own(cls, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
        try:
            return tuple(unique(claims))
        except UsageError as error:
            raise ValueError(error.found) from error

    @model_validator(mode="after")
    def _claims_are_about_its_tasks(self) -> Self:
        for claim in self.claims:
            if fault := task_fault(claim, self.tasks, "tasks"):
                raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _claims_are_about_its_models(self) -> Self:
        """So that a slip of the pen is seen before anybody is asked."""
        arms = dict.fromkeys(model.label or model.name for model in self.everyone)
        for claim in self.claims:
            for side in (claim.arm, claim.control):
                if side not in arms:
                    near = did_you_mean(side, arms, "add it to models")
                    raise ValueError(f"claim {claim.name}: no model is called {side}; {near}")
        return self

    @model_validator(mode="after")
    def _names_are_folders(self) -> Self:
        names = [f"{model.name}-{decoding}" for model in self.everyone for decoding in self.decodings]
        for name in (self.name, *names):
            if name in {"", ".", ".."} or set(name) & {"/", "\\", "\0"}:
                raise ValueError(f"{name!r}: one folder name, without slashes")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two evals would be called {', '.join(twice)}: each model needs its own name")
        return self


def load_eval_recipe(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    grader: Any = None,
    graders: Mapping[str, Any] | None = None,
    votes: Mapping[str, Weigh] | None = None,
    backends: Mapping[str, Any] | None = None,
) -> EvalRecipe:
    """The recipe of `errata eval`. `name` and `run` are by default the file's stem and `runs/STEM`.

    Args:
        overrides: `key=value` texts as for `errata synth`.
        grader, graders, votes, backends: as `with_parts` takes them.

    Raises:
        UsageError: anything bad in the file, the overrides or the code that it names.
    """
    path = Path(path)
    data = read_mapping(path)
    refuse_other_verb(data, "eval", str(path))
    data.setdefault("name", path.stem)
    data.setdefault("run", f"runs/{data['name']}")
    if isinstance(data.get("tasks"), list):
        data["tasks"] = {str(name): {} for name in data["tasks"]}
    if not data.get("baseline") and not any(text.startswith("baseline") for text in overrides):
        raise UsageError(
            f"{path} has no baseline",
            "what a training changed shows beside the untouched student",
            "add baseline: {name: untouched, model: local/PATH}, the model that the training started from",
        )
    override(data, overrides)
    loader = Loader(path.parent)
    recipe = validate(EvalRecipe, data, overrides, str(path), loader.load)
    recipe._code = loader.code
    return with_parts(recipe, grader, graders, votes, backends)


def with_parts(
    recipe: EvalRecipe,
    grader: Any = None,
    graders: Mapping[str, Any] | None = None,
    votes: Mapping[str, Weigh] | None = None,
    backends: Mapping[str, Any] | None = None,
) -> EvalRecipe:
    """The recipe with parts given as values in place of those that it names.

    Args:
        grader: a function `(problem, text) -> Grade`, or an object or class with `grade`, for all tasks without one.
        graders: such graders by task.
        votes: by decoding, a function from an item's samples to one weight each.
        backends: by provider, who is asked for the models that are written PROVIDER/NAME: a class derived from
            errata.Backend, or an object of one.

    Raises:
        UsageError: a task, decoding or provider that the recipe does not have; one sample where there is a vote.
    """
    changes: dict[str, Any] = {} if grader is None else {"grader": Reference.of(grader)}
    changes["tasks"] = _changed(recipe.tasks, "tasks", "grader", graders or {})
    changes["decodings"] = _changed(recipe.decodings, "decodings", "vote", votes or {})
    if backends:
        check_backends(backends, recipe.everyone)
        changes["baseline"] = with_backend(recipe.baseline, backends)
        changes["models"] = tuple(with_backend(model, backends) for model in recipe.models)
    for name in votes or ():
        if changes["decodings"][name].samples == 1:
            where = f"decodings.{name}"
            raise UsageError(f"{where} has one sample", "a vote needs several", f"set {where}.samples and temperature")
    changed = recipe.model_copy(update=changes)
    changed._code = recipe._code
    return changed


def _changed(sections: Mapping[str, Any], key: str, field: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    for name in parts:
        if name not in sections:
            raise UsageError(
                f"no {key}.{name} in the recipe", "a part was given for it", f"name one of {', '.join(sections)}"
            )
    return {
        name: section.model_copy(update={field: Reference.of(parts[name])}) if name in parts else section
        for name, section in sections.items()
    }
