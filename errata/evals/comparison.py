"""What a comparison holds: figures per arm and task, differences per pair of arms and task, notes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from errata.evals.pairing import Arm
from errata.evals.reasoning import changes_by_arm

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
    equal_tokens: bool | None = None
    """Both were trained on as many target tokens, to within 5 %; None where that is not known."""
    equal_cost: bool | None = None
    """The same for what their training data cost."""


@dataclass(frozen=True)
class Comparison:
    """All figures and differences. `notes` say what a reader has to know of them."""

    arms: tuple[Arm, ...]
    tasks: tuple[str, ...]
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    def figure(self, arm: str, task: str) -> Figure:
        return next(each for each in self.figures if (each.arm, each.task) == (arm, task))

    def records(self) -> list[dict[str, Any]]:
        """One flat record per difference, as pandas.DataFrame takes them."""
        return [_flat(asdict(each), "difference") for each in self.differences]

    def mistakes(self) -> list[dict[str, Any]]:
        """Kinds of mistakes cured and introduced against the untouched student; empty without one."""
        untouched = next((arm for arm in self.arms if arm.baseline), None)
        return changes_by_arm(self.arms, untouched, self.tasks) if untouched else []

    def figure_records(self) -> list[dict[str, Any]]:
        """One flat record per arm and task, with the size of the arm's training."""
        sizes = {arm.name: {"target_tokens": arm.target_tokens, "cost_usd": arm.cost_usd} for arm in self.arms}
        return [_flat(asdict(each), "accuracy") | sizes[each.arm] for each in self.figures]


def _flat(record: dict[str, Any], interval: str) -> dict[str, Any]:
    inner = record.pop(interval)
    return {**record, interval: inner["value"], "low": inner["low"], "high": inner["high"], "method": inner["method"]}
