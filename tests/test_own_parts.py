"""One's own grader, prompt, agent and graph: the README's snippets, word for word, put to work."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"

# ---- snippet: grader
from dataclasses import replace

from errata.grading import Grade, read_answer
from errata.graphs.lesson import build_graph
from errata.graphs.studio import faculty_cast
from errata.settings import GraphSettings


class OffByOne:
    """Counts an answer that misses by one as right."""

    async def grade(self, problem, text):
        answer, span, _ = read_answer("number", text)
        right = answer is not None and abs(float(answer) - float(problem.answer)) <= 1
        return Grade(right, answer, span, "off_by_one")


cast = replace(faculty_cast(), grader=OffByOne())
lenient = build_graph("lesson", GraphSettings(), cast)
# ---- end

# ---- snippet: agent
from dataclasses import dataclass

from errata.agents.prompts import Prompts, load_prompt
from errata.agents.replies import read_prose
from errata.agents.voice import Errand, Said, Voice, written
from errata.records import Problem, Rationale
from errata.settings import Sampling


@dataclass(frozen=True)
class Editor:
    """Shortens a solution. What it says is a new rationale; every try is logged."""

    voice: Voice

    async def shorten(self, problem: Problem, long: Rationale) -> Said[Rationale]:
        inputs = {"question": problem.question, "rationale": long.text}
        errand = Errand("revise", "rationales", "editor/shorten", inputs, about=long)
        said = await self.voice.say(errand, problem, Sampling(temperature=0), read_prose)
        return written(said, problem, self.voice.name, "revised", sample=long.sample, parent=long)


def editor(spec, ask, folder: Path) -> Editor:
    return Editor(Voice(spec, ask, Prompts({"editor/shorten": load_prompt(folder / "shorten.md", "editor/shorten")})))
# ---- end


# ---- snippet: graph
from langgraph.graph import END, START, StateGraph

from errata.graphs.rationales import build_rationales
from errata.graphs.state import Story, rationales_of
from errata.graphs.steps import grade_all, together, written_by


def build_short(cast, settings: GraphSettings, editor: Editor):
    """START -> rationales -> shorten -> grade -> END"""

    async def shorten(state: Story) -> Story:
        right = [each for each in rationales_of(state, "teacher") if each.correct]
        return written_by(await together(editor.shorten(state["problem"], each) for each in right))

    async def grade(state: Story) -> Story:
        return await grade_all(cast, state)

    graph = StateGraph(Story)
    graph.add_node("rationales", build_rationales(cast, settings))
    graph.add_node("shorten", shorten)
    graph.add_node("grade", grade)
    graph.add_edge(START, "rationales")
    graph.add_edge("rationales", "shorten")
    graph.add_edge("shorten", "grade")
    graph.add_edge("grade", END)
    return graph.compile()
# ---- end


SHORTEN = """\
---
version: 1
inputs: [question, rationale]
---
Write the solution below again in as few words as you can.

### Problem
{{ question }}

### Solution
{{ rationale }}
"""

OWN_SOLVE = """\
---
version: 2
inputs: [question, answer_form]
---
Solve the problem below, thinking aloud like a patient tutor. Last line: {{ answer_form }}

### Problem
{{ question }}

### Solution
"""


def test_the_readme_shows_these_very_snippets() -> None:
    shown = re.findall(r"```(?:python|markdown)\n(.*?)```", own_parts_of(README.read_text(encoding="utf-8")), re.DOTALL)
    source = Path(__file__).read_text(encoding="utf-8")

    assert len(shown) >= 4
    for snippet in shown:
        assert snippet.strip() in source


def own_parts_of(readme: str) -> str:
    section = re.search(r"^#+ Your own parts$(.*?)(?=^## |\Z)", readme, re.DOTALL | re.MULTILINE)
    if section is None:
        pytest.skip("README.md has no section `Your own parts`")
    return section[1]


async def test_an_own_grader_decides_what_is_right() -> None:
    story = await lenient.ainvoke({"problem": toy()})

    assert {each.grade_rule for each in story["rationales"].values()} == {"off_by_one"}


def test_an_own_prompt_replaces_the_shipped_one(tmp_path: Path) -> None:
    from errata.agents.prompts import load_prompts

    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher/solve.md").write_text(OWN_SOLVE)

    assert "teacher/solve@2" in load_prompts(str(tmp_path)).hashes()


async def test_an_own_agent_works_in_an_own_graph(tmp_path: Path) -> None:
    from tests.helpers import Script, voices

    (tmp_path / "shorten.md").write_text(SHORTEN)
    script = Script(lambda request: "2 + 3 = 5")
    graph = build_short(faculty_cast(), GraphSettings(), editor(voices("ed")[0], script, tmp_path))

    story = await graph.ainvoke({"problem": toy()})

    right = [each for each in rationales_of(story, "teacher") if each.correct]
    assert len(right) == len(rationales_of(story, "revised")) > 0
    assert {(each.author, each.text) for each in rationales_of(story, "revised")} == {("ed", "2 + 3 = 5")}
    assert all(each.correct is not None for each in rationales_of(story, "revised"))


def toy() -> Problem:
    from errata.agents.simulated import classroom

    return next(iter(classroom.problems({})))
