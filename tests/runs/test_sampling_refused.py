"""A lesson whose teachers' provider refuses a temperature, over real HTTP, asked one by one and in batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.llm.backends.simulated.server import Faults, serving
from errata.runs.runner import synthesize
from errata.runs.status import status
from tests.small_runs import lines, small


@pytest.mark.parametrize("batch", ["false", "{poll_s: 0.05, quiet_s: 0.1}"])
async def test_a_run_goes_on_without_a_refused_temperature_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    async with serving(Faults(rate=1, kinds=("temperature",))) as url:
        agents = [
            f"agents.teachers.{place}={{name: {name}, model: openai/{name}, api_base: '{url}', batch: {batch}}}"
            for place, name in enumerate(("ada", "ben", "cleo"))
        ]
        warm = "settings={rationales: {sampling: {temperature: 0.8}}}"
        summary = await synthesize(small(tmp_path, "graph=rationales", warm, *agents, problems=3))

    assert (summary.exit_code, summary.spent["this_run"]["failed"]) == (0, 0)
    calls = [call for line in lines(summary.run) for call in line["calls"]]
    assert len(calls) == 9
    assert not any("temperature" in call["parameters"] for call in calls)
    for notes in (summary.notes, status(summary.run)["notes"]):
        assert sum("does not take the temperature" in note for note in notes) == 3
