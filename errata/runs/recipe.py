"""One YAML file and its overrides become one frozen recipe.

    recipe.yaml + key=value ... -> plain data -> own stages loaded -> SynthRecipe -> check

Whatever cannot be right is refused here, before a call is paid for: an unknown key with the nearest known one, a wrong
type, a stage without its agents. Strings that are paths may hold `${VAR:-default}`; they stay as written in the recipe
and are expanded where they are used, so that a run may be resumed after its data has moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, PrivateAttr, SerializeAsAny, create_model, model_validator

from errata.agents.prompts import Prompts, load_prompts
from errata.config.base import Settings
from errata.config.code import Code, Loader, Reference, code_of, is_reference
from errata.config.env import expand
from errata.config.overrides import SHOWN, _joined, _shown, override, validate
from errata.config.yaml_file import read_mapping, unshared
from errata.data.source import ProblemSource
from errata.errors import UsageError
from errata.grading.grader import Grades
from errata.graphs.call_counts import CallEstimate, Rates, call_estimates
from errata.graphs.pipeline import GRAPHS, LESSON, STAGES, ShippedSettings, check_agents, in_order
from errata.graphs.stage import AnyStage, PipelineSettings, Stage, settings_model
from errata.llm.budget import Budget
from errata.llm.spec import Agents, Sampling, check_spec


class SynthRecipe(Settings):
    """`errata synth`: a data set of problems through the stages of one pipeline."""

    name: str
    graph: str = LESSON
    """A stage by name, with what it needs before it, or `lesson`: all stages, or those in `stages`."""
    stages: tuple[str, ...] | None = None
    """Of a lesson: the stages in the order in which they run, by default all; one's own as `my_stages.py:NAME`."""
    grader: Reference | None = None
    """A grader of one's own (`my_grader.py:NAME`): a function `(problem, text) -> Grade`, or a class with `grade`."""
    problems: ProblemSource
    agents: Agents
    settings: SerializeAsAny[PipelineSettings] = ShippedSettings()
    seed: int = 17
    prompts: str | None = None
    """A folder whose files replace prompts of the same name."""
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

    _own: dict[str, AnyStage] = PrivateAttr(default_factory=dict)
    """Stages of one's own, by what `stages` calls them."""
    _code: dict[str, Code] = PrivateAttr(default_factory=dict)
    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _name_is_one_folder(self) -> Self:
        if self.name in {"", ".", ".."} or "/" in self.name or "\\" in self.name or not self.name.isprintable():
            raise ValueError(f"name {self.name!r}: one folder name, without slashes or control characters")
        return self

    @property
    def pipeline(self) -> tuple[AnyStage, ...]:
        """The stages that run, in order. Raises UsageError where they cannot."""
        known = {stage.name: stage for stage in STAGES} | self._own
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

    def load_prompts(self) -> Prompts:
        """The prompts of all agents: shipped, the stages' own, and those that the folder `prompts` replaces."""
        own = {name: path for stage in self.pipeline for name, path in stage.prompts.items()}
        return load_prompts(self.prompts and expand(self.prompts), own)


CHANGEABLE = {"limit", "budget", "concurrency", "runs", "eval_sets"}
"""Top-level keys that may differ between runs of one directory; of the agents see CHANGEABLE_OF_AGENT."""
CHANGEABLE_OF_AGENT = {"price", "rpm", "tpm", "concurrency", "api_key_env", "retries", "timeout", "fallback"}


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
) -> SynthRecipe:
    """The recipe of `errata synth`. `name` is by default the file's stem.

    Args:
        overrides: `key=value` texts: the key dotted, list places counted from 0
            (`agents.teachers.0.model=openai/NAME`), the value read as YAML.
        stages: what the lesson runs in place of the recipe's `stages`, one's own among them.
        grader: in place of the recipe's `grader`.

    Raises:
        UsageError: anything bad in the file, the overrides or the code that it names.
    """
    file = Path(path)
    data = read_mapping(file)
    data.setdefault("name", file.stem)
    override(data, overrides)
    refuse_old_keys(data, str(file))
    if stages is not None:
        data["stages"] = [stage.name for stage in stages]
    return check(with_grader(recipe_of(data, file.parent, str(file), overrides, stages or ()), grader))


