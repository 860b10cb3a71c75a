"""Runs over loopback HTTP: what is listed and live, what is refused, and a real run watched while it is written."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from errata.errors import UsageError
from errata.runs.runner import synthesize
from errata.view.answers import HEADERS
from errata.view.found_runs import find_runs, newest, run_now, version_of
from errata.view.server import serving
from tests.small_runs import lines, small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one of them deeper, beside an eval's folder and what is none."""
    root = tmp_path_factory.mktemp("runs")
    run = asyncio.run(synthesize(small(root, problems=6))).run
    shutil.copytree(run, root / "study" / "lesson-0")
    (root / "demo" / "evals" / "plain").mkdir(parents=True)
    (root / "demo" / "evals" / "plain" / "manifest.json").write_text('{"status": "running"}')
    (root / "none").mkdir()
    (root / "none" / "recipe.yaml").write_text("graph: lesson\n")
    (root / "away").symlink_to(run)
    return root


async def get(address: str, path: str, **headers: str) -> tuple[int, str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(address.rstrip("/") + path, headers=headers) as response,
    ):
        return response.status, await response.text(), response.headers


def test_runs_are_found_by_their_place_and_links_are_not_followed(folder: Path) -> None:
    assert sorted(find_runs(folder)) == ["demo", "study/lesson-0"]
    assert list(find_runs(folder / "demo")) == ["demo"]
    assert find_runs(folder / "none") == {}


def test_a_run_is_told_as_its_manifest_and_log_have_it(folder: Path) -> None:
    run = find_runs(folder)["demo"]
    now, latest = run_now("demo", run), newest(run)
    log = lines(run.path)

    assert (now.total, now.done + now.rejected + now.failed, now.pending) == (6, 6, 0)
    assert now.usd == 0.0
    assert "rationales" in now.stages
    assert [each.id for each in latest] == [line["problem"]["id"] for line in reversed(log)]
    assert latest[0].right == sum(bool(each["correct"]) for each in log[-1]["rationales"])
    assert len(newest(run, most=2)) == 2


def test_failures_are_told_with_the_transcript_that_met_them(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "demo", tmp_path / "demo")
    run = find_runs(tmp_path)["demo"]
    last = lines(run.path)[-1]
    last["calls"][0].update(agent="ada", failure="500 down")
    with run.log.open("ab") as log:
        log.write(orjson.dumps(last) + b"\n")
    assert newest(run)[0].failures == ("ada: 500 down",)
    assert not any(each.failures for each in newest(run)[1:])


def test_half_lines_damaged_ones_and_pipes_are_passed_over(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "demo"
    shutil.copytree(folder / "demo", copy)
    run = find_runs(tmp_path)["demo"]
    before = version_of(run)
    with run.log.open("ab") as log:
        log.write(b"oops\n{}\n" + run.log.read_bytes()[:100])

    assert len(newest(run)) == 6
    assert version_of(run) != before
    run.manifest_file.write_bytes(orjson.dumps({"stages": 3, "problems": [], "spent": {"all_runs": {"usd": "x"}}}))
    assert run_now("demo", run).total == 0
    run.log.unlink()
    os.mkfifo(run.log)
    assert newest(run) == []


async def test_pages_lists_and_reports(folder: Path) -> None:
    async with serving(folder) as address:
        _, page, headers = await get(address, "/")
        _, listed, _ = await get(address, "/api/runs")
        _, one, _ = await get(address, "/run/study/lesson-0")
        _, now, _ = await get(address, "/api/run/study/lesson-0")
        status, report, _ = await get(address, "/report/study/lesson-0")
        again = await asyncio.wait_for(get(address, "/report/study/lesson-0"), 1.0)

    assert "<script src=" in page
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert sorted(run["place"] for run in json.loads(listed)) == ["demo", "study/lesson-0"]
    assert "/report/study/lesson-0" in one
    assert json.loads(now)["run"]["done"] + json.loads(now)["run"]["rejected"] == 6
    assert (status, again[1] == report) == (200, True)
    assert not (folder / "study" / "lesson-0" / "report.html").exists(), "nothing is written beside a run"


@pytest.mark.parametrize(
    "path", ["/api/run/nobody", "/run/..%2F..%2Fetc", "/report/none", "/run/away", "/api/run/demo/evals", "/nothing"]
)
async def test_what_is_no_run_is_not_found(folder: Path, path: str) -> None:
    async with serving(folder) as address:
        status, _, _ = await get(address, path)

    assert status == 404


async def test_names_of_others_and_writing_are_refused(folder: Path) -> None:
    async with serving(folder) as address, aiohttp.ClientSession() as session:
        foreign, _, _ = await get(address, "/api/runs", Host="evil.example:80")
        tunnel, _, _ = await get(address, "/api/runs", Host="localhost:9000")
        async with session.post(address) as posted:
            assert posted.status == 405

    assert (foreign, tunnel) == (403, 200)


async def test_a_missing_folder_and_a_taken_port_are_told(folder: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        async with serving(folder / "missing"):
            pass
    async with serving(folder) as address:
        with pytest.raises(UsageError, match="cannot be listened on"):
            async with serving(folder, port=int(address.rstrip("/").rpartition(":")[2])):
                pass


async def test_a_run_is_watched_while_it_is_written(tmp_path: Path) -> None:
    """Every answer is whole, counts never fall, and the last one is the run's end."""
    recipe = small(tmp_path, "concurrency=2", problems=15)
    seen: list[int] = []
    async with serving(tmp_path) as address:
        run = asyncio.create_task(synthesize(recipe))
        while not run.done():
            status, text, _ = await get(address, "/api/run/demo")
            if status == 200:
                value = json.loads(text)
                seen.append(len({each["id"] for each in value["newest"]}))
                assert value["run"]["running"] or run.done()
            await asyncio.sleep(0.02)
        await run
        _, text, _ = await get(address, "/api/run/demo")

    assert seen == sorted(seen)
    assert len(set(seen)) > 2, "it was seen growing"
    last = json.loads(text)["run"]
    assert (last["total"], last["pending"]) == (15, 0)
