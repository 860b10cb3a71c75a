"""Does a recipe name the agents its graph needs, and can each do what it will be asked?

Found out here, before the first call, and not by the graph in the middle of a paid run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from errata.errors import UsageError
from errata.records import Verb
from errata.settings import AgentSpec, GraphName, GraphSettings, Stage, SynthRecipe

STAGES: tuple[Stage, ...] = get_args(Stage)
_NEEDS: dict[Stage, Stage] = {"peer_review": "rationales", "mistake_explanation": "exam", "dual_cot": "rationales"}
_REMEDIES: dict[Verb, str] = {
    "classify": "set settings.mistake_explanation.classify=false",
    "revise": "set settings.peer_review.revise_rounds=0",
    "rectify": "set settings.dual_cot.rectify=false, or leave dual_cot out of the graph",
    "corrupt": "set settings.dual_cot.corrupt=false, or leave dual_cot out of the graph",
}


def stages_of(name: GraphName, settings: GraphSettings) -> tuple[Stage, ...]:
    """The parts that run, in the order of the graph: those named and those they need before them."""
    named = (settings.stages or STAGES) if name == "lesson" else (name,)
    needed: set[Stage] = {_NEEDS[stage] for stage in named if stage in _NEEDS}
    if settings.only_mistakes:
        needed.add("exam")
    return tuple(stage for stage in STAGES if stage in named or stage in needed)


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


def asked(recipe: SynthRecipe) -> Iterator[tuple[AgentSpec, Verb, Stage]]:
    """Who may be asked to do what, in which stage."""
    agents, settings = recipe.agents, recipe.settings
    stages = stages_of(recipe.graph, settings)
    teaching: list[tuple[Stage, Verb, bool]] = [
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
    judging: list[tuple[Stage, bool]] = [("peer_review", True), ("dual_cot", settings.dual_cot.review)]
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


def _check_company(recipe: SynthRecipe, stages: tuple[Stage, ...]) -> None:
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


def _check_recording(recipe: SynthRecipe, spec: AgentSpec, verb: Verb, stage: Stage) -> None:
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