def recipe_of(
    data: dict[str, Any], folder: Path, where: str, overrides: Sequence[str] = (), stages: Sequence[AnyStage] = ()
) -> SynthRecipe:
    """A recipe's plain data as the recipe, its own code loaded from the folder. `where` names the data in errors."""
    loader = Loader(folder)
    own = _own_stages(data.get("stages"), loader)
    own |= {stage.name: stage for stage in stages if stage not in STAGES}
    recipe = validate(recipe_model((*STAGES, *own.values())), data, overrides, where, loader.load)
    recipe._own, recipe._code, recipe._folder = own, loader.code | _code_of_stages(stages), folder
    return recipe


def with_parts(recipe: SynthRecipe, stages: Sequence[AnyStage] | None = None, grader: Any = None) -> SynthRecipe:
    """The recipe with parts given as values in place of those it names. Raises UsageError as `load_recipe` does."""
    if stages is not None:
        own = {stage.name: stage for stage in stages if stage not in STAGES}
        recipe = recipe.model_copy(update={"stages": tuple(stage.name for stage in stages)})
        recipe._own, recipe._code = recipe._own | own, recipe._code | _code_of_stages(stages)
    recipe = with_grader(recipe, grader)
    return check(recipe) if stages is not None else recipe


def with_grader(recipe: SynthRecipe, grader: Any) -> SynthRecipe:
    """The recipe with a grader given as a value."""
    if grader is None:
        return recipe
    changed = recipe.model_copy(update={"grader": Reference.of(grader)})
    changed._code = recipe._code | {str(changed.grader): code_of(grader)}
    return changed


def load_saved_recipe(path: Path) -> SynthRecipe:
    """The recipe in a run directory, to be read and not to be run: no code that it names is loaded.

    Sections of one's own stages are left out; their names stand in `stages`. Recipes of versions that had `stages`
    among the settings are read too. Raises UsageError.
    """
    data = upgraded(read_mapping(path))
    known = {*PipelineSettings.model_fields, *(stage.name for stage in STAGES)}
    if isinstance(data.get("settings"), dict):
        data["settings"] = {key: value for key, value in data["settings"].items() if key in known}
    return validate(recipe_model(STAGES), data, (), str(path))


def stages_run(manifest: Mapping[str, Any], recipe: SynthRecipe) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """The stages of a finished run with the roles that each writes and their use, without loading any code.

    The manifest states them; where it is older or missing, the recipe's shipped stages do.
    """
    stated = manifest.get("stages")
    if isinstance(stated, list):
        return tuple((str(each["name"]), dict(each["roles"])) for each in stated)
    return tuple((stage.name, dict(stage.roles)) for stage in recipe.pipeline)


def upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """The data of a saved recipe with the keys of older versions under their names of today."""
    settings = data.get("settings")
    if isinstance(settings, dict) and "stages" in settings:
        named = settings.pop("stages")
        if named:  # they ran in the order of the graph, not of the list
            data.setdefault("stages", [stage.name for stage in STAGES if stage.name in named])
    return data


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
            stage = loader.load(reference)
            if not isinstance(stage, Stage):
                raise UsageError(
                    f"{reference} is a {type(stage).__name__}",
                    "a stage is a value of errata.Stage",
                    "name one, e.g. SHORTEN = Stage(name=..., ...)",
                )
            own[reference] = stage
    return own


def _code_of_stages(stages: Sequence[AnyStage]) -> dict[str, Code]:
    return {stage.name: code_of(stage.build) for stage in stages if stage not in STAGES}


def _stage(name: str, known: Mapping[str, AnyStage]) -> AnyStage:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    raise UsageError(
        f"no stage is called {name}",
        f"known are {', '.join(known)}",
        f"did you mean {near[0]}?" if near else "one's own is written my_stages.py:NAME",
    )


def check(recipe: SynthRecipe) -> SynthRecipe:
    """The recipe itself. Raises UsageError where a stage lacks its agents, or an agent its recordings or provider."""
    for spec in recipe.agents.everyone:
        check_spec(spec)
    if recipe.graph not in GRAPHS:
        near = get_close_matches(recipe.graph, GRAPHS, n=1)
        raise UsageError(
            f"graph is {recipe.graph!r}",
            f"it is one of {', '.join(GRAPHS)}",
            f"did you mean {near[0]}?" if near else "stages of one's own stand in `stages` of graph: lesson",
        )
    if recipe.stages is not None and recipe.graph != LESSON:
        raise UsageError(
            f"stages are given to graph {recipe.graph}",
            "only a lesson has them",
            "remove graph, or write graph: lesson",
        )
    pipeline = recipe.pipeline
    check_agents(pipeline, recipe.agents, recipe.settings)
    _check_budget(recipe, [stage.name for stage in (*STAGES, *pipeline)])
    for estimate in recipe.calls():
        if estimate.agent.recorded:
            _check_recording(recipe, estimate)
    return recipe


