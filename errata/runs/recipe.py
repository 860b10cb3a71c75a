"""One YAML file and its overrides become one frozen recipe.

    recipe.yaml + key=value ... -> plain data -> own stages loaded -> SynthRecipe -> check

Whatever cannot be right is refused here, before a call is paid for: an unknown key with the nearest known one, a wrong
type, a stage without its agents. Paths may hold `${VAR:-default}`: they are resolved here, once, and saved as they are
written, so that a run may be resumed after its data has moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, SerializeAsAny, create_model, model_validator

from errata.agents.prompts import Prompts, load_prompts
from errata.config.base import Settings
from errata.config.code import Code, Loader, Reference, code_of, is_reference
from errata.config.env import Location, expand
from errata.config.overrides import override, validate
from errata.config.recipe_kinds import refuse_other_verb
from errata.config.yaml_file import read_mapping
from errata.data.source import ProblemSource
from errata.errors import UsageError, did_you_mean
from errata.grading.grader import Grades
from errata.graphs.call_counts import CallEstimate, Rates
from errata.graphs.pipeline import (
    GRAPHS,
    LESSON,
    SHIPPED,
    STAGES,
    ShippedSettings,
    call_estimates,
    check_agents,
    in_order,
)
from errata.graphs.stage import AnyStage, PipelineSettings, Stage, settings_model
from errata.llm.budget import Budget
from errata.llm.spec import Agents, AgentSpec, check_spec
from errata.runs.acceptance import Acceptance
from errata.runs.without_gold import check_with_gold, check_without_gold


class SynthRecipe(Settings):
    """`errata synth`: a data set of problems through the stages of one pipeline."""

    name: str
    """Of the run directory; by default the file's stem."""
    graph: str = LESSON
    """A stage by name, with what it needs before it, or `lesson`: all stages, or those in `stages`."""
    stages: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Of a lesson: the stages in the order in which they run, by default all but locate and shorten_thinking; one's own
    as `my_stages.py:NAME`."""
    grader: Reference | None = None
    """A grader of one's own (`my_grader.py:NAME`): a function `(problem, text) -> Grade`, or a class with `grade`."""
    problems: ProblemSource
    agents: Agents
    settings: SerializeAsAny[PipelineSettings] = ShippedSettings()
    seed: int = 17
    """Another seed makes other draws and asks for other samples."""
    prompts: Location | None = None
    """A folder whose files replace prompts of the same name."""
    store: Location | None = None
    """The response store; by default `.calls` in the folder `runs`, shared by its runs."""
    runs: Location = "runs"
    """The folder that holds run directories."""
    accept: Acceptance | None = None
    """By which rule exports and trainings accept rationales; None: as the panel did while the run was on."""
    licence: str | None = None
    """The data's licence, as it shall stand on data-set cards."""
    eval_sets: tuple[ProblemSource, ...] = ()
    """Evaluation sets that exports are compared with for overlap."""
    limit: int | None = Field(default=None, ge=1)
    """The first so many problems."""
    budget: Budget = Budget()
    concurrency: int = Field(default=32, ge=1)
    """Calls in flight at most, over all agents; twice as many problems are."""

    _own: dict[str, AnyStage] = PrivateAttr(default_factory=dict)
    """Stages of one's own, by what `stages` calls them."""
    _code: dict[str, Code] = PrivateAttr(default_factory=dict)
    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _name_is_one_folder(self) -> Self:
        if self.name in {"", ".", ".."} or set("/\\$") & set(self.name) or not self.name.isprintable():
            raise ValueError(f"name {self.name!r}: one folder name, without slashes, $ or control characters")
        return self

    @property
    def pipeline(self) -> tuple[AnyStage, ...]:
        """The stages that run, in order. Raises UsageError where they cannot."""
        known = {stage.name: stage for stage in SHIPPED} | self._own
        named = (self.stages or [stage.name for stage in STAGES]) if self.graph == LESSON else (self.graph,)
        return in_order([_stage(name, known) for name in named], only_mistakes=self.settings.only_mistakes)

    @property
    def folder(self) -> Path:
        """Where the files of one's own parts are looked for: the folder of the recipe's file."""
        return self._folder

    @property
    def code(self) -> dict[str, Code]:
        """The files of one's own parts, by what the recipe calls them."""
        return dict(self._code)

    def calls(self, rates: Rates | None = None) -> list[CallEstimate]:
        """Who asks how often with which prompt, per problem."""
        return call_estimates(self.pipeline, self.agents, self.settings, rates or Rates())

    @property
    def callees(self) -> tuple[AgentSpec, ...]:
        """The agents that the pipeline or a stage of one's own asks, and those that answer in their place."""
        named = {spec.name: spec for spec in self.agents.everyone}
        waiting = [estimate.agent.name for estimate in self.calls()]
        waiting += [spec.name for specs in self.agents.named_others.values() for spec in specs]
        agents: dict[str, AgentSpec] = {}
        while waiting:
            spec = named[waiting.pop(0)]
            if agents.setdefault(spec.name, spec) is spec and spec.fallback not in {None, *agents}:
                waiting.append(str(spec.fallback))
        return tuple(agents.values())

    def load_prompts(self) -> Prompts:
        """The prompts of all agents: shipped, the stages' own, and those that the folder `prompts` replaces."""
        own = {name: path for stage in self.pipeline for name, path in stage.prompts.items()}
        return load_prompts(self.prompts and expand(self.prompts), own)


