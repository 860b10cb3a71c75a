"""The classroom: an endless, reproducible supply of word problems in disjoint splits.

A problem's signature is its ordered operations with their numbers, its template its structure without numbers. Every
signature belongs to one split by hash, so no split needs to know what another holds, and so does every template belong
to the held-out ones or not:

    template   2-3 steps, of the held-out templates, which occur in no other split
    school     2-4 steps, without the withheld words (grammar.WITHHELD)
    lesson     2-3 steps, about half of them with a withheld word
    id         as lesson, for tests
    ood4       4 steps
    dis2       2-3 steps with two distractors (elsewhere none or one)

A linear problem is a start, events and a question; every intermediate value lies in 1..60.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count as counter
from typing import Any

from errata.classroom.grammar import (
    CONTAINERS,
    GAINS,
    LOSSES,
    NAMES,
    OBJECTS,
    UNITS,
    WITHHELD,
    Amount,
    Distractor,
    Event,
    Kind,
    Puzzle,
)
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.solve import VOICES, work, write
from errata.errors import UsageError, did_you_mean
from errata.records import Problem, digest, draw

LEVELS = {"school": (2, 3, 4), "lesson": (2, 3), "id": (2, 3), "ood4": (4,), "dis2": (2, 3), "template": (2, 3)}
"""Splits with the numbers of steps each has by default."""
SHARES = {"school": 0.45, "lesson": 0.18, "id": 0.09, "ood4": 0.09, "dis2": 0.09, "template": 0.1}
HELD_OUT_TEMPLATES = 0.15
LARGEST = 60

_UNIT_WEIGHTS = dict(zip(UNITS, (4, 2, 5, 4, 4, 4, 3, 3, 2, 2, 6, 2), strict=True))
_VERB_WEIGHTS = (6, 6, 4, 2, 1)
_STARTS = {"plain": 0.42, "unit": 0.42, "group": 0.16}
_EVENTS: dict[Kind, float] = {"gain": 0.35, "loss": 0.3, "more": 0.13, "fewer": 0.1, "times": 0.12}
_SIDE = 0.42
"""Share of gains and losses of two steps, where two are left, that are of a counted side quantity."""


def problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Classroom problems, one after the other, holding nothing but a counter.

    Args:
        options: `count` (default 200), `seed` (0), `split` (lesson), `level` (a number of steps or a list of them),
            `withheld` (whether the withheld words may occur; not in school).

    Raises UsageError on an unknown option or a bad value.
    """
    count, seed, split, levels, withheld = _checked(options)
    for position in range(count):
        yield _problem(position, _puzzle(seed, split, levels, withheld, position), split)


def split_of(puzzle: Puzzle) -> str | None:
    """The one split that may hold this puzzle; None where its template and its signature disagree."""
    held_out = draw("classroom template", puzzle.template) < HELD_OUT_TEMPLATES
    left = draw("classroom signature", puzzle.signature) * sum(SHARES.values())
    for split, share in SHARES.items():
        left -= share
        if left < 0:
            return split if held_out == (split == "template") else None
    return None


def _checked(options: Mapping[str, Any]) -> tuple[int, int, str, tuple[int, ...], bool]:
    known = ("count", "seed", "split", "level", "withheld")
    for key in options:
        if key not in known:
            raise UsageError(
                f"classroom option {key!r}",
                f"the classroom knows {', '.join(known)}",
                did_you_mean(str(key), known, "remove it"),
            )
    split = options.get("split") or "lesson"
    if split not in LEVELS:
        raise UsageError(f"classroom split {split!r}", f"the classroom has {', '.join(LEVELS)}", "name one of these")
    count, seed = options.get("count", 200), options.get("seed", 0)
    level = options.get("level")
    levels = LEVELS[split] if level is None else tuple(level) if isinstance(level, list | tuple) else (level,)
    withheld = options.get("withheld", split != "school")
    for name, value, low, high in (("count", count, 0, 10**9), ("seed", seed, -(2**63), 2**63 - 1)):
        _check_integer(name, value, low, high)
    for value in levels or (None,):
        _check_integer("level", value, 2, 5)
    if not isinstance(withheld, bool):
        raise UsageError(f"classroom option withheld: {withheld!r}", "it is a yes or a no", "write true or false")
    return count, seed, split, levels, withheld


