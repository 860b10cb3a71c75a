"""Every entry of langgraph.json loads and runs over the simulated faculty."""

import importlib.util
import json
from pathlib import Path
from typing import get_args

import pytest

from errata.classroom import problems as classroom
from errata.graphs.state import rationales_of, transcript_of
from errata.graphs.studio import mermaid
from errata.records import Transcript

ROOT = Path(__file__).parents[2]
ENTRIES: dict[str, str] = json.loads((ROOT / "langgraph.json").read_text())["graphs"]


def load(entry: str):  # type: ignore[no-untyped-def]
    """As langgraph's server does: the file by its path, the factory by its name."""
    path, name = entry.split(":")
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)()


def test_every_graph_has_an_entry() -> None:
    assert set(ENTRIES) == set(get_args(str))


@pytest.mark.parametrize("name", ENTRIES)
async def test_an_entry_runs_on_a_problem_of_its_own(name: str) -> None:
    story = await load(ENTRIES[name]).ainvoke({})

    assert story["outcome"].status in ("done", "rejected")
    assert all(call.failure is None and call.reply is not None for call in story["calls"].values())
    told = transcript_of(name, story)
    assert Transcript.from_line(told.to_line()) == told


async def test_a_problem_may_come_as_json() -> None:
    given = [each.model_dump(mode="json") for _, each in zip(range(12), classroom.problems({}), strict=False)]
    graph = load(ENTRIES["lesson"])

    stories = [await graph.ainvoke({"problem": each}) for each in given]
    again = [await graph.ainvoke({"problem": each}) for each in given]

    lines = [transcript_of("lesson", story).to_line() for story in stories]
    assert lines == [transcript_of("lesson", story).to_line() for story in again]
    assert [story["problem"].id for story in stories] == [each["id"] for each in given]
    written = [each for story in stories for each in rationales_of(story, "teacher")]
    assert len(written) == 36
    assert all(each.sound is not None for each in written)
    assert any(each.accepted for each in written)
    assert any(story["pairs"] for story in stories)
    assert any(story["explanations"] for story in stories)


@pytest.mark.parametrize("name", get_args(str))
def test_a_graph_can_be_drawn(name: str) -> None:
    drawn = mermaid(name)

    assert drawn.startswith("---\nconfig:") or "graph TD" in drawn
    assert "conclude" in drawn
    assert ("answer" in drawn) is (name in ("exam", "mistake_explanation", "lesson"))
