"""What of a recipe cannot do without gold answers, or with them, said before the first call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from errata.errors import UsageError
from errata.graphs.stage import AnyStage, PipelineSettings
from errata.graphs.stages.exam import EXAM
from errata.graphs.stages.peer_review import PEER_REVIEW
from errata.graphs.stages.rationales import RATIONALES
from errata.llm.spec import Agents

_WHY = "some problems have no gold answer (problems.gold)"


def check_without_gold(
    stages: Sequence[AnyStage], agents: Agents, settings: PipelineSettings, grader: Any = None
) -> None:
    """Raises UsageError where a recipe whose problems may lack a gold answer asks for what needs one.

    Args:
        stages: those that run, in order.
        grader: the recipe's own, as a value.
    """
    names = [stage.name for stage in stages]
    for stage in stages:
        if stage.needs_gold:
            raise UsageError(f"the stage {stage.name} needs gold answers", _WHY, f"leave {stage.name} out of `stages`")
    if grader is not None and not hasattr(grader, "same"):
        do = "leave grader out, or give it `async same(kind, one, other, choices) -> bool`"
        raise UsageError("a grader of one's own that cannot compare two answers", _WHY, do)
    if "mistake_explanation" in names and "rationales" not in names[: names.index("mistake_explanation")]:
        raise UsageError(
            "mistakes are to be explained before the teachers have answered",
            f"{_WHY}: explanations then show the answer that the teachers agree on",
            "write graph: lesson and stages: [exam, rationales, mistake_explanation]",
        )
    if settings.only_mistakes and "rationales" not in names[: names.index("exam")]:
        raise UsageError(
            "settings.only_mistakes is set, and the exam comes first",
            f"{_WHY}: which answers are mistakes is known once the teachers have answered",
            f"write stages: [rationales, exam, {', '.join(_rest(names))}], or leave only_mistakes out",
        )
    if PEER_REVIEW.name not in names and _answers(names, agents, settings) < 2:
        raise UsageError(
            "each problem gets one answer, and no panel sits",
            f"{_WHY}: verdicts are then estimated from several answers and from reviews",
            "set settings.rationales.samples=4, add teachers, or add peer_review to `stages`",
        )


def check_with_gold(stages: Sequence[AnyStage], settings: PipelineSettings) -> None:
    """Raises UsageError where a recipe whose problems all have a gold answer asks for what goes by estimates."""
    if PEER_REVIEW in stages and settings.of(PEER_REVIEW).votes == "adaptive":
        raise UsageError(
            "settings.peer_review.votes is adaptive, and every problem has a gold answer",
            "a review is asked for where it is open which answer is right, and here that is known",
            "set settings.peer_review.votes=all, or write problems.gold=none, or some",
        )


def _rest(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in ("exam", "rationales")]


def _answers(names: Sequence[str], agents: Agents, settings: PipelineSettings) -> int:
    """Answers per problem that are written without sight of another."""
    teachers = len(agents.teachers) * settings.of(RATIONALES).samples if RATIONALES.name in names else 0
    return teachers + (settings.of(EXAM).samples if EXAM.name in names else 0)
