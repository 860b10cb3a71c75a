"""When a school ends, and which of its students stands: pure functions of its record."""

from __future__ import annotations

from collections.abc import Sequence

from errata.school.recipe import Stop
from errata.school.record import Round, School

NO_PROBLEM = "no problem is left that the chooser would teach"
NOTHING_TO_LEARN = "its lesson leaves nothing to learn from"
DIVERGED_TWICE = "its training diverged, and at half the rate again"
FINAL = (NO_PROBLEM, NOTHING_TO_LEARN, DIVERGED_TWICE)
"""Within a round, what the same command ends by again, whatever may be changed of its recipe."""


def is_good(done: Round, stop: Stop) -> bool:
    """Whether the round's student may stand: not shown worse than the one before, and little forgotten."""
    return done.gain is not None and not _fell(done, stop) and not _forgot(done, stop)


def last_good(rounds: Sequence[Round], stop: Stop) -> str | None:
    """The student that stands: of the last judged round with a good one; None for the untouched student."""
    good = [each.student for each in rounds if each.student is not None and is_good(each, stop)]
    return good[-1] if good else None


def why_stop(rounds: Sequence[Round], stop: Stop, most: int) -> str | None:
    """Why no further round begins after these judged ones; None: another one does.

    Args:
        most: rounds that the recipe asks for.
    """
    if not rounds or rounds[-1].gain is None:
        return None
    last = rounds[-1]
    assert last.gain is not None
    if _forgot(last, stop):
        return (
            f"round {last.round} lost {100 * (last.forgotten or 0):.1f} points on what was mastered, "
            f"more than {stop.forgetting:g}: the student before it stands"
        )
    if _fell(last, stop):
        return f"round {last.round} is shown to be worse than the student before it, which stands"
    if _noise(rounds) >= stop.patience:
        return f"the gain of {_noise(rounds)} round{'s' * (stop.patience > 1)} in a row could be noise"
    if last.round < most:
        return None
    return f"all {most} rounds are done" if most > 1 else "its one round is done"


def goes_on(school: School, stop: Stop, most: int) -> bool:
    """Whether the same command would do more than it has done."""
    judged = [each for each in school.rounds if each.gain is not None]
    return not any(end in (school.stopped or "") for end in FINAL) and why_stop(judged, stop, most) is None


def _fell(done: Round, stop: Stop) -> bool:
    return stop.worse and done.gain is not None and done.gain.verdict == "worse"


def _forgot(done: Round, stop: Stop) -> bool:
    return done.forgotten is not None and 100 * done.forgotten > stop.forgetting


def _noise(rounds: Sequence[Round]) -> int:
    """Rounds at the end whose gain is not shown."""
    number = 0
    for each in reversed(rounds):
        if each.gain is None or each.gain.verdict != "not shown":
            break
        number += 1
    return number


def has_grown(first: float, loss: float, factor: float) -> bool:
    """Whether a training loss says that the student has diverged: no finite number, or `factor` times the first."""
    return not loss < float("inf") or loss > factor * first