def _check_integer(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"classroom option {name}: {value!r}", f"it is a whole number from {low} to {high}")


def _problem(position: int, puzzle: Puzzle, split: str) -> Problem:
    question = puzzle.question
    identity = f"classroom-{digest('classroom', question)}"
    voice = int(draw(identity, "voice") * len(VOICES))
    return Problem(
        id=identity,
        task="classroom",
        question=question,
        answer=str(puzzle.answer),
        kind="number",
        position=position,
        split=split,
        rationale=write(puzzle, work(puzzle), voice),
        meta={
            "level": len(puzzle.steps),
            "template": puzzle.template,
            "signature": puzzle.signature,
            "steps": [f"{s.left.number} {s.op} {s.right.number} = {s.result}" for s in puzzle.steps],
            "units": sorted(puzzle.words & UNITS.keys()),
            "withheld": sorted(puzzle.words & WITHHELD),
            "distractors": len(puzzle.distractors),
        },
    )


# ---- generation ------------------------------------------------------------------------------------------------------


def _puzzle(seed: int, split: str, levels: tuple[int, ...], withheld: bool, position: int) -> Puzzle:
    level = levels[int(draw("classroom level", seed, split, position) * len(levels))]
    for attempt in counter():
        rng = HashedRandom("classroom", seed, split, level, position, attempt)
        puzzle = _sketch(rng, level, withheld)
        if all(1 <= step.result <= LARGEST for step in puzzle.steps) and split_of(puzzle) == split:
            return _distracted(puzzle, rng, 2 if split == "dis2" else rng.between(0, 1))
    raise AssertionError("the attempts never end")


def _sketch(rng: HashedRandom, level: int, withheld: bool) -> Puzzle:
    """A start and events of `level` steps together; values are not checked."""
    people = rng.sample(NAMES, level + 1)
    form = rng.weighted(_STARTS)
    start = Amount(rng.between(2, 20)) if form == "plain" else _counted(rng, form, withheld, 5)
    left = level - (form != "plain")
    events: list[Event] = []
    person = 0
    while left:
        event = _event(rng, left, people[person], people[person + 1], withheld)
        person += not event.verb
        left -= 1 + (event.amount.form != "plain")
        events.append(event)
    return Puzzle(people[0], rng.pick(OBJECTS), start, tuple(events))


def _counted(rng: HashedRandom, form: str, withheld: bool, most: int) -> Amount:
    if form == "group":
        return Amount(rng.between(2, most), rng.pick(CONTAINERS), rng.between(2, 9))
    unit = rng.weighted({unit: w for unit, w in _UNIT_WEIGHTS.items() if withheld or unit not in WITHHELD})
    return Amount(rng.between(2, most), unit, UNITS[unit])


def _event(rng: HashedRandom, left: int, person: str, fresh: str, withheld: bool) -> Event:
    kinds = {k: w for k, w in _EVENTS.items() if withheld or k not in WITHHELD}
    kind = rng.weighted(kinds)
    if kind == "times":
        return Event(kind, fresh, Amount(rng.between(2, 3)))
    if kind in ("more", "fewer"):
        return Event(kind, fresh, Amount(rng.between(2, 9)))
    weighted = zip(GAINS if kind == "gain" else LOSSES, _VERB_WEIGHTS, strict=True)
    verb = rng.weighted({v: w for v, w in weighted if withheld or v not in WITHHELD})
    if left >= 2 and rng.chance(_SIDE):
        return Event(kind, person, _counted(rng, "unit" if rng.chance(0.7) else "group", withheld, 4), verb)
    return Event(kind, person, Amount(rng.between(2, 9)), verb)


def _distracted(puzzle: Puzzle, rng: HashedRandom, count: int) -> Puzzle:
    taken = {puzzle.person, *(event.person for event in puzzle.events)}
    people = rng.sample([name for name in NAMES if name not in taken], count)
    things = rng.sample([thing for thing in OBJECTS if thing != puzzle.thing], count)
    places = sorted(rng.between(0, 1 + len(puzzle.events) + i) for i in range(count))
    added = tuple(
        Distractor(at, person, rng.between(2, 20), thing)
        for at, person, thing in zip(places, people, things, strict=True)
    )
    return Puzzle(puzzle.person, puzzle.thing, puzzle.start, puzzle.events, added)
