"""What a school's student has learned from in all: `schooling.json` in its folder, sums over the rounds that made it.

A round's training knows its own size alone; evals read these sums, so that a school is compared by all that it took.
"""

from __future__ import annotations

from pathlib import Path

from errata.evals.checkpoint_info import SCHOOLING, SUMMED, schooling_in, training_of
from errata.evals.results import write_json


def write_schooling(student: Path, before: str) -> None:
    """Writes the sums of a student whose training is finished.

    Args:
        before: the student that it goes on from; the sums of a school's student are added to.
    """
    (student / SCHOOLING).unlink(missing_ok=True)
    own, earlier = training_of(f"local/{student}") or {}, schooling_in(Path(before))
    total = {name: _sum(own.get(name), earlier[name]) if earlier else own.get(name) for name in SUMMED}
    write_json(student / SCHOOLING, {"rounds": 1 + (earlier["rounds"] if earlier else 0), **total})


def _sum(one: float | None, other: float | None) -> float | None:
    """None where one of them is not known."""
    return None if one is None or other is None else one + other
