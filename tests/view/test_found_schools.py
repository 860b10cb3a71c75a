"""Schools as the live view lists them: found, told from their record, damaged, planted, and their pages."""

from __future__ import annotations

import json
import os
from pathlib import Path

import aiohttp
import pytest

from errata.school.recipe import load_school
from errata.school.record import School, write_school
from errata.view.found_schools import find_schools, school_now
from errata.view.server import serving
from tests.school.school_data import written
from tests.school.scripted import Scripted, gone_through


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A school of two rounds whose second has not been judged, one with a damaged record, and what is none."""
    root = tmp_path_factory.mktemp("runs")
    school = load_school(written(root, runs=str(root)))
    gone_through(school, Scripted(school, fate=lambda task: (5, "gone") if task.name == "round-2 train" else None))
    (root / "damaged").mkdir()
    (root / "damaged/school.json").write_text("{")
    (root / "linked").symlink_to(root / "small")
    (root / "pipe").mkdir()
    os.mkfifo(root / "pipe/school.json")
    (root / "school/tiny-1").mkdir(parents=True)
    for name in ("school.json", "config.json"):  # a pre-trained student, as `errata demo` keeps it
        (root / "school/tiny-1" / name).write_text('{"solved": 0.9, "explained": 0.1}')
    return root


def test_schools_are_found_by_their_place_and_no_link_pipe_or_student_is_one(
    folder: Path,
) -> None:
    assert sorted(find_schools(folder)) == ["damaged", "small"]
    assert list(find_schools(folder / "small")) == ["small"]
    (folder / "deep/er").mkdir(parents=True, exist_ok=True)
    write_school(folder / "deep/er", School(name="deep"))
    assert "deep/er" in find_schools(folder)


def test_a_school_is_told_round_by_round_as_its_record_has_it(folder: Path) -> None:
    now = school_now("small", folder / "small", folder)
    start, first, second = now.rounds
    assert (now.name, now.stopped, now.student) == ("small", None, "round-1/student")
    assert (start.name, start.lesson, start.accuracy and start.accuracy[0]) == ("start", None, 0.25)
    assert (first.verdict, first.teacher_tokens, first.lesson) == ("better", 500, "small/round-1/lesson")
    assert (second.accuracy, second.verdict, second.lesson) == (None, None, "small/round-2/lesson")
    alone = school_now("small", folder / "small", folder / "small")
    assert alone.rounds[1].lesson == "round-1/lesson", "as the runs of the folder are called"


def test_it_tells_the_node_that_a_command_is_at(tmp_path: Path) -> None:
    home = tmp_path / "small"
    home.mkdir()
    write_school(home, School(name="small"))

    def at(seconds: float, *names: str) -> str | None:
        """What is told once these files have been written."""
        for name in names:
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text(str(os.getpid()))
            os.utime(home / name, (seconds, seconds))
        return school_now("small", home, tmp_path).at_work

    assert at(10, "logs/start.log") is None, "nobody holds it"
    assert at(20, ".holder") is None, "a command that has not begun a node"
    assert at(30, "logs/round-2-train-again.log") == "round-2 train again"
    assert at(40, "steps.jsonl") is None, "it has ended"
    assert at(50, "logs/start.log") == "start"
    (home / ".holder").write_text("999999999")
    assert at(60, "logs/round-11-exam.log") is None, "its command is gone"


def test_a_damaged_record_is_told(folder: Path) -> None:
    now = school_now("damaged", folder / "damaged", folder)
    assert now.stopped is not None
    assert "cannot be read" in now.stopped
    assert [each.accuracy for each in now.rounds] == [None]


async def test_its_page_its_state_and_its_report(folder: Path) -> None:
    async with serving(folder) as address, aiohttp.ClientSession(address) as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(path) as answer:
                return answer.status, await answer.text()

        listed = json.loads((await get("/api/schools"))[1])
        _, page = await get("/school/small")
        state = json.loads((await get("/api/school/small"))[1])
        status, report = await get("/school-report/small")
        unreadable, why = await get("/school-report/damaged")
        missing = [(await get(path))[0] for path in ("/school/linked", "/api/school/..%2Fsmall", "/school-report/none")]

    assert {each["place"] for each in listed} >= {"small", "damaged"}
    assert '<table id="rounds">' in page
    assert "/school-report/small" in page
    assert [each["name"] for each in state["rounds"]] == ["start", "round 1", "round 2"]
    assert (status, '<section id="school"' in report) == (200, True)
    assert (unreadable, "cannot be read" in why) == (409, True)
    assert missing == [404, 404, 404]
    assert not (folder / "small/report.html").exists(), "nothing is written beside a school"
    assert not (folder / "small/card.md").exists()
