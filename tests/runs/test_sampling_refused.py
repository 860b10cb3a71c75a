"""A lesson whose teachers' provider refuses a temperature, over real HTTP, beside one in which none is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.llm.backends.simulated.server import Faults, serving
from errata.runs.runner import synthesize
from errata.runs.status import status
from tests.small_runs import lines, over_http, small

WARM = "settings.rationales.sampling.temperature=0.8"


async def test_a_run_goes_on_without_a_refused_temperature_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    async with serving(Faults(rate=1, kinds=("temperature",))) as url:
        summary = await synthesize(small(tmp_path, *over_http(url), WARM, problems=3))

    assert (summary.exit_code, summary.spent["this_run"]["failed"]) == (0, 0)
    warm = [call for line in lines(summary.run) for call in line["calls"] if call["stage"] == "rationales"]
    assert warm
    assert not any("temperature" in call["parameters"] for call in warm)
    for notes in (summary.notes, status(summary.run)["notes"]):
        assert any("ada does not take the temperature" in note for note in notes)
