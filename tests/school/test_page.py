"""The report of a school: its own section first, links to items that the page holds, hostile text, empty schools."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from markupsafe import Markup

from errata.cli import cli
from errata.errors import UsageError
from errata.records import Explanation, Outcome, Problem, Rationale, Transcript
from errata.report import build
from errata.school.page import report_of
from errata.school.recipe import load_school
from errata.school.record import School, write_school
from errata.steps.record import RECORD, Finish, append
from tests.school.school_data import written
from tests.school.scripted import Scripted, gone_through

EVIL = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the drawing out, which has tests of its own and takes seconds."""
    monkeypatch.setattr(build, "draw", lambda spec, own: Markup("<svg></svg>"))


def explain(home: Path, problem: str, *kinds: str) -> None:
    """Puts a transcript with an explained mistake of the student into the first lesson."""
    transcript = Transcript(
        graph="lesson",
        problem=Problem(id=problem, task="taught", question=EVIL, answer="1", kind="number"),
        rationales=(Rationale(id="r", problem_id=problem, author="student", role="student", text="2", correct=False),),
        explanations=(
            Explanation.model_validate(
                {"id": "e", "author": "ada", "rationale_id": "r", "text": f"Add, {EVIL}", "kinds": kinds}
            ),
        ),
        outcome=Outcome(status="done"),
    )
    with (home / "round-1/lesson/transcripts.jsonl").open("ab") as log:
        log.write(transcript.to_line())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two rounds; in the second exam one more problem is right, whose mistake the first lesson explained."""
    school = load_school(written(tmp_path))
    worker = Scripted(school)
    gone_through(school, worker)
    items = school.home / "round-2/exam/evals/student-exam/items.jsonl"
    items.write_text(items.read_text().replace('"id":"p4","task":"taught","correct":false', '"id":"p4","correct":true'))
    explain(school.home, "p4", "logical", "calculation")
    explain(school.home, "p5", "logical")
    return school.home


def test_a_school_has_its_own_section_and_those_of_its_judged_students(home: Path) -> None:
    done = report_of(home)
    page = done.out.read_text()
    assert done.out == home / "report.html"
    assert done.items == 40
    assert re.findall(r'<section id="(\w+)"', page)[:2] == ["school", "results"]
    for words in (
        "From 25.0\N{NO-BREAK SPACE}% to 97.5\N{NO-BREAK SPACE}% in 2 rounds.",
        "2 of 2 rounds are shown to be a gain.",
        "The rounds cured 29 answers and broke 0; 1 was never right.",
        "Teachers named the kind of a mistake 3 times in the student&#39;s answers.",
        "1 explanation preceded a cure, of 1 problem.",
        "Ended: all 2 rounds are done.",
        "In all: 1,000 teacher tokens",
        "Cost of the next point, were it as dear as in round 2: ",
    ):
        assert words in page, words
    assert (home / "card.md").exists()


def test_listed_items_lead_to_their_answers_and_text_stays_text(home: Path) -> None:
    page = report_of(home).out.read_text()
    linked = re.findall(r'<a href="#item=(\w+)">(\w+)</a>', page)
    assert ("p10", "p10") in linked
    assert len(linked) == 15 + 14 + 15 + 1
    assert EVIL not in page
    assert "Add, &lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_same_school_has_the_same_bytes(home: Path, tmp_path: Path) -> None:
    assert (
        report_of(home, out=tmp_path / "a.html").out.read_bytes()
        == report_of(home, out=tmp_path / "b.html").out.read_bytes()
    )


def test_its_head_says_when_its_nodes_ran_by_their_record(home: Path) -> None:
    begun = datetime(2026, 11, 28, 22, 10, tzinfo=UTC).timestamp()
    finish = Finish("start", "", 0, 60.0, begun, 95.0)
    (home / RECORD).unlink()
    append(home, finish)
    assert "Report of the school" in report_of(home).out.read_text()
    assert "Steps ran 2026-11-28 22:10 to 22:11 UTC, 1 min 35 s of work." in report_of(home).out.read_text()


def test_schools_without_a_judged_round_say_so(tmp_path: Path) -> None:
    write_school(tmp_path, School(name="empty"))
    assert "Nothing is judged yet" in report_of(tmp_path).out.read_text()
    school = load_school(written(tmp_path))
    gone_through(school, Scripted(school, fate=lambda task: (5, "gone") if task.name == "round-1 lesson" else None))
    page = report_of(school.home).out.read_text()
    assert "Not ended: it goes on, or was stopped within a round." in page
    assert "The untouched student is right on 25.0" in page


def test_the_verb_reports_a_school_and_refuses_evals_beside_it(home: Path) -> None:
    result = CliRunner().invoke(cli, ["report", str(home)])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{home / 'report.html'}\n"
    with pytest.raises(UsageError, match="its report is of its own judges"):
        report_of(home, [home / "start/evals/student-judge"])
