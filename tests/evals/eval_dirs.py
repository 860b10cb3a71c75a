"""Eval directories made up for tests: items and manifest as `errata eval` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from errata.evals.claims import Claim
from errata.evals.results import ITEMS, MANIFEST, Eval, Item, Manifest, write_items, write_json


def eval_dir(
    folder: Path,
    name: str,
    correct: Mapping[str, Sequence[bool | float]],
    *,
    seed: int | None = None,
    label: str | None = None,
    baseline: bool = False,
    decoding: str = "greedy",
    claims: Sequence[Claim] = (),
    **training: Any,
) -> Path:
    """One directory; `correct` by task, ids counted from 0."""
    where = folder / name
    where.mkdir(parents=True)
    write_items(where / ITEMS, items(correct))
    manifest_here = manifest(name, label, seed, **training).model_copy(
        update={"baseline": baseline, "decoding": {"name": decoding}, "claims": tuple(claims)}
    )
    write_json(where / MANIFEST, manifest_here.model_dump(by_alias=True))
    return where


def manifest(name: str, label: str | None, seed: int | None, **training: Any) -> Manifest:
    trained = {"method": "sft", "seed": seed, **training} if seed is not None or training else None
    return Manifest(name=name, label=label or name, model=f"local/{name}", training=trained)


def in_memory(name: str, label: str, seed: int, correct: Mapping[str, Sequence[bool | float]]) -> Eval:
    return Eval(Path(name), tuple(items(correct)), manifest(name, label, seed))


def items(correct: Mapping[str, Sequence[bool | float]]) -> list[Item]:
    return [
        Item(id=f"{task}-{place}", task=task, correct=value, tokens=10, meta={"gold": "4", "split": "id"})
        for task, values in correct.items()
        for place, value in enumerate(values)
    ]


def rights(n: int, right: int) -> list[bool]:
    """The first `right` of n are right."""
    return [place < right for place in range(n)]
