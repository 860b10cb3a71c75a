"""How a problem ended: done, rejected because it yields nothing of what the graph is for, or failed."""

from __future__ import annotations

from collections.abc import Sequence

from errata.graphs.state import Story, mistakes_of, rationales_of
from errata.records import Call, Outcome

LONGEST_REASON = 200


def outcome_of(story: Story, goals: Sequence[str], *, only_mistakes: bool = False) -> Outcome:
    """`goals` are the stages whose yield counts: one is enough, and if there is none, the first says why.

    A call lost to the provider makes the problem failed, whatever else there is: the same command tries it again.
    """
    lost = [call for call in story.get("calls", {}).values() if call.failure is not None]
    if lost:
        return Outcome(status="failed", reason=_told(lost[0]))
    if only_mistakes and not mistakes_of(story):
        return Outcome(status="rejected", reason="student_right")
    missing = [_missing(story, goal) for goal in goals]
    if None in missing or not missing:
        return Outcome(status="done")
    return Outcome(status="rejected", reason=missing[0])


def _told(lost: Call) -> str:
    words = " ".join((lost.failure or "").split())
    return f"provider: {lost.agent}: {words}"[:LONGEST_REASON]


def _missing(story: Story, goal: str) -> str | None:
    """Why this stage has yielded nothing; None where it has."""
    taught = rationales_of(story, "teacher", "revised")
    match goal:
        case "exam":
            return None
        case "rationales":
            return None if any(each.correct for each in taught) else "no_correct_rationale"
        case "peer_review":
            if any(each.accepted for each in taught):
                return None
            return "no_accepted_rationale" if any(each.reviews for each in taught) else "no_correct_rationale"
        case "mistake_explanation":
            if story.get("explanations"):
                return None
            return "no_explanation" if mistakes_of(story) else "student_right"
        case "dual_cot":
            return None if any(pair.in_band for pair in story.get("pairs", {}).values()) else "no_pair"
    raise AssertionError(goal)
