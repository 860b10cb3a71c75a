"""One store beside the runs: replies are shared, payments are each run's own, also where the store is lost."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import orjson
import pytest

from errata.llm.store import Store
from errata.runs.plan.pilot import run_pilot
from errata.runs.reply_store import reply_store
from errata.runs.run_dir import RunDir
from errata.runs.runner import Summary, synthesize
from errata.runs.status import status
from tests.small_runs import small

STOPPED = 4


async def run(folder: Path, *changes: str) -> Summary:
    return await synthesize(small(folder, *changes, problems=2))


def paid(summary: Summary) -> tuple[int, int]:
    """By this process, and by all of the run directory."""
    return summary.spent["this_run"]["paid"], summary.spent["all_runs"]["paid"]


async def test_a_run_of_another_name_pays_for_nothing_that_is_there(tmp_path: Path) -> None:
    first = await run(tmp_path, "name=one")
    second = await run(tmp_path, "name=two")
    fewer = await run(tmp_path, "name=three", "settings.rationales.samples=1")
    once_more = await run(tmp_path, "name=two")

    assert paid(first) == (status(first.run)["calls"]["paid"],) * 2
    assert paid(first)[0] > 20
    assert paid(second) == (0, 0)
    assert second.spent["this_run"]["cached"] == first.spent["this_run"]["paid"] + first.spent["this_run"]["cached"]
    assert paid(fewer)[0] < 15
    assert paid(once_more) == (0, 0)
    assert (first.run / "transcripts.jsonl").read_bytes() == (second.run / "transcripts.jsonl").read_bytes()
    assert not (first.run / "calls").exists()
    assert first.notes == second.notes == ()


async def test_a_budget_is_each_runs_own(tmp_path: Path) -> None:
    first = await run(tmp_path, "name=one", "budget.calls=10")
    second = await run(tmp_path, "name=two", "budget.calls=10")
    again = await run(tmp_path, "name=two", "budget.calls=10")

    assert [each.exit_code for each in (first, second, again)] == [STOPPED] * 3
    assert paid(first) == paid(second) == (10, 10)
    assert paid(again) == (0, 10)


async def test_a_run_that_has_its_own_calls_goes_on_with_them(tmp_path: Path) -> None:
    calls = tmp_path / "demo" / "calls"
    Store(calls, "run").close()

    first = await run(tmp_path, "budget.calls=10")
    (first.run / "transcripts.jsonl").unlink(missing_ok=True)
    again = await run(tmp_path, "budget.calls=12")

    assert not (tmp_path / ".calls").exists()
    assert paid(again) == (2, 12)
    assert orjson.loads((first.run / "manifest.json").read_bytes())["store"] == "own"


async def test_a_lost_store_does_not_give_the_budget_back(tmp_path: Path) -> None:
    first = await run(tmp_path, "budget.calls=10")
    shutil.rmtree(tmp_path / ".calls")

    again = await run(tmp_path, "budget.calls=10")
    more = await run(tmp_path, "budget.calls=13")

    assert (first.exit_code, again.exit_code) == (STOPPED, STOPPED)
    assert paid(again) == (0, 10)
    assert again.spent["all_runs"]["usd"] == first.spent["all_runs"]["usd"]
    assert any("knows 0 paid calls of this run, its manifest 10: 10 count against the budget" in n for n in again.notes)
    assert paid(more) == (3, 13)
    assert not any("its manifest" in note for note in more.notes)  # said once, and the ledger is whole again
    assert status(more.run)["calls"]["paid"] == 13


async def test_a_stages_budget_outlives_the_store_too(tmp_path: Path) -> None:
    budget = "budget={stages: {rationales: {calls: 3}}}"
    await run(tmp_path, budget)
    shutil.rmtree(tmp_path / ".calls")
    again = await run(tmp_path, budget)

    assert again.exit_code == STOPPED
    assert again.spent["all_runs"]["stages"]["rationales"]["paid"] == 3


async def test_manifests_of_older_versions_are_believed_too(tmp_path: Path) -> None:
    first = await run(tmp_path, "budget.calls=10")
    manifest = orjson.loads((first.run / "manifest.json").read_bytes())
    for figures in manifest["spent"]["all_runs"]["stages"].values():
        del figures["counted_usd"], figures["lost"]
    del manifest["store"]
    (first.run / "manifest.json").write_bytes(orjson.dumps(manifest))
    shutil.rmtree(tmp_path / ".calls")

    assert paid(await run(tmp_path, "budget.calls=10")) == (0, 10)


@pytest.mark.parametrize("spent", [None, [], {"all_runs": 5}, {"all_runs": {"stages": {"exam": {"paid": "many"}}}}])
def test_a_damaged_manifest_says_nothing(tmp_path: Path, spent: object) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "manifest.json").write_bytes(orjson.dumps({"spent": spent}))
    assert reply_store(small(tmp_path), RunDir(tmp_path / "demo")).known == {}


async def test_a_moved_directory_takes_its_payments_along(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    await run(here, "budget.calls=10")
    there.mkdir()
    shutil.copytree(here / "demo", there / "demo")

    moved = await run(there, "budget.calls=10")
    stayed = await run(here, "budget.calls=10")

    assert paid(moved) == paid(stayed) == (0, 10)
    assert moved.exit_code == stayed.exit_code == STOPPED


async def test_a_deleted_run_begins_anew_and_its_replies_are_free(tmp_path: Path) -> None:
    first = await run(tmp_path)
    shutil.rmtree(tmp_path / "demo")

    again = await run(tmp_path, "budget.calls=5")

    assert again.exit_code == 0
    assert paid(again) == (0, 0)
    assert again.spent["this_run"]["cached"] >= paid(first)[0]


def test_what_a_pilot_has_paid_is_the_runs(tmp_path: Path) -> None:
    recipe = small(tmp_path, problems=2)
    run_pilot(recipe, 1)
    run_pilot(recipe, 1)
    assert not (tmp_path / "demo").exists()
    summary = asyncio.run(synthesize(recipe))
    mine, ever = paid(summary)
    plain = asyncio.run(run(tmp_path / "other"))

    assert 0 < mine < ever == paid(plain)[1]
    shutil.rmtree(tmp_path / "demo")
    assert paid(asyncio.run(synthesize(recipe))) == (0, 0)
