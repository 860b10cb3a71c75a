"""A run in which a fallback fired: it ends, it says so everywhere, and resumes with the same bytes."""

from __future__ import annotations

from pathlib import Path

import orjson

from errata.exports.write import export
from errata.llm.backends.simulated.server import Faults, serving
from errata.runs.progress import report
from errata.runs.runner import synthesize
from errata.runs.saved_recipe import differences
from errata.runs.status import status
from tests.faults.harm import accounted, came_to, place, soon
from tests.small_runs import lines

STANDBY = "agents.standby=[{{name: dora, model: openai/dan, api_base: '{url}'}}]"


async def test_a_refused_teacher_is_replaced_and_the_run_says_so(tmp_path: Path) -> None:
    here = place(tmp_path)
    async with serving() as other, serving(Faults(refuse_after=0)) as refusing:
        recipe = here.recipe(
            STANDBY.format(url=other), "agents.teachers.0.fallback=dora", f"agents.teachers.0.api_base={refusing}"
        )
        async with serving(port=here.port):
            summary = await synthesize(recipe, sleep=soon)

    assert summary.exit_code == 0, summary
    assert accounted(here.run)["pending"] == 0
    result = lines(here.run)
    instead = [call for line in result for call in line["calls"] if call["fallback"]]
    assert instead
    assert {(call["agent"], call["fallback"], call["model"]) for call in instead} == {("ada", "dora", "openai/dan")}
    assert not any(call["agent"] == "ada" and not call["fallback"] for line in result for call in line["calls"])
    written = [each for line in result for each in line["rationales"] if each["author"] == "ada"]
    assert written
    assert {each["stand_in"] for each in written} == {"dora"}
    paid = orjson.loads((here.run / "manifest.json").read_bytes())["fallbacks"]["ada"]["dora"]
    assert 0 < paid <= len(instead)
    figures = status(here.run)
    assert figures["fallbacks"] == {"ada": {"dora": len(instead)}}
    assert any("in the place of ada" in note for note in figures["notes"])
    text = "\n".join(report(summary))
    assert f"{paid} replies were asked of ada and given by dora, its fallback" in text
    assert "this key has been revoked" in text
    card = export([here.run], "messages", tmp_path / "m.jsonl").card.read_text(encoding="utf-8")
    assert f"{len(instead)} replies of ada were given by dora" in card


async def test_a_fallback_may_be_named_when_the_trouble_is_there(tmp_path: Path) -> None:
    """A refused agent stops the run; the same run goes on with another in its place, and pays nothing twice."""
    here = place(tmp_path)
    first = await here.lives("concurrency=2", faults=Faults(refuse_after=60))
    assert first.exit_code == 1

    async with serving() as other:
        mended = here.recipe(
            STANDBY.format(url=other),
            "agents.teachers.0.fallback=dora",
        )
        assert differences(here.recipe(), mended) == []
        async with serving(port=here.port):
            last = await synthesize(mended, sleep=soon)

    assert last.exit_code == 0
    assert last.spent["all_runs"]["paid"] >= 60
    assert accounted(here.run)["pending"] == 0


async def test_killed_and_resumed_the_stand_ins_replies_are_kept(tmp_path: Path) -> None:
    """The same bytes, although the asked one is back: what a stand-in said is paid for."""
    here = place(tmp_path)
    async with serving() as other, serving(Faults(refuse_after=0)) as refusing:
        changes = [
            STANDBY.format(url=other),
            "agents.teachers.0.fallback=dora",
            f"agents.teachers.0.api_base={refusing}",
        ]
        async with serving(port=here.port):
            await synthesize(here.recipe(*changes), sleep=soon)
        before = came_to(here.run)
        log = here.run / "transcripts.jsonl"
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:1]))
        async with serving(port=here.port):
            again = await synthesize(here.recipe(*changes), sleep=soon)

    assert again.spent["this_run"]["paid"] == 0
    assert came_to(here.run) == before
