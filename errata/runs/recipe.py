"""One YAML file and its overrides become one frozen recipe.

    recipe.yaml + key=value ... -> plain data -> SynthRecipe -> check

Whatever cannot be right is refused here, before a call is paid for: an unknown key with the nearest known one, a wrong
type, a stage without its agents. Strings that are paths may hold `${VAR:-default}`; they stay as written in the recipe
and are expanded where they are used, so that a run may be resumed after its data has moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, model_validator

from errata.config.base import Settings
from errata.config.overrides import SHOWN, _joined, _shown, apply
from errata.config.yaml_file import read_mapping, unshared
from errata.data.source import ProblemSource
from errata.errors import UsageError
from errata.graphs.pipeline import GraphSettings, stages_of
from errata.llm.budget import Budget
from errata.llm.spec import Agents, AgentSpec, Sampling
from errata.records import Verb


class SynthRecipe(Settings):
    """`errata synth`: a data set of problems through one graph."""

    name: str
    graph: str
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


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> SynthRecipe:
    """The recipe of `errata synth`. `name` is by default the file's stem.

    `overrides` are `key=value`: the key dotted, list places counted from 0 (`agents.teachers.0.model=openai/NAME`), the
    value read as YAML. Raises UsageError on anything bad in either.
    """
    data = read_mapping(path)
    data.setdefault("name", path.stem)
    recipe = apply(SynthRecipe, data, overrides, str(path))
    check(recipe)
    return recipe


# ---- overrides -------------------------------------------------------------------------------------------------------


# ---- faults ----------------------------------------------------------------------------------------------------------


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
    there = apply(SynthRecipe, read_mapping(saved), (), str(saved))
    paths = differences(there, recipe)
    if not paths:
        return
    told = [f"{path} is {_shown(_at(there, path))} there, {_shown(_at(recipe, path))} here" for path in paths[:SHOWN]]
    raise UsageError(
        f"{saved.parent} holds a run of another recipe: {'; '.join(told)}{'; ...' if len(paths) > SHOWN else ''}",
        "one run directory holds the transcripts of one recipe",
        f"give this run a name of its own: name=..., or restore the recipe ({saved})",
    )


def _plain(recipe: SynthRecipe) -> dict[str, Any]:
    data: dict[str, Any] = unshared(recipe.model_dump())
    agents = data["agents"]
    pairs = [(recipe.agents.student, agents["student"])]
    pairs += zip(recipe.agents.teachers, agents["teachers"], strict=True)
    pairs += zip(recipe.agents.reviewers or (), agents["reviewers"] or (), strict=True)
    pairs += zip(recipe.agents.standby, agents["standby"], strict=True)
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


# ---- who must do what ----


_REMEDIES: dict[Verb, str] = {
    "classify": "set settings.mistake_explanation.classify=false",
    "revise": "set settings.peer_review.revise_rounds=0",
    "rectify": "set settings.dual_cot.rectify=false, or leave dual_cot out of the graph",
    "corrupt": "set settings.dual_cot.corrupt=false, or leave dual_cot out of the graph",
}


def check(recipe: SynthRecipe) -> None:
    """Raises UsageError where a stage lacks its agents, an agent its recordings, or a model string its provider."""
    for spec in recipe.agents.everyone:
        _check_model(spec)
        _check_secrets(spec)
    stages = stages_of(recipe.graph, recipe.settings)
    _check_company(recipe, stages)
    for spec, verb, stage in asked(recipe):
        if spec.recorded:
            _check_recording(recipe, spec, verb, stage)


def asked(recipe: SynthRecipe) -> Iterator[tuple[AgentSpec, Verb, str]]:
    """Who may be asked to do what, in which stage."""
    agents, settings = recipe.agents, recipe.settings
    stages = stages_of(recipe.graph, settings)
    teaching: list[tuple[str, Verb, bool]] = [
        ("rationales", "solve", True),
        ("peer_review", "revise", settings.peer_review.revise_rounds > 0),
        ("mistake_explanation", "explain", True),
        ("mistake_explanation", "classify", settings.mistake_explanation.classify),
        ("dual_cot", "rectify", settings.dual_cot.rectify),
        ("dual_cot", "corrupt", settings.dual_cot.corrupt),
    ]
    if agents.student and "exam" in stages:
        yield agents.student, "solve", "exam"
    yield from (
        (spec, verb, stage)
        for stage, verb, wanted in teaching
        if wanted and stage in stages
        for spec in agents.teachers
    )
    judging: list[tuple[str, bool]] = [("peer_review", True), ("dual_cot", settings.dual_cot.review)]
    for stage, wanted in judging:
        if wanted and stage in stages:
            yield from ((spec, "score", stage) for spec in agents.panel)


def _check_model(spec: AgentSpec) -> None:
    provider, _, name = spec.model.partition("/")
    if not provider.strip() or not name.strip():
        bare = spec.model.strip("/ ") or "NAME"
        raise UsageError(
            f"agent {spec.name}: model {spec.model!r}",
            "a model is written provider/NAME, so that it is clear who is asked",
            f"write openai/{bare}, anthropic/{bare}, simulated/{bare}, local/PATH ...",
        )


_SECRET = re.compile(r"api[-_]?key|authorization|secret|password|credential|(access|auth|bearer)[-_]?token", re.I)


def _check_secrets(spec: AgentSpec) -> None:
    """A run directory holds a copy of its recipe and is made to be handed on: no key stands in it."""
    if re.search(r"//[^/@]*:[^/@]*@", spec.api_base or ""):
        raise UsageError(
            f"agent {spec.name}: api_base holds a password",
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
    for name, item in value.items() if isinstance(value, dict) else ():
        here = f"{path}.{name}"
        if isinstance(item, dict):
            yield from _secrets(item, here)
        elif _SECRET.search(str(name)) and isinstance(item, str) and not (path.endswith("headers") and "${" in item):
            yield here


def _check_company(recipe: SynthRecipe, stages: tuple[str, ...]) -> None:
    agents = recipe.agents
    if "exam" in stages and agents.student is None:
        raise UsageError(
            f"graph {recipe.graph} holds the stage exam, and there is no student",
            "its mistakes are what the exam is for",
            "add agents.student, or run graph lesson with settings.stages that need no exam",
        )
    if set(stages) - {"exam"} and not agents.teachers:
        raise UsageError(
            f"graph {recipe.graph} holds the stage {next(s for s in stages if s != 'exam')}, and there is no teacher",
            "teachers write rationales, explanations and rewrites",
            "add agents.teachers",
        )
    if "peer_review" in stages or ("dual_cot" in stages and recipe.settings.dual_cot.review):
        _check_panel(recipe)


def _check_panel(recipe: SynthRecipe) -> None:
    names = [spec.name for spec in recipe.agents.panel]
    accept = recipe.settings.peer_review.accept
    for teacher in recipe.agents.teachers:
        peers = [name for name in names if name != teacher.name]
        if not peers:
            raise UsageError(
                f"nobody can review {teacher.name}: the panel is {', '.join(names) or 'empty'}",
                "no one scores what is their own",
                "name a second teacher, or agents.reviewers",
            )
        if accept.rule == "k_of_n" and accept.k > len(peers):
            raise UsageError(
                f"settings.peer_review.accept.k is {accept.k}, and {teacher.name} has {len(peers)} reviewers",
                "no rationale of theirs could ever be accepted",
                f"set k to {len(peers)} or less, or add reviewers",
            )


def _check_recording(recipe: SynthRecipe, spec: AgentSpec, verb: Verb, stage: str) -> None:
    if verb not in spec.recorded:
        raise UsageError(
            f"agent {spec.name} replays recordings and has none of the verb {verb}, which {stage} asks for",
            f"it has {', '.join(sorted(spec.recorded))}; every such call would fail",
            _REMEDIES.get(verb, f"add agents...{spec.name}.recorded.{verb}, or let another model speak"),
        )
    reply = spec.recorded["score"].reply if verb == "score" else ""
    missing = [t.name for t in recipe.agents.teachers if t.name != spec.name and t.name not in reply]
    if isinstance(reply, dict) and missing:
        raise UsageError(
            f"agent {spec.name}: recorded.score.reply has no path for the author {', '.join(missing)}",
            "verdicts are recorded by the author they judge",
            f"add {missing[0]}: PATH",
        )
