"""Whether the arms of a comparison were trained with equal capacity: a difference may be one of capacity alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from errata.evals.pairing import Arm

Capacity = tuple[int, int | None, tuple[str, ...]]
"""Trained weights, and rank and modules of the adapter, if one was trained."""


def capacity_of(training: Mapping[str, Any] | None) -> Capacity | None:
    """What a training might change, as an eval's manifest tells; None where it does not say."""
    weights = (training or {}).get("trained_weights")
    if not isinstance(weights, int):
        return None
    assert training is not None
    return weights, training.get("lora_rank"), tuple(training.get("lora_modules") or ())


def in_words(capacity: Capacity) -> str:
    """`900,864 weights (LoRA of rank 16 on q_proj, v_proj)`."""
    weights, rank, modules = capacity
    return f"{weights:,} weights" + (f" (LoRA of rank {rank} on {', '.join(modules)})" if rank else "")


def capacity_notes(planned: Iterable[tuple[Arm, Arm]]) -> list[str]:
    """One note where arms that are compared differ in what their trainings might change; else none."""
    differing: dict[str, Capacity] = {}
    for pair in planned:
        capacities = {arm.name: _of_arm(arm) for arm in pair}
        known = {name: capacity for name, capacity in capacities.items() if capacity is not None}
        if len(set(known.values())) > 1:
            differing |= known
    if not differing:
        return []
    arms = "; ".join(f"{name} {in_words(capacity)}" for name, capacity in differing.items())
    return [f"trained with unequal capacity, which may make a difference by itself: {arms}"]


def _of_arm(arm: Arm) -> Capacity | None:
    """That of its first seed."""
    return capacity_of(arm.evals[0].manifest.training)
