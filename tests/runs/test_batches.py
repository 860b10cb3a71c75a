"""A lesson whose calls go out in batches: the same log as asked one by one, at half the price, across every stop."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from errata.llm.backends.simulated.batch_desk import BatchFaults
from errata.llm.backends.simulated.server import serving
from errata.llm.batches.progress import BatchProgress, OpenBatch
from errata.runs.counters import ProblemCounts, Snapshot, StopSignal
from errata.runs.plan.estimate import estimate
from errata.runs.progress import batches_in_words, describe
from errata.runs.recipe import SynthRecipe
from errata.runs.runner import synthesize
from errata.runs.status import status
from tests.small_runs import lines, small

BATCH = "{poll_s: 0.02, quiet_s: 0.1, grace_s: 0}"


def lesson(folder: Path, url: str, graph: str = "lesson", *, batch: bool, problems: int = 4) -> SynthRecipe:
    """The demo over HTTP, one teacher of Anthropic's API; at half the price where it is asked alone."""
    overrides = []
    recipe = small(folder)
    assert recipe.agents.student is not None
    places = [(f"teachers.{n}", spec) for n, spec in enumerate(recipe.agents.teachers)]
    price = 2 if batch else 1
    for number, (place, spec) in enumerate([*places, ("student", recipe.agents.student)]):
        kind, base = ("anthropic", url.removesuffix("/v1")) if number == 1 else ("openai", url)
        model = spec.model.replace("simulated/", f"{kind}/")
        settings = f"name: {spec.name}, model: '{model}', api_base: '{base}', retries: 4"
        settings += f", price: {{prompt: {price}, completion: {price}}}"
        overrides.append(f"agents.{place}={{{settings}, batch: {BATCH if batch else 'false'}}}")
    return small(folder, *overrides, f"graph={graph}", "settings.dual_cot.warmup=2", problems=problems)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")


async def stats(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/stats") as response:
        counted: dict[str, Any] = await response.json()
        return counted


@dataclass
class Stops:
    """Stops a run when a batch is at its provider, so many times in all."""

    times: int
    stop: StopSignal = field(default_factory=StopSignal)

    def __call__(self, snapshot: Snapshot) -> None:
        if self.times and any(batch.id for batch in snapshot.batches.open):
            self.times -= 1
            self.stop.request()
            self.stop.request()


@pytest.mark.parametrize(("graph", "stops"), [("rationales", 1), pytest.param("lesson", 3, marks=pytest.mark.slow)])
async def test_in_batches_a_run_is_what_it_is_asked_one_by_one_also_when_it_is_stopped(
    tmp_path: Path, graph: str, stops: int
) -> None:
    async with serving() as url:
        await synthesize(lesson(tmp_path / "live", url, graph, batch=False))
        live = await stats(url)
    async with serving(batches=BatchFaults(delay=0.8)) as url:
        recipe, watch = lesson(tmp_path / "batches", url, graph, batch=True), Stops(stops)
        while True:
            watch.stop = StopSignal()
            summary = await synthesize(recipe, stop=watch.stop, watch=watch)
            if not watch.stop.requests:
                break
            noted = status(summary.run)
            assert noted["batches"]["open"] >= 1
            assert any("are at their providers" in note for note in noted["notes"])
        batched = await stats(url)
    assert (watch.times, summary.exit_code) == (0, 0)
    assert batched["by_content"] == live["by_content"]  # nothing was paid twice
    here, there = (lines(tmp_path / each / recipe.name) for each in ("batches", "live"))
    assert by_problem(here) == by_problem(there)
    assert summary.spent["all_runs"]["paid"] == batched["requests"]


def by_problem(logged: list[dict[str, Any]]) -> list[str]:
    """The lines in an order of their own."""
    return sorted(json.dumps(line) for line in logged)


def test_the_plan_counts_batches_at_their_price(tmp_path: Path) -> None:
    alone, together = (estimate(lesson(tmp_path, "http://127.0.0.1:9/v1", batch=batch)) for batch in (False, True))
    assert together["cost_usd"] == alone["cost_usd"]  # the price of the one is half of the other's
    assert together["cost_usd"]["expected"] > 0
    assert any("go out in batches" in note for note in together["notes"])


def test_progress_says_how_far_batches_are() -> None:
    batches = [OpenBatch("ada", "b1", 100, 25, 60.0), OpenBatch("ben", "b2", 50, 50, 10.0)]
    assert batches_in_words(BatchProgress(7, batches)) == (
        "2 batches: 75 of 150 calls answered, about 3 min 00 s left, 7 calls to be sent"
    )
    assert batches_in_words(BatchProgress(7)) == "7 calls to be sent"
    assert "left" not in batches_in_words(BatchProgress(0, [OpenBatch("ada", None, 100, 0, 60.0)]))
    assert BatchProgress(3, batches[:1]).to_json() == {
        "waiting": 3,
        "open": [{"agent": "ada", "id": "b1", "calls": 100, "done": 25}],
    }


def test_a_line_of_progress_has_the_batches() -> None:
    spent = dict.fromkeys(("paid", "cached", "failed", "prompt_tokens", "completion_tokens", "usd"), 0)
    snapshot = Snapshot(ProblemCounts(3), {"this_run": spent, "all_runs": spent}, 0, 3, 1.0, draining=False)
    assert "batches" not in dict(describe(snapshot, 0.0))
    told = dict(describe(replace(snapshot, batches=BatchProgress(7)), 0.0))
    assert told["batches"] == "7 calls to be sent"
