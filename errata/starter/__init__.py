"""What a newcomer starts from: the demo's recipe, and a folder to make one's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import orjson

from errata.errors import UsageError

HERE = Path(__file__).parent
DEMO = HERE / "demo.yaml"
"""The lesson on simulated models; recipes/lesson.yaml is the same text."""

STUDY = HERE / "study.yaml"
"""What the demo's student learns from the lesson, arm by arm, and how it is judged."""

ROUNDS = HERE / "school.yaml"
"""Two rounds of a school for the demo's student."""

FILES = {"recipe.yaml": "recipe.yaml", "problems.jsonl": "problems.jsonl", "env.example": ".env.example"}
SCHEMA = "recipe.schema.json"
"""What editors check the recipe by; the recipe's first line names it."""
IGNORED = ".gitignore"
"""Keeps runs and keys out of git; a folder that has one of its own keeps it."""


def write_starter(directory: Path) -> list[Path]:
    """Writes a recipe, problems, a prompt to change, a list of keys and a .gitignore; returns the paths.

    Raises UsageError where one of them is there already, before anything is written.
    """
    from errata.schema import json_schema

    texts = {directory / name: (HERE / source).read_bytes() for source, name in FILES.items()}
    texts[directory / SCHEMA] = orjson.dumps(json_schema("synth"), option=orjson.OPT_INDENT_2)
    prompt = files("errata") / "prompts" / "teacher" / "solve.md"
    texts[directory / "prompts" / "teacher" / "solve.md"] = prompt.read_bytes()
    if not (directory / IGNORED).exists():
        texts[directory / IGNORED] = (HERE / "gitignore").read_bytes()
    there = [path for path in texts if path.exists()]
    if there:
        raise UsageError(f"{there[0]} is there already", "it would be overwritten", "name a new or empty folder")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror or error}", do="name another") from error
    return list(texts)
