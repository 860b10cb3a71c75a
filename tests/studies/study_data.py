"""A small study as plain data, changed by keyword."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def study_data(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "seeds": [0, 1],
        "students": {"base": {"model": "somewhere/student"}},
        "data": {"rows": {"paths": ["rows.jsonl"]}},
        "training": {"max_steps": 2},
        "arms": {"sft": {"method": "sft"}, "more": {"method": "edit", "start": "sft", "flags": {"beta": 0}}},
        "claims": [{"name": "more is better", "arm": "more", "control": "sft", "equal": ["rows"]}],
        "evals": {"tasks": {"classroom_id": {"options": {"count": 8}}}},
    } | changes


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(study_data(**{"runs": str(folder / "runs"), **changes}), sort_keys=False))
    return path
