"""The figures of an eval directory, all of them made of its items and manifest alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from errata.evals.aggregate import several
from errata.evals.comparison import Interval
from errata.evals.evidence import interval_of_mean
from errata.evals.measure import interval_of
from errata.evals.reasoning import rationale_figures
from errata.evals.results import Item, Manifest
from errata.evals.stats import mean
from errata.evals.voting import own_vote

DIMENSIONS = ("subject", "level", "steps", "distractors", "units", "withheld")
"""Of an item's meta, what accuracy is broken down by; of `units` and `withheld` whether there are any."""


def summarise(manifest: Manifest, items: Sequence[Item]) -> dict[str, Any]:
    """What summary.json holds."""
    tasks: dict[str, list[Item]] = {}
    for item in items:
        tasks.setdefault(item.task, []).append(item)
    return {
        "name": manifest.name,
        "label": manifest.label,
        "model": manifest.model,
        "decoding": manifest.decoding,
        "baseline": manifest.baseline,
        "items": len(items),
        "truncated": sum(item.truncated for item in items),
        "tasks": {task: _task(task_items, manifest, task) for task, task_items in tasks.items()},
    }


def _task(items: Sequence[Item], manifest: Manifest, task: str) -> dict[str, Any]:
    samples = sum(len(item.samples) for item in items)
    figures: dict[str, Any] = {
        "n": len(items),
        "split": items[0].meta.get("split"),
        "accuracy": as_data(interval_of(items)),
        "samples": samples,
        "truncated": sum(item.truncated for item in items),
        "without_answer": sum(each.answer is None for item in items for each in item.samples),
        "tokens_mean": mean([item.tokens for item in items]),
        "by": _by(items),
        "mistakes": _mistakes(items),
        "rationales": rationale_figures(items),
    }
    if samples > len(items):
        figures |= {name: interval_of_mean(values) for name, values in several(items, own_vote(manifest)).items()}
    sound = [item.meta["sound"] for item in items if item.meta.get("sound") is not None]
    if sound:
        figures["sound"] = mean(sound)
        figures["right_by_a_flaw"] = sum(
            item.meta.get("sound") is False and bool(item.samples and item.samples[0].correct) for item in items
        )
    if grader := manifest.tasks.get(task, {}).get("grader"):
        figures["grader"] = grader
    return figures


def as_data(interval: Interval) -> dict[str, float | None]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _by(items: Sequence[Item]) -> dict[str, dict[str, Any]]:
    """Accuracy by each dimension that has several values, with the number of items."""
    by_dimension: dict[str, dict[str, Any]] = {}
    for dimension in DIMENSIONS:
        groups: dict[str, list[Item]] = {}
        for item in items:
            value = item.meta.get(dimension)
            if value is not None:
                groups.setdefault(_named(value), []).append(item)
        if len(groups) > 1:
            by_dimension[dimension] = {
                name: {"n": len(groups[name]), "accuracy": as_data(interval_of(groups[name]))}
                for name in sorted(groups, key=_order)
            }
    return by_dimension


def _named(value: Any) -> str:
    if isinstance(value, list):
        return "some" if value else "none"
    return str(value)


def _order(name: str) -> tuple[int, float, str]:
    return (0, float(name), "") if name.replace(".", "", 1).isdigit() else (1, 0.0, name)


def _mistakes(items: Sequence[Item]) -> dict[str, int]:
    """How many items have which kind of mistake, as far as kinds are known."""
    kinds = Counter(item.meta.get("mistake") for item in items)
    return {str(kind): number for kind, number in kinds.most_common() if kind is not None}
