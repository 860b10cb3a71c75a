"""Small runs of the real thing: the demo's recipe on fewer problems, in a folder of the test's own."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import orjson

from errata.runs.recipe import SynthRecipe, load_recipe
from errata.starter import DEMO


def small(folder: Path, *overrides: str, problems: int = 12) -> SynthRecipe:
    """The demo on a few problems, with a short warm-up."""
    return load_recipe(DEMO, [f"runs={folder}", f"limit={problems}", "settings.dual_cot.warmup=4", *overrides])


def over_http(url: str) -> list[str]:
    """Overrides that ask the faculty behind `url` in place of the one in process."""
    agents = load_recipe(DEMO).agents
    assert agents.student is not None
    places = {f"teachers.{place}": spec for place, spec in enumerate(agents.teachers)} | {"student": agents.student}
    overrides = []
    for place, spec in places.items():
        model = spec.model.replace("simulated/", "openai/")
        told = f"{{name: {spec.name}, model: '{model}', api_base: '{url}', retries: 0, timeout: 30}}"
        overrides.append(f"agents.{place}={told}")
    return overrides


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def lines(run: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (run / "transcripts.jsonl").read_bytes().splitlines()]


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]
