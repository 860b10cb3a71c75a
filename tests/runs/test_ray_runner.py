"""A run over two Ray workers: the same lines, paid for once, counted alike; also when a worker is killed."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from errata.errors import UsageError
from errata.llm.backends.simulated.server import serving
from errata.runs.packed_recipe import pack, unpack
from errata.runs.recipe import load_recipe
from errata.runs.runner import synthesize
from errata.runs.saved_recipe import dump_recipe
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


STAGE = """
from errata.config.base import Settings
from errata.graphs.stage import Stage, chain

class Loud(Settings):
    times: int = 2

async def shout(state):
    return {}

LOUD = Stage(
    name="loud", settings=Loud, build=lambda *_: chain(shout=shout), expected=lambda *_: (), roles={"shouted": "target"}
)

def GRADER(problem, text):
    raise NotImplementedError
"""


def test_a_recipe_with_own_code_is_loaded_again_from_what_is_sent(tmp_path: Path) -> None:
    (tmp_path / "my_stages.py").write_text(STAGE)
    path = tmp_path / "own.yaml"
    own = {"stages": ["exam", "my_stages.py:LOUD"], "grader": "my_stages.py:GRADER"}
    path.write_text(DEMO.read_text() + yaml.safe_dump(own))
    recipe = load_recipe(path, ["settings.loud.times=5", "agents.student.temperature=null"])

    again = unpack(pickle.loads(pickle.dumps(pack(recipe))))  # noqa: S301 - our own bytes

    assert dump_recipe(again) == dump_recipe(recipe)
    assert [stage.name for stage in again.pipeline] == [stage.name for stage in recipe.pipeline]
    assert "loud" in [stage.name for stage in again.pipeline]
    assert again.code == recipe.code
    assert again.grader is not None
    assert callable(again.grader.loaded)


def test_a_part_without_a_name_cannot_be_sent(tmp_path: Path) -> None:
    recipe = load_recipe(DEMO, grader=lambda problem, text: None)

    with pytest.raises(UsageError, match="cannot be sent to workers"):
        pack(recipe)


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
    _, stderr = await asyncio.wait_for(process.communicate(), 400)
    return process.returncode or 0, stderr.decode()


async def requests(url: str) -> dict[str, int]:
    """How often the server was asked each thing."""
    stats = await asyncio.to_thread(lambda: urlopen(f"{url}/stats", timeout=30).read())
    by_content: dict[str, int] = json.loads(stats)["by_content"]
    return by_content


def ray_workers(process: asyncio.subprocess.Process) -> list[Any]:
    psutil = pytest.importorskip("psutil")
    workers = []
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if child.cmdline() and child.cmdline()[0].startswith("ray::Worker"):
                    workers.append(child)
    return workers


def listens_at(process: asyncio.subprocess.Process) -> set[str]:
    """The addresses of this machine at which the process and all that it has started accept connections."""
    psutil = pytest.importorskip("psutil")
    there = psutil.Process(process.pid)
    sockets = [socket for each in (there, *there.children(recursive=True)) for socket in each.net_connections("inet")]
    return {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}


async def expected(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], int]:
    """Lines and paid calls of the run in one process."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    alone = await synthesize(small(folder, *over_http(url), problems=PROBLEMS))
    return sorted(map(str, lines(alone.run))), alone.spent["this_run"]["paid"]


@pytest.mark.slow
async def test_two_workers_give_the_same_lines_and_pay_as_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as url:
        expected_lines, paid = await expected(tmp_path / "alone", url, monkeypatch)
    async with serving() as url:
        code, message = await ended(await start(tmp_path, url))
        counts = await requests(url)

    assert code == 0, message
    run = tmp_path / "runs" / "demo"
    assert sorted(map(str, lines(run))) == expected_lines
    figures = status(run)
    assert figures["calls"]["paid"] == paid == sum(counts.values())
    assert figures["problems"]["done"] == PROBLEMS
    assert set(counts.values()) == {1}


@pytest.mark.slow
async def test_a_killed_worker_loses_no_problem_and_pays_for_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as url:
        expected_lines, paid = await expected(tmp_path / "alone", url, monkeypatch)
    async with serving(latency=0.2) as url:
        process = await start(tmp_path, url)
        while sum((await requests(url)).values()) < 40:
            assert process.returncode is None
            await asyncio.sleep(0.1)
        victims, addresses = ray_workers(process), listens_at(process)
        victims[0].kill()
        code, message = await ended(process)
        counts = await requests(url)

    assert len(victims) == 2
    assert addresses
    assert all(address.removeprefix("::ffff:") in {"127.0.0.1", "::1"} for address in addresses), addresses
    assert code == 0, message
    assert sorted(map(str, lines(tmp_path / "runs" / "demo"))) == expected_lines
    assert set(counts.values()) == {1}
    assert sum(counts.values()) == paid == status(tmp_path / "runs" / "demo")["calls"]["paid"]


@pytest.mark.slow
async def test_a_budget_holds_over_all_workers_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    async with serving() as url:
        code, message = await ended(await start(tmp_path, url, "budget.calls=60"))
        first = await requests(url)
        again, more = await ended(await start(tmp_path, url, "budget.calls=10000"))
        second = await requests(url)

    assert code == 4, message
    assert sum(first.values()) <= 60
    assert again == 0, more
    assert set(second.values()) == {1}
    assert status(tmp_path / "runs" / "demo")["problems"]["pending"] == 0
