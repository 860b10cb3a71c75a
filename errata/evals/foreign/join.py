"""Which items of several tools' evals are the same: by question where it is told, else by task and id.

A question is known by its words, whatever their case and spacing; one that a file has several times by its id too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from errata.errors import UsageError
from errata.evals.foreign.arms import some
from errata.evals.results import Eval, Item, Key


@dataclass(frozen=True)
class Match:
    """What an eval has in common with the first one."""

    keys: Mapping[Key, Key] = field(default_factory=dict)
    """By its own key, that of the first."""
    by_question: int = 0
    """Of those, under another task or id."""
    other_questions: int = 0
    """Items that have an id of the first and another question; they are not the same."""


def joined(evals: Sequence[Eval]) -> tuple[list[Eval], list[str]]:
    """The evals on the items that all of them have, under the first one's tasks and ids, and notes with the counts.

    UsageError where they have none in common.
    """
    first = evals[0]
    matches = [Match({item.key: item.key for item in first.items}), *(match(first, other) for other in evals[1:])]
    shared = {item.key for item in first.items}.intersection(*(set(each.keys.values()) for each in matches))
    if not shared:
        counts = ", ".join(
            f"{each.path} has {len(matching.keys)} of them"
            for each, matching in zip(evals[1:], matches[1:], strict=True)
        )
        raise UsageError(
            f"no item of {first.path} is in all files: {counts}",
            "items are joined by their question, or by task and id where a file tells no question",
            "compare files of one task and data set",
        )
    notes = [
        note for each, matching in zip(evals, matches, strict=True) for note in _notes(each, matching, shared, first)
    ]
    mine = {item.key: item for item in first.items}
    return [_renamed(each, matching.keys, shared, mine) for each, matching in zip(evals, matches, strict=True)], notes


def match(first: Eval, other: Eval) -> Match:
    """Pairs the items of two evals, by question first.

    UsageError where two tasks of the other ask what one of the first does, as files of two tools in one arm do.
    """
    keys = _by_question(first, other)
    by_question = sum(own != key for own, key in keys.items())
    mine, taken = {item.key: item for item in first.items}, set(keys.values())
    others = 0
    for item in other.items:
        same = mine.get(item.key)
        if item.key in keys or same is None:
            continue
        if words(item) and words(same) and words(item) != words(same):
            others += 1
        elif item.key not in taken:
            keys[item.key] = item.key
    return Match(keys, by_question, others)


def _by_question(first: Eval, other: Eval) -> dict[Key, Key]:
    mine, theirs = _Questions(first.items), _Questions(other.items)
    keys: dict[Key, Key] = {}
    own_of: dict[Key, Key] = {}
    for item in other.items:
        key = mine.find(item) if theirs.find(item) == item.key else None
        if key is None:
            continue
        if (twice := own_of.setdefault(key, item.key)) != item.key:
            raise UsageError(
                f"{other.manifest.name} answers one question in {twice.task} and in {item.task}",
                "an arm answers an item once, and its seeds have tasks of one name",
                "give the two files arms of their own (ARM=FILE)",
            )
        keys[item.key] = key
    return keys


def words(item: Item) -> str:
    """The question in the form that is compared; empty where none is told."""
    return " ".join(str(item.meta.get("question") or "").casefold().split())


class _Questions:
    """The questions that one item alone asks, in its task or in all of them."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._keys: dict[tuple[str | None, str], list[Key]] = {}
        for item in items:
            if question := words(item):
                for task in (item.task, None):
                    self._keys.setdefault((task, question), []).append(item.key)

    def find(self, item: Item) -> Key | None:
        """The item of the same task that asks the same, else of any task; None where there are several or none."""
        question = words(item)
        places = self._keys.get((item.task, question)) or self._keys.get((None, question), [])
        return places[0] if len(places) == 1 else None


def _renamed(one: Eval, keys: Mapping[Key, Key], shared: set[Key], mine: Mapping[Key, Item]) -> Eval:
    """The shared items under the first eval's keys, in its order, with its gold answers."""
    place = {key: n for n, key in enumerate(mine)}
    joint = sorted((item for item in one.items if keys.get(item.key) in shared), key=lambda item: place[keys[item.key]])
    items = tuple(_under(item, mine[keys[item.key]]) for item in joint)
    tasks: dict[str, dict[str, object]] = {}
    for before, after in zip(joint, items, strict=True):
        if before.task in one.manifest.tasks:
            tasks.setdefault(after.task, {**one.manifest.tasks[before.task]})
    return Eval(one.path, items, one.manifest.model_copy(update={"tasks": tasks}), one.summary)


def _under(item: Item, first: Item) -> Item:
    gold = {"gold": first.meta["gold"]} if "gold" in first.meta else {}
    return item.model_copy(update={"task": first.task, "id": first.id, "meta": {**item.meta, **gold}})


def _notes(one: Eval, match: Match, shared: set[Key], first: Eval) -> list[str]:
    name, total = one.manifest.name, len(one.items)
    alone = [item.id for item in one.items if match.keys.get(item.key) not in shared]
    notes = []
    if alone:
        notes.append(
            f"{name}: {len(alone)} of {total} items are not in all files and are left out: {some(alone)}; what is said "
            f"is about the {len(shared)} that are"
        )
    if match.other_questions:
        notes.append(f"{name}: {match.other_questions} items have an id of {first.manifest.name} but another question")
    if match.by_question:
        notes.append(f"{name}: {match.by_question} items have other tasks or ids and are joined by their question")
    return notes
