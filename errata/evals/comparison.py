"""What a comparison holds: figures per arm and task, differences per pair of arms and task, notes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from errata.evals.evidence import Verdict
from errata.evals.pairing import Arm, Design
from errata.evals.reasoning import changes_by_arm

Method = Literal["wilson", "t over items", "paired score", "paired t over items", "t over seeds", "seeds x items"]


@dataclass(frozen=True)
class Interval:
    """A figure with its interval, at 95 % unless it is a claim's."""

    value: float
    low: float
    high: float
    method: Method


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
    """Each seed's own difference with its 95 % interval over items, where there are several."""
    only_arm: int | None
    """Items only `arm` has right; None where `correct` holds shares or there are several seeds."""
    only_against: int | None
    design: Design
    covers: str
    """In words, what the interval and the verdict are about: which seeds, which items, which checkpoint."""
    p: float
    """Two-sided, of no difference, by the interval's method; uncorrected."""
    p_adjusted: float | None
    """A claim's p after Holm's correction over all claims; None for what is exploratory."""
    level: float
    """Of the interval: 0.95; a claim's is 1 - 0.05 / (the claims still open when it was decided)."""
    detectable: float | None
    """The smallest true difference that such data show with a power of 80 %, a claim's at 0.05 / (all claims); None
    where not even a difference of 1 would."""
    verdict: Verdict
    """Whether `difference` leaves 0 out."""
    claim: str | None = None
    """The claim that this is; None: exploratory, uncorrected."""
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

    @property
    def claims(self) -> tuple[Difference, ...]:
        """The differences that are claims; the others are exploratory."""
        return tuple(each for each in self.differences if each.claim is not None)

    def methods(self) -> list[str]:
        """A line per design and method that occurs, and what its intervals and verdicts are about."""
        lines = {
            f"{each.design}, {each.difference.method}: intervals cover {each.covers}": None for each in self.differences
        }
        return list(lines)

    def records(self) -> list[dict[str, Any]]:
        """One flat record per difference, as pandas.DataFrame takes them."""
        return [_flat(asdict(each), "difference") for each in self.differences]

    def claim_records(self) -> list[dict[str, Any]]:
        """One flat record per claim: who against whom on what, how much it is, and what can be said of it."""
        return [
            {
                "name": each.claim,
                "arm": each.arm,
                "control": each.against,
                "task": each.task,
                "seeds": self._seeds_of(each),
                "items": each.n,
                "difference": each.difference.value,
                "low": each.difference.low,
                "high": each.difference.high,
                "level": each.level,
                "p": each.p,
                "p_adjusted": each.p_adjusted,
                "detectable": each.detectable,
                "verdict": each.verdict,
                "design": each.design,
                "method": each.difference.method,
                "covers": each.covers,
            }
            for each in self.claims
        ]

    def _seeds_of(self, one: Difference) -> list[int]:
        """The seeds that a difference speaks of; where there is one alone, the arm's."""
        arm = next(each for each in self.arms if each.name == one.arm)
        return [seed for seed, _ in one.by_seed] or list(arm.distinct.seeds)

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