CHANGEABLE = {"limit", "budget", "concurrency", "runs", "eval_sets", "accept"}
"""Top-level keys that may differ between runs of one directory; of the agents see CHANGEABLE_OF_AGENT."""
CHANGEABLE_OF_AGENT = {
    "price",
    "rpm",
    "tpm",
    "concurrency",
    "api_key_env",
    "retries",
    "timeout",
    "fallback",
    "give_up_after",
    "batch",
}


@cache
def recipe_model(stages: tuple[AnyStage, ...]) -> type[SynthRecipe]:
    """SynthRecipe with a section of settings for each of these stages."""
    settings = settings_model(stages)
    return create_model("SynthRecipe", __base__=SynthRecipe, settings=(settings, settings()))


def load_recipe(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    stages: Sequence[AnyStage] | None = None,
    grader: Grades | Any = None,
    backends: Mapping[str, Any] | None = None,
) -> SynthRecipe:
    """The recipe of `errata synth`. `name` is by default the file's stem.

    Args:
        overrides: `key=value` texts: the key dotted, list places counted from 0
            (`agents.teachers.0.model=openai/NAME`), the value read as YAML.
        stages: what the lesson runs in place of the recipe's `stages`, one's own among them.
        grader: in place of the recipe's `grader`.
        backends: by provider, who is asked for the models that are written PROVIDER/NAME: a class derived from
            errata.Backend, or an object of one.

    Raises:
        UsageError: anything bad in the file, the overrides or the code that it names.
    """
    file = Path(path)
    data = read_mapping(file)
    refuse_other_verb(data, "synth", str(file))
    data.setdefault("name", file.stem)
    override(data, overrides)
    refuse_old_keys(data, str(file))
    if stages is not None:
        data["stages"] = [stage.name for stage in stages]
    recipe = recipe_of(data, file.parent, str(file), overrides, stages or ())
    return check(with_backends(with_grader(recipe, grader), backends))


def recipe_of(
    data: dict[str, Any], folder: Path, where: str, overrides: Sequence[str] = (), stages: Sequence[AnyStage] = ()
) -> SynthRecipe:
    """A recipe's plain data as the recipe, its own code loaded from the folder. `where` names the data in errors."""
    loader = Loader(folder)
    own = _own_stages(data.get("stages"), loader)
    own |= {stage.name: stage for stage in stages if stage not in SHIPPED}
    recipe = validate(recipe_model((*SHIPPED, *own.values())), data, overrides, where, loader.load)
    recipe._own, recipe._code, recipe._folder = own, loader.code | _code_of_stages(stages), folder
    return recipe


def with_parts(
    recipe: SynthRecipe,
    stages: Sequence[AnyStage] | None = None,
    grader: Any = None,
    backends: Mapping[str, Any] | None = None,
) -> SynthRecipe:
    """The recipe with parts given as values in place of those it names. Raises UsageError as `load_recipe` does."""
    if stages is not None:
        own = {stage.name: stage for stage in stages if stage not in SHIPPED}
        recipe = recipe.model_copy(update={"stages": tuple(stage.name for stage in stages)})
        recipe._own, recipe._code = recipe._own | own, recipe._code | _code_of_stages(stages)
    recipe = with_backends(with_grader(recipe, grader), backends)
    return check(recipe) if stages is not None or backends else recipe


