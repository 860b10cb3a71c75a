"""A small eval recipe on the simulated faculty, changed by keyword."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from errata.evals.recipe import EvalRecipe

RECIPE: dict[str, Any] = {
    "baseline": {"name": "pupil", "model": "simulated/pupil"},
    "models": [{"name": "ada", "model": "simulated/ada"}],
    "decodings": {"greedy": {}, "maj3": {"samples": 3, "temperature": 0.7, "vote": "majority"}},
    "tasks": {"classroom_id": {"limit": 12}, "classroom_ood4": {"limit": 6}},
}
ALONE: dict[str, Any] = {"models": [], "tasks": {"classroom_id": {"limit": 8}}}


def recipe(folder: Path, **changes: Any) -> EvalRecipe:
    return EvalRecipe.model_validate({"name": "trial", "run": str(folder / "run"), **RECIPE, **changes})


def over_http(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "pupil", "model": "openai/pupil", "api_base": url, "retries": 0, "timeout": 30, **more}
