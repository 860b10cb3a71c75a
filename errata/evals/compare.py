"""Which model is better, by how much and how sure: paired, on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from errata.evals.items import Eval

Test = Literal["mcnemar", "sign-flip", "t over seeds"]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval. `low` and `high` are None where none can be given (two seeds)."""

    value: float
    low: float | None
    high: float | None
    method: str
    """wilson, bootstrap, hierarchical bootstrap, none."""


@dataclass(frozen=True)
class Arm:
    """One row of the table: one model, or several directories that are its seeds."""

    name: str
    evals: tuple[Eval, ...]
    seeds: tuple[int, ...]
    baseline: bool


@dataclass(frozen=True)
class Figure:
    """An arm on one task. `by_seed` holds (seed, accuracy) where there are several."""

    arm: str
    task: str
    split: str | None
    n: int
    """Items of one seed."""
    accuracy: Interval
    by_seed: tuple[tuple[int, float], ...]
    truncated: int
    """Answers cut off at the length limit, over all samples and seeds."""
    tokens_mean: float
    """Tokens generated for an item."""


@dataclass(frozen=True)
class Difference:
    """Accuracy of `arm` minus that of `against` on one task, on the same items."""

    arm: str
    against: str
    task: str
    n: int
    difference: Interval
    by_seed: tuple[tuple[int, Interval], ...]
    """Each seed's own difference, where there are several."""
    only_arm: int | None
    """Items only `arm` has right; None where `correct` holds shares or there are several seeds."""
    only_against: int | None
    p: float | None
    p_holm: float | None
    """Holm's correction over all differences of this comparison."""
    test: Test | None
    detectable: float
    """The smallest difference that such data show with a power of 80 % at a two-sided 5 %."""
    verdict: Literal["better", "worse", "no difference", "too few seeds"]


@dataclass(frozen=True)
class Comparison:
    arms: tuple[Arm, ...]
    tasks: tuple[str, ...]
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    def figure(self, arm: str, task: str) -> Figure:
        return next(each for each in self.figures if (each.arm, each.task) == (arm, task))

    def records(self) -> list[dict[str, Any]]:
        """One flat record a difference, as pandas.DataFrame takes them."""
        return [_flat(asdict(each), "difference") for each in self.differences]

    def figure_records(self) -> list[dict[str, Any]]:
        """One flat record an arm and task."""
        return [_flat(asdict(each), "accuracy") for each in self.figures]


def _flat(record: dict[str, Any], interval: str) -> dict[str, Any]:
    inner = record.pop(interval)
    return {**record, interval: inner["value"], "low": inner["low"], "high": inner["high"], "method": inner["method"]}


def compare(
    evals: Sequence[str | Path | Eval],
    *,
    against: str | None = None,
    tasks: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 17,
) -> Comparison:
    """Compares eval directories, or JSONL files with `id` and `correct`, on the items they share by key.

    Args:
        against: only differences to the arm of this name; by default every pair.
        tasks: only these; by default all.
        resamples: of each bootstrap, drawn from `seed`.

    Raises UsageError where the item sets differ, naming the first missing ids.
    """
    raise NotImplementedError