def with_grader(recipe: SynthRecipe, grader: Any) -> SynthRecipe:
    """The recipe with a grader given as a value."""
    if grader is None:
        return recipe
    changed = recipe.model_copy(update={"grader": Reference.of(grader)})
    changed._code = recipe._code | {str(changed.grader): code_of(grader)}
    return changed


def with_backends(recipe: SynthRecipe, backends: Mapping[str, Any] | None) -> SynthRecipe:
    """The recipe with backends given as values, by provider. Raises UsageError for a provider that no agent names."""
    if not backends:
        return recipe
    changed = recipe.model_copy(update={"agents": recipe.agents.with_backends(backends)})
    changed._code = recipe._code | {str(Reference.of(part)): code_of(part) for part in backends.values()}
    return changed


def refuse_old_keys(data: Mapping[str, Any], where: str) -> None:
    """Raises UsageError on a key that has moved, with its new place."""
    settings = data.get("settings")
    if isinstance(settings, dict) and "stages" in settings:
        raise UsageError(
            f"{where}: settings.stages is now stages",
            "the stages stand beside graph, since they may be one's own, and run in the order of the list",
            f"write stages: {settings['stages']} at the top of the recipe",
        )


def _own_stages(named: Any, loader: Loader) -> dict[str, AnyStage]:
    own: dict[str, AnyStage] = {}
    for reference in named if isinstance(named, list) else ():
        if isinstance(reference, str) and is_reference(reference):
            own[reference] = loader.load_value(reference, Stage, "SHORTEN = Stage(name=..., ...)")
    return own


def _code_of_stages(stages: Sequence[AnyStage]) -> dict[str, Code]:
    return {stage.name: code_of(stage.build) for stage in stages if stage not in SHIPPED}


def _stage(name: str, known: Mapping[str, AnyStage]) -> AnyStage:
    if name in known:
        return known[name]
    raise UsageError(
        f"no stage is called {name}",
        f"known are {', '.join(known)}",
        did_you_mean(name, known, "one's own is written my_stages.py:NAME"),
    )


def check(recipe: SynthRecipe) -> SynthRecipe:
    """The recipe itself. Raises UsageError where a stage lacks its agents, or an agent its recordings or provider."""
    for spec in recipe.agents.everyone:
        check_spec(spec)
    if recipe.graph not in GRAPHS:
        raise UsageError(
            f"graph is {recipe.graph!r}",
            f"it is one of {', '.join(GRAPHS)}",
            did_you_mean(recipe.graph, GRAPHS, "stages of one's own stand in `stages` of graph: lesson"),
        )
    if recipe.stages is not None and recipe.graph != LESSON:
        raise UsageError(
            f"stages are given to graph {recipe.graph}",
            "only a lesson has them",
            "remove graph, or write graph: lesson",
        )
    pipeline = recipe.pipeline
    if recipe.problems.gold != "all":
        check_without_gold(pipeline, recipe.agents, recipe.settings, recipe.grader and recipe.grader.part)
    else:
        check_with_gold(pipeline, recipe.settings)
    check_agents(pipeline, recipe.agents, recipe.settings)
    _check_budget(recipe, [stage.name for stage in (*SHIPPED, *pipeline)])
    for estimate in recipe.calls():
        if estimate.agent.recorded:
            _check_recording(recipe, estimate)
    return recipe


def _check_budget(recipe: SynthRecipe, known: Sequence[str]) -> None:
    for name in recipe.budget.stages:
        if name not in known:
            raise UsageError(
                f"budget.stages.{name}: no stage has this name",
                f"the stages are {', '.join(dict.fromkeys(known))}",
                did_you_mean(name, known, "remove it"),
            )


def _check_recording(recipe: SynthRecipe, estimate: CallEstimate) -> None:
    spec, verb = estimate.agent, estimate.verb
    if verb not in spec.recorded:
        raise UsageError(
            f"agent {spec.name} replays recordings and has none of the verb {verb}, which {estimate.stage} asks for",
            f"it has {', '.join(sorted(spec.recorded))}; every such call would fail",
            estimate.avoid or f"add agents...{spec.name}.recorded.{verb}, or let another model speak",
        )
    reply = spec.recorded["score"].reply if verb == "score" else ""
    missing = [t.name for t in recipe.agents.teachers if t.name != spec.name and t.name not in reply]
    if isinstance(reply, dict) and missing:
        raise UsageError(
            f"agent {spec.name}: recorded.score.reply has no path for the author {', '.join(missing)}",
            "verdicts are recorded by the author they judge",
            f"add {missing[0]}: PATH",
        )
