"""A run over two Ray workers: the same lines, paid for once, counted alike; also when a worker is killed."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from errata.errors import UsageError
from errata.llm.backends.simulated.server import serving
from errata.runs.runner import synthesize
from errata.runs.status import status
from errata.starter import DEMO
from tests.small_runs import lines, over_http, small

PROBLEMS = 10
ROOT = Path(__file__).parents[2]


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "errata.runs.ray_runner", raising=False)

    with pytest.raises(UsageError, match=r"pip install 'errata\[ray\]'"):
        importlib.import_module("errata.runs.ray_runner")


async def start(folder: Path, url: str, *more: str) -> asyncio.subprocess.Process:
    pytest.importorskip("ray")
    overrides = [f"limit={PROBLEMS}", "settings.dual_cot.warmup=4", *over_http(url), *more]
    environment = {**os.environ, "OPENAI_API_KEY": "none", "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "errata", "synth", str(DEMO), *overrides, "--workers", "2", "--quiet",
        cwd=folder, env=environment, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    _, said = await asyncio.wait_for(process.communicate(), 400)
    return process.returncode or 0, said.decode()


async def asked(url: str) -> dict[str, int]:
    """How often the server was asked each thing."""
    told = await asyncio.to_thread(lambda: urlopen(f"{url}/stats", timeout=30).read())
    by_content: dict[str, int] = json.loads(told)["by_content"]
    return by_content


def ray_workers(process: asyncio.subprocess.Process) -> list[Any]:
    psutil = pytest.importorskip("psutil")
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if child.cmdline() and child.cmdline()[0].startswith("ray::Worker"):
                    found.append(child)
    return found


async def expected(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], int]:
    """Lines and paid calls of the run in one process."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    alone = await synthesize(small(folder, *over_http(url), problems=PROBLEMS))
    return sorted(map(str, lines(alone.run))), alone.spent["this_run"]["paid"]


@pytest.mark.slow
async def test_two_workers_give_the_same_lines_and_pay_as_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as url:
        told, paid = await expected(tmp_path / "alone", url, monkeypatch)
    async with serving() as url:
        code, said = await ended(await start(tmp_path, url))
        counts = await asked(url)

    assert code == 0, said
    run = tmp_path / "runs" / "demo"
    assert sorted(map(str, lines(run))) == told
    figures = status(run)
    assert figures["calls"]["paid"] == paid == sum(counts.values())
    assert figures["problems"]["done"] == PROBLEMS
    assert set(counts.values()) == {1}


@pytest.mark.slow
async def test_a_killed_worker_loses_no_problem_and_pays_for_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as url:
        told, paid = await expected(tmp_path / "alone", url, monkeypatch)
    async with serving(latency=0.2) as url:
        process = await start(tmp_path, url)
        while sum((await asked(url)).values()) < 40:
            assert process.returncode is None
            await asyncio.sleep(0.1)
        victims = ray_workers(process)
        victims[0].kill()
        code, said = await ended(process)
        counts = await asked(url)

    assert len(victims) == 2
    assert code == 0, said
    assert sorted(map(str, lines(tmp_path / "runs" / "demo"))) == told
    assert set(counts.values()) == {1}
    assert sum(counts.values()) == paid == status(tmp_path / "runs" / "demo")["calls"]["paid"]


@pytest.mark.slow
async def test_a_budget_holds_over_all_workers_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    async with serving() as url:
        code, said = await ended(await start(tmp_path, url, "budget.calls=60"))
        first = await asked(url)
        again, more = await ended(await start(tmp_path, url, "budget.calls=10000"))
        second = await asked(url)

    assert code == 4, said
    assert sum(first.values()) <= 60
    assert again == 0, more
    assert set(second.values()) == {1}
    assert status(tmp_path / "runs" / "demo")["problems"]["pending"] == 0
