"""A small lesson over real HTTP, what it comes to unharmed, and how a harmed run is held to it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from errata.exports.write import export
from errata.llm.backends.simulated.server import Faults, serving
from errata.runs.recipe import SynthRecipe
from errata.runs.run_dir import index_log, read_lines
from errata.runs.runner import Summary, synthesize
from errata.runs.status import status
from errata.starter import DEMO
from tests.small_runs import free_port, over_http, small

PROBLEMS = 6
FORMATS = ("messages", "mapd", "edit", "nat")
FEW = [f"limit={PROBLEMS}", "settings.dual_cot.warmup=2"]


async def soon(seconds: float) -> None:
    """A sleep for tests: a hundredth of what was asked."""
    await asyncio.sleep(seconds / 100)


@dataclass(frozen=True)
class Came:
    """What a run came to: the log that counts, the exports, the calls paid for a reply that could be used."""

    lines: tuple[bytes, ...]
    exports: dict[str, bytes]
    paid: int


def came_to(run: Path) -> Came:
    index = index_log(run / "transcripts.jsonl")
    lines = read_lines(run / "transcripts.jsonl", index.in_input_order())
    calls = status(run)["calls"]
    return Came(tuple(lines), exported(run), calls["paid"] - calls["lost"])


def exported(run: Path) -> dict[str, bytes]:
    """The run's data sets, written elsewhere."""
    with tempfile.TemporaryDirectory() as out:
        return {name: export([run], name, Path(out) / f"{name}.jsonl").out.read_bytes() for name in FORMATS}


def accounted(run: Path) -> dict[str, Any]:
    """The run's problems, after a check that none is missing from them."""
    counts: dict[str, Any] = status(run)["problems"]
    ended = counts["done"] + sum(counts["rejected"].values()) + sum(counts["failed"].values())
    assert counts["total"] == ended + counts["pending"] == PROBLEMS
    lines = index_log(run / "transcripts.jsonl")
    assert len(lines) == ended
    assert len(np.unique(lines.hashes)) == ended
    return counts


@dataclass
class Place:
    """A run directory and the server its recipe asks, at one address over several lives."""

    folder: Path
    port: int
    host: str = "127.0.0.1"
    more: tuple[str, ...] = ()

    @property
    def run(self) -> Path:
        return self.folder / "demo"

    @property
    def overrides(self) -> list[str]:
        agents = over_http(f"http://{self.host}:{self.port}/v1")
        return [each.replace("retries: 0, timeout: 30", "retries: 5, timeout: 20") for each in agents]

    def recipe(self, *changes: str) -> SynthRecipe:
        return small(self.folder, *self.overrides, *FEW, *self.more, *changes, problems=PROBLEMS)

    async def lives(self, *changes: str, faults: Faults | None = None, latency: float = 0.0, **how: Any) -> Summary:
        """One life of the run against a server with these faults."""
        async with serving(faults, latency, port=self.port):
            return await synthesize(self.recipe(*changes), **({"sleep": soon} | how))

    async def ends_as(self, unharmed: Came) -> Summary:
        """The next run, unharmed: it finishes the job, and nothing shows what happened before."""
        summary = await self.lives()
        assert summary.exit_code == 0, summary
        assert accounted(self.run)["pending"] == 0
        came = came_to(self.run)
        assert came.lines == unharmed.lines
        assert came.exports == unharmed.exports
        return summary

    def command(self, *changes: str) -> list[str]:
        verb = ["synth", str(DEMO), f"runs={self.folder}", *FEW, *self.overrides, *self.more, *changes]
        return [sys.executable, "-m", "errata", *verb]

    def child(self, *changes: str, **how: Any) -> subprocess.Popen[str]:
        """The run as a process of its own."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = os.environ | {"OPENAI_API_KEY": "none"}
        return subprocess.Popen(self.command(*changes), env=environment, **(pipes | how))


def place(folder: Path, more: Sequence[str] = (), host: str = "127.0.0.1") -> Place:
    return Place(folder, free_port(), host, tuple(more))
