"""Evals, read and compared, for the report: arms, their comparison, and what each cured and broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from errata.evals.compare import compare
from errata.evals.comparison import Comparison, Difference
from errata.evals.pairing import Arm
from errata.evals.reasoning import Changes, changes, kind_of
from errata.evals.results import Eval, Item, Key


def mistake_of(item: Item) -> str | None:
    """The kind of a wrong answer's first flaw, where it is known: in the words of the explanations of mistakes."""
    kind = item.meta.get("mistake")
    return None if kind is None or float(item.correct) > 0.5 else kind_of(str(kind))


@dataclass(frozen=True)
class Results:
    """`evals` in the order of the arms, the untouched student first."""

    comparison: Comparison
    notes: tuple[str, ...] = ()
    evals: tuple[Eval, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "evals", tuple(each for arm in self.comparison.arms for each in arm.evals))

    def with_note(self, note: str) -> Results:
        return Results(self.comparison, (*self.notes, note))

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.comparison.arms

    @property
    def tasks(self) -> tuple[str, ...]:
        return self.comparison.tasks

    def label(self, each: Eval) -> str:
        """An eval by its arm's name, with its seed where the arm has several."""
        arm = next(arm for arm in self.arms if each in arm.evals)
        return arm.name if len(arm.evals) == 1 else f"{arm.name}, seed {arm.seeds[arm.evals.index(each)]}"

    def untouched(self, arm: Arm) -> Arm | None:
        """The untouched student with this arm's decoding, else any; None for itself, or where none was evaluated."""
        bases = [each for each in self.arms if each.baseline]
        if arm.baseline or not bases:
            return None
        decoding = arm.evals[0].manifest.decoding
        return next((each for each in bases if each.evals[0].manifest.decoding == decoding), bases[0])

    def difference(self, arm: str, against: str, task: str) -> Difference | None:
        """As the comparison has it: the arm may stand on either side."""
        for each in self.comparison.differences:
            if each.task == task and {each.arm, each.against} == {arm, against}:
                return each
        return None

    @cached_property
    def changed(self) -> dict[str, list[Changes]]:
        """By arm, what each of its seeds changed against the untouched student."""
        by_arm: dict[str, list[Changes]] = {}
        for arm in self.arms:
            base = self.untouched(arm)
            if base is not None:
                sides = base.evals if len(base.evals) == len(arm.evals) else base.evals[:1] * len(arm.evals)
                by_arm[arm.name] = [
                    changes(self._chosen(before), self._chosen(after))
                    for before, after in zip(sides, arm.evals, strict=True)
                ]
        return by_arm

    def _chosen(self, each: Eval) -> Eval:
        items = tuple(item for item in each.items if item.task in self.tasks)
        return Eval(each.path, items, each.manifest, each.summary)

    def items(self, arm: Arm, task: str) -> list[Item]:
        """Of all seeds."""
        return [item for each in arm.evals for item in each.by_task.get(task, ())]

    def every_key(self) -> list[Key]:
        """Every item once, in the order of the first eval that has it."""
        return list(dict.fromkeys(item.key for each in self.evals for item in each.items if item.task in self.tasks))


def read_results(evals: Sequence[Eval]) -> Results:
    """Compares the evals on the tasks that all of them have. UsageError where item sets differ or no task is shared."""
    tasks = [list(each.by_task) for each in evals]
    shared = [task for task in tasks[0] if all(task in other for other in tasks)]
    others = sorted({task for each in tasks for task in each} - set(shared))
    if not shared or not others:
        comparison = compare(evals)
        return Results(comparison, comparison.notes)
    comparison = compare(evals, tasks=shared)
    return Results(comparison, (*comparison.notes, f"not evaluated by all, and left out: {', '.join(others)}"))