def _check_budget(recipe: SynthRecipe, known: Sequence[str]) -> None:
    for name in recipe.budget.stages:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise UsageError(
                f"budget.stages.{name}: no stage has this name",
                f"the stages are {', '.join(dict.fromkeys(known))}",
                f"did you mean {near[0]}?" if near else "remove it",
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


# ---- the same run? ---------------------------------------------------------------------------------------------------


def dump_recipe(recipe: SynthRecipe) -> str:
    """The resolved recipe as YAML: every key, but for an agent's decoding parameters where they are left to the stage.

    Loading it gives an equal recipe.
    """
    return yaml.dump(_plain(recipe), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Escapes U+0085, which PyYAML otherwise writes as a line break and reads back as a space."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = '"' if "\x85" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


def differences(old: SynthRecipe, new: SynthRecipe) -> list[str]:
    """Dotted paths at which two recipes differ, apart from what may change between runs of one directory."""
    return [path for path in _differing(_plain(old), _plain(new), "") if not _changeable(path)]


def refuse_other_recipe(saved: Path, recipe: SynthRecipe) -> None:
    """Raises UsageError where the recipe saved in a run directory is another one; no saved recipe, no objection."""
    if not saved.exists():
        return
    there = validate(type(recipe), _known_sections(upgraded(read_mapping(saved)), recipe), (), str(saved))
    paths = differences(there, recipe)
    if not paths:
        return
    told = [f"{path} is {_shown(_at(there, path))} there, {_shown(_at(recipe, path))} here" for path in paths[:SHOWN]]
    raise UsageError(
        f"{saved.parent} holds a run of another recipe: {'; '.join(told)}{'; ...' if len(paths) > SHOWN else ''}",
        "one run directory holds the transcripts of one recipe",
        f"give this run a name of its own: name=..., or restore the recipe ({saved})",
    )


def _known_sections(data: dict[str, Any], recipe: SynthRecipe) -> dict[str, Any]:
    """Without the settings of own stages that this recipe does not know: its list of stages differs anyway."""
    if isinstance(data.get("settings"), dict):
        known = type(recipe.settings).model_fields
        data["settings"] = {key: value for key, value in data["settings"].items() if key in known}
    return data


def _plain(recipe: SynthRecipe) -> dict[str, Any]:
    data: dict[str, Any] = unshared(recipe.model_dump())
    agents = data["agents"]
    pairs = [(recipe.agents.student, agents["student"])]
    pairs += zip(recipe.agents.teachers, agents["teachers"], strict=True)
    pairs += zip(recipe.agents.reviewers or (), agents["reviewers"] or (), strict=True)
    pairs += zip(recipe.agents.standby, agents["standby"], strict=True)
    for key, specs in recipe.agents.named_others.items():
        plain = agents["others"][key]
        pairs += zip(specs, plain if isinstance(plain, list) else [plain], strict=True)
    for spec, plain in pairs:
        for key in Sampling.model_fields:
            # left out, the stage's value holds; an explicit null means "do not send it"
            if spec is not None and key not in spec.model_fields_set:
                del plain[key]
    return data


def _differing(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *(key for key in new if key not in old)):
            if key not in old or key not in new:
                yield _joined(path, key)
            else:
                yield from _differing(old[key], new[key], _joined(path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _differing(left, right, _joined(path, place))
    elif old != new or type(old) is not type(new):
        yield path


def _changeable(path: str) -> bool:
    top, *rest = path.split(".")
    if top == "agents" and rest:
        if rest[0] == "standby":
            return True
        key = rest[1:2] if rest[0] == "student" else rest[2:3]
        return bool(key) and key[0] in CHANGEABLE_OF_AGENT
    return top in CHANGEABLE


def _at(recipe: SynthRecipe, path: str) -> Any:
    value: Any = _plain(recipe)
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (LookupError, ValueError, TypeError):
            return None
    return value
