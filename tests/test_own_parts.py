"""One's own grader, prompt, agent and graph: what the README shows, put to work."""

import re
from pathlib import Path

import pytest
from errata.graphs.studio import faculty_team

from errata.agents.prompts import load_prompts
from errata.classroom import problems as classroom
from errata.graphs.pipeline import GraphSettings
from errata.graphs.state import rationales_of
from tests.helpers import Script, voices
from tests.own_parts.editor import editor
from tests.own_parts.grader import lenient
from tests.own_parts.short import build_short

README = Path(__file__).parents[1] / "README.md"
PARTS = Path(__file__).parent / "own_parts"


def test_the_readme_shows_these_very_files() -> None:
    section = re.search(r"^#+ Your own parts$(.*?)(?=^## |\Z)", README.read_text(), re.DOTALL | re.MULTILINE)
    if section is None:
        pytest.skip("README.md has no section `Your own parts`")
    shown = {block.strip() for block in re.findall(r"```(?:python|markdown)\n(.*?)```", section[1], re.DOTALL)}

    files = [path for path in PARTS.rglob("*") if path.suffix in (".py", ".md") and path.stat().st_size]
    assert shown == {path.read_text().strip() for path in files}


async def test_an_own_grader_decides_what_is_right() -> None:
    story = await lenient.ainvoke({"problem": next(classroom.problems({}))})

    assert {each.grade_rule for each in story["rationales"].values()} == {"off_by_one"}


def test_an_own_prompt_replaces_the_shipped_one() -> None:
    assert "teacher/solve@2" in load_prompts(str(PARTS / "prompts")).hashes()


async def test_an_own_agent_works_in_an_own_graph() -> None:
    script = Script(lambda request: "2 + 3 = 5")
    ed = editor(voices("ed")[0], script, PARTS / "shorten.md")
    graph = build_short(faculty_team(), GraphSettings(), ed)

    story = await graph.ainvoke({"problem": next(classroom.problems({}))})

    right = [each for each in rationales_of(story, "teacher") if each.correct]
    short = rationales_of(story, "revised")
    assert len(right) == len(short) > 0
    assert {(each.author, each.text) for each in short} == {("ed", "2 + 3 = 5")}
    assert all(each.correct is not None for each in short)
    assert script.asked[0].messages[0].content.startswith("Write the solution below again")
