"""Which of several answers are the same: as numbers, equal for equivalent ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

Same = Callable[[str, str], Awaitable[bool]]


async def grouped(answers: Sequence[str | None], same: Same) -> list[int | None]:
    """Answers as numbers, equal for those that `same` finds equivalent, counted in order of first appearance."""
    groups: list[str] = []
    numbers: list[int | None] = []
    for answer in answers:
        if answer is None:
            numbers.append(None)
            continue
        place = groups.index(answer) if answer in groups else None
        if place is None:
            for known, first in enumerate(groups):
                if await same(first, answer):
                    place = known
                    break
        if place is None:
            groups.append(answer)
            place = len(groups) - 1
        numbers.append(place)
    return numbers
