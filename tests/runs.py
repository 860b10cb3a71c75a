"""Small runs of the real thing: the demo's recipe on fewer problems, in a folder of the test's own."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import orjson

from errata.recipe import load_recipe
from errata.settings import SynthRecipe
from errata.starter import DEMO


def small(folder: Path, *overrides: str, problems: int = 12) -> SynthRecipe:
    """The demo on a few problems, with a short warm-up."""
    return load_recipe(DEMO, [f"runs={folder}", f"limit={problems}", "settings.dual_cot.warmup=4", *overrides])


def over_http(url: str) -> list[str]:
    """Overrides that ask the faculty behind `url` in place of the one in process."""
    agents = [*(f"teachers.{place}" for place in range(3)), "student"]
    names = ["ada", "ben", "cleo", "pupil"]
    overrides = []
    for agent, name in zip(agents, names, strict=True):
        spec = f"{{name: {name}, model: openai/{name}, api_base: '{url}', retries: 0, timeout: 30}}"
        overrides.append(f"agents.{agent}={spec}")
    return overrides


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def lines(run: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (run / "transcripts.jsonl").read_bytes().splitlines()]
