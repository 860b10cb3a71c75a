"""Blind spots: what the personas of a faculty get wrong together, as real models trained on like texts do.

Each error of a persona is drawn from one number in [0, 1). With a chance of sqrt(shared) that number belongs to what is
judged or solved and is the same for all personas, else it is the persona's own. Of two personas with the same rate of
errors, the errors about one thing then correlate by sqrt(shared) * sqrt(shared) = shared; where the rates differ, by a
little less. With shared=0 all errors are independent.

The default is the correlation in the committee released with MAPD (arXiv 2410.03663; `recipes/svamp_committee.yaml`):
0.293 between two reviewers' errors about one rationale, against the gold answer, over 1,159 rationales with two scores.
Among the right rationales alone it is 0.16, as among the wrong ones: the rest is that wrong ones are harder for all.
"""

from __future__ import annotations

from math import sqrt

from errata.classroom.hashed_random import HashedDraws, HashedRandom
from errata.records import digest

SHARED = 0.29


def eyes(seed: int, shared: float, draws: HashedDraws, *about: str) -> HashedDraws:
    """The draws by which a persona errs about something: its own, or those that its whole faculty has in common.

    Args:
        seed: the faculty's.
        shared: correlation of the errors with those of a persona that has the same value, from 0 to 1.
        draws: the persona's own for this request.
        about: what is judged or solved; errors about other things are independent.
    """
    if draws.chance("blind spot", sqrt(shared)):
        return HashedDraws(digest("blind spots", seed, *about, length=32))
    return draws


def common_error(seed: int, shared: float, name: str, word: str) -> HashedRandom | None:
    """The draws of the wrong number that a faculty mostly takes a word for; None where this persona has its own."""
    if HashedRandom("blind spot", seed, name, word).chance(sqrt(shared)):
        return HashedRandom("blind spots", seed, word)
    return None
