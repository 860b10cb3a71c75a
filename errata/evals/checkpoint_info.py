"""How a checkpoint was trained, as its own folder tells; copied into an eval's manifest, which then stands alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from errata.config.env import local_path
from errata.runs.run_dir import RunDir

STATE = "trainer_state.json"
SCHOOLING = "schooling.json"
"""In the folder of a school's student: sums over the rounds that made it (errata.school.schooling)."""
SUMMED = ("teacher_tokens", "target_tokens", "rows", "cost_usd", "steps")
"""What of a training is summed over rounds."""


def training_of(model: str) -> dict[str, Any] | None:
    """`method, output, target_tokens, seed, data, cost_usd, log` of a `local/PATH` that errata trained; else None.

    `target_tokens` are those learned from in all, an epoch's times the epochs; `cost_usd` what the runs cost that the
    training read, `teacher_tokens` what others than the student were paid there, prompts and replies; None where one of
    its sources is no run or has no price. Of a school's student all sizes are sums over its rounds.
    """
    if not model.startswith("local/"):
        return None
    folder = Path(local_path(model)).expanduser()
    if not folder.is_dir():
        return None
    from errata.training.checkpoints import manifest_of

    manifest = manifest_of(folder)
    if not manifest:
        return None
    state = _state(folder)
    epochs = state.get("epoch")
    per_epoch = manifest.get("target_tokens_an_epoch")
    training = {
        "method": manifest.get("method"),
        "control": manifest.get("control"),
        "output": str(folder),
        "target_tokens": round(per_epoch * epochs) if per_epoch and epochs else None,
        "rows": manifest.get("rows"),
        "trained_weights": manifest.get("trained_weights"),
        "lora_rank": manifest.get("lora_rank"),
        "lora_modules": manifest.get("lora_modules"),
        "seed": manifest.get("seed"),
        "student": manifest.get("student"),
        "data": manifest.get("data"),
        "objective": manifest.get("objective"),
        "cost_usd": _cost(manifest.get("data") or []),
        "teacher_tokens": _teacher_tokens(manifest.get("data") or []),
        "steps": state.get("global_step"),
        "log": state.get("log_history", []),
    }
    sums = schooling_in(folder)
    return training | {name: sums[name] for name in SUMMED if name in sums}


def schooling_in(folder: Path) -> dict[str, Any]:
    """The sums that a school's student has learned from; empty for any other."""
    try:
        schooling: dict[str, Any] = json.loads((folder / SCHOOLING).read_bytes())
    except (OSError, ValueError):
        return {}
    return schooling


def _state(folder: Path) -> dict[str, Any]:
    """The trainer's state, of the folder or of its latest checkpoint. It may hold NaN, which only json reads."""
    from errata.training.checkpoints import checkpoints

    for place in (folder, *checkpoints(folder)):
        try:
            state = json.loads((place / STATE).read_bytes(), parse_constant=lambda _: None)
        except (OSError, ValueError):
            continue
        if isinstance(state, dict):
            return state
    return {}


def _cost(data: list[dict[str, Any]]) -> float | None:
    """What the runs cost that were read, each counted once."""
    costs = [spent.get("usd") for spent in _spent(data)]
    known = [float(cost) for cost in costs if isinstance(cost, int | float)]
    return round(sum(known), 8) if known and len(known) == len(costs) else None


def _teacher_tokens(data: list[dict[str, Any]]) -> int | None:
    """What the runs paid for others than the student, whose exam is its own."""
    paid = [
        _tokens(spent) - _tokens(spent.get("stages", {}).get("exam", {})) if spent else None for spent in _spent(data)
    ]
    known = [tokens for tokens in paid if tokens is not None]
    return sum(known) if known and len(known) == len(paid) else None


def _spent(data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ledgers of the runs that were read, each once; empty where a source is no run."""
    names = {name for source in data for name in str(source.get("name", "")).split(", ")}
    return [RunDir(Path(name)).manifest().get("spent", {}).get("all_runs", {}) for name in sorted(names)]


def _tokens(spent: dict[str, Any]) -> int:
    return int(spent.get("prompt_tokens", 0)) + int(spent.get("completion_tokens", 0))
