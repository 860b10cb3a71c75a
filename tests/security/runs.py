"""One small run against a provider that answers whatever a test wants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from errata.runs.recipe import load_recipe
from errata.runs.runner import Summary, synthesize
from tests.llm.provider import Provider

APPLES = {"question": "Mia has 2 apples and gets 3. How many?", "answer": "5"}


def recipe_text(folder: Path, base: str, problems: Sequence[dict[str, Any]], kind: str = "number", **agent: Any) -> str:
    """A lesson with a panel, rewrites and explanations; a problem's id is the data's own where it has one."""
    rows = folder / "problems.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in problems), encoding="utf-8")
    given = {"api_base": base, "retries": 0, "timeout": 60, "tries": 1} | agent
    speak = {name: {"name": name, "model": f"openai/{name}"} | given for name in ("ada", "ben", "pupil")}
    mapping = {"question": "question", "answer": "answer", "kind": kind}
    mapping |= {"id": "id"} if "id" in problems[0] else {}
    return json.dumps(  # which YAML can read
        {
            "graph": "lesson",
            "runs": str(folder / "runs"),
            "problems": {"source": str(rows), "mapping": mapping},
            "agents": {"teachers": [speak["ada"], speak["ben"]], "student": speak["pupil"]},
            "settings": {"peer_review": {"revise_rounds": 1}, "rationales": {"samples": 2, "diversity": {}}},
        }
    )


async def lesson(
    folder: Path, provider: Provider, problems: Sequence[dict[str, Any]] = (APPLES,), kind: str = "number", **agent: Any
) -> Summary:
    path = folder / "hostile.yaml"
    path.write_text(recipe_text(folder, provider.base, problems, kind, **agent), encoding="utf-8")
    return await synthesize(load_recipe(path))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def files_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
