"""What of a study need not be done again, and how long the rest will take, by the record of its steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from errata.config.files import read_json, write_whole
from errata.errors import EXIT_DONE, UsageError
from errata.steps.record import Finish
from errata.studies.steps import Step

LOGS = "logs"
"""The folder of a study that holds a log per step."""
REDONE = ("eval", "school")
"""Kinds of steps that begin again where something has changed, and keep themselves what still holds."""


def log_name(step: str) -> str:
    """What a step's log is called, without its ending."""
    return step.replace(" ", "_")


def done(
    steps: Mapping[str, Step],
    record: Sequence[Finish],
    contents: Callable[[Step], str] = lambda step: "",
    begun: Mapping[str, Begun] = MappingProxyType({}),
) -> set[str]:
    """The steps that need not be done again.

    Args:
        contents: the hash of the files that a step is made from, as they are now.
        begun: what the steps that have begun were to be made from.

    Raises UsageError where a lesson or training was made from other settings or files, or from a step that is done
    again: its folder holds what the study does not describe. Evals and schools begin again, since each of their folders
    knows what it is of and keeps what still holds.
    """
    ended = {finish.step: (place, finish) for place, finish in enumerate(record) if finish.code == EXIT_DONE}
    names: set[str] = set()
    outdated: list[str] = []
    for name, step in steps.items():  # each after those that it needs
        place, finish = ended.get(name, (-1, None))
        if finish is None or not step.is_there:
            # a training goes on from where it stands, by whichever settings it came there; lessons ask themselves
            if name in begun and step.kind == "train" and _has_begun(step) and not begun[name].of(step, contents):
                raise _other(step)
        elif not Begun(finish.inputs, finish.contents).of(step, contents):
            if step.kind not in REDONE:
                raise _other(step)
        elif before := next((need for need in step.needs if need not in names or ended[need][0] > place), None):
            if step.kind not in REDONE:
                outdated.append(f"{step.out} (from {before})")
        else:
            names.add(name)
    if outdated:
        raise UsageError(
            f"made from what is not there any more: {', '.join(outdated)}",
            "what is made again may be another, and they would stand for it",
            "remove them to have them made again, or put back what they were made from",
        )
    return names


class Begun(NamedTuple):
    """What a step is made from, as when it began: the study's own text, and the files that it names."""

    inputs: str
    contents: str = ""
    """Empty: not known, of a study that an older version ran."""

    def of(self, step: Step, contents: Callable[[Step], str]) -> bool:
        """Whether the step is made from the same now."""
        return self.inputs == step.inputs and (not self.contents or self.contents == contents(step))


def _has_begun(step: Step) -> bool:
    """Whether a training has left what it would go on from."""
    finished = read_json(step.out / "manifest.json").get("status") == "finished"
    return finished or any(step.out.glob("checkpoint-*"))


def _other(step: Step) -> UsageError:
    return UsageError(
        f"{step.out} was made from other settings",
        f"{step.name} has changed in the recipe since, or a file, variable or step has that it is made from",
        f"give it another name in the recipe, or remove {step.out} to have it made again",
    )


def begun_in(home: Path, steps: Mapping[str, Step]) -> dict[str, Begun]:
    """What the steps of a study were to be made from when each began last."""
    texts = {name: read_json(_begin_file(home, name)) for name in steps}
    return {name: Begun(str(each["inputs"]), str(each["contents"])) for name, each in texts.items() if each}


def note_begin(home: Path, step: str, begun: Begun) -> None:
    """Keeps what a step is made from, for the case that it does not end."""
    file = _begin_file(home, step)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(begun._asdict()).encode())


def _begin_file(home: Path, step: str) -> Path:
    return home / LOGS / f"{log_name(step)}.begun.json"


def seconds_left(steps: Mapping[str, Step], pending: set[str], record: list[Finish], together: int) -> float | None:
    """How long the pending steps will take, by like ones that are done; None where some kind was never done."""
    known: dict[Any, list[float]] = {}
    for finish in record:
        if finish.code == EXIT_DONE and finish.step in steps:
            for like in _likes(steps[finish.step]):
                known.setdefault(like, []).append(finish.seconds)
    total = 0.0
    for name in pending:
        times = next((known[like] for like in _likes(steps[name]) if like in known), None)
        if times is None:
            return None
        total += sum(times) / len(times)
    return total / together


def _likes(step: Step) -> list[tuple[str, ...]]:
    """What a step's time is judged by, the likest first."""
    return [(step.kind, step.student, step.part), (step.kind, step.part), (step.kind,)]
