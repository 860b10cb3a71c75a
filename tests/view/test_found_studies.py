"""Studies as the live view lists them: found, told from their record while they go on, judged, damaged, planted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from errata.runs.in_use import HOLDER
from errata.runs.run_dir import locked
from errata.school.record import School, write_school
from errata.steps.record import Finish, append
from errata.view.found_studies import ClaimNow, claims_in, find_studies, study_now
from errata.view.server import serving

CLAIM = {"name": "panel over none", "task": "svamp", "difference": 0.05, "low": 0.01, "high": 0.09, "verdict": "better"}


def finish(step: str, code: int) -> Finish:
    return Finish(step, "0", code, 1.0, 0.0, 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study at work whose first training has ended, whose second has failed and whose third has begun."""
    home = tmp_path / "going"
    (home / "logs").mkdir(parents=True)
    for name, code in (("lesson", 0), ("train a seed-0 grader_only", 0), ("train a seed-0 panel", 1)):
        append(home, finish(name, code))
    for name in ("train_a_seed-0_panel", "train_a_seed-1_panel"):
        (home / "logs" / f"{name}.log").write_text("")
    return tmp_path


def test_studies_are_found_by_what_they_write_first_and_no_school_link_or_pipe_is_one(folder: Path) -> None:
    (folder / "judged").mkdir()
    (folder / "judged/study.json").write_text("{}")
    (folder / "beginning/logs").mkdir(parents=True)
    (folder / "beginning/logs/lesson.log").write_text("")
    (folder / "school").mkdir()
    write_school(folder / "school", School(name="school"))
    append(folder / "school", finish("start", 0))
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe/study.json")
    (folder / "linked").symlink_to(folder / "judged")
    assert sorted(find_studies(folder)) == ["beginning", "going", "judged"]
    assert list(find_studies(folder / "going")) == ["going"]


def test_steps_are_told_by_how_they_ended(folder: Path) -> None:
    now = study_now("going", folder / "going")
    assert (now.done, now.judged, now.claims) == (2, False, ())
    assert now.failed == ("train_a_seed-0_panel",)
    assert (now.at_work, now.cut_off, now.newest) == ((), ("train_a_seed-1_panel",), "")
    append(folder / "going", finish("train a seed-0 panel", 0))
    assert study_now("going", folder / "going").failed == ()


def test_steps_are_at_work_as_long_as_a_command_holds_the_study(folder: Path) -> None:
    home, failed, third = folder / "going", "train_a_seed-0_panel", "train_a_seed-1_panel"
    with locked(home):
        assert study_now("going", home).cut_off == (third,), "the command has not begun it"
        (home / f"logs/{third}.log").write_text("steps 1/9\nsteps 2/9 | loss 1.2\n")
        os.utime(home / f"logs/{third}.log", (time.time() + 9,) * 2)
        now = study_now("going", home)
        assert (now.at_work, now.cut_off, now.failed) == ((third,), (), (failed,))
        assert now.newest == f"{third}: steps 2/9 | loss 1.2"
        os.utime(home / f"logs/{failed}.log", (time.time() + 8,) * 2)
        now = study_now("going", home)
        assert (now.at_work, now.failed) == ((failed, third), ()), "it is tried again"
        append(home, Finish("train a seed-0 panel", "0", 0, 1.0, time.time(), 8.5))
        assert study_now("going", home).at_work == (third,)
    (home / HOLDER).write_text(str(2**22 + 1))  # a process that there is none of
    now = study_now("going", home)
    assert (now.at_work, now.cut_off, now.newest) == ((), (third,), "")


def test_claims_are_told_once_they_are_judged_and_are_old_where_a_step_has_ended_since(folder: Path) -> None:
    file = folder / "going/study.json"
    file.write_text(json.dumps({"claims": [CLAIM]}))
    now = study_now("going", folder / "going")
    assert now.judged
    assert now.claims == (ClaimNow("panel over none", "svamp", (0.05, 0.01, 0.09), "better"),)
    os.utime(file, (time.time() - 100,) * 2)
    assert not study_now("going", folder / "going").judged


@pytest.mark.parametrize("text", ["", "{", "[]", '{"claims": 3}', '{"claims": [{"name": "x"}]}', '{"claims": [3]}'])
def test_a_damaged_record_has_no_claims(text: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(text)
    assert claims_in(tmp_path / "study.json") == ()


def test_a_pipe_in_place_of_a_record_is_passed_over(folder: Path) -> None:
    (folder / "going/steps.jsonl").unlink()
    os.mkfifo(folder / "going/steps.jsonl")
    os.mkfifo(folder / "going/study.json")
    assert study_now("going", folder / "going").done == 0


async def test_they_are_listed_and_a_report_that_is_not_there_yet_says_why(folder: Path) -> None:
    async def get(path: str) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(address + path) as response:
            return response.status, await response.text()

    async with serving(folder) as address:
        status, listed = await get("api/studies")
        assert status == 200
        assert [each["place"] for each in json.loads(listed)] == ["going"]
        (folder / "going/study.json").write_text("{}")
        status, words = await get("study-report/going")
        assert (status, "run `errata study RECIPE` again" in words) == (409, True)
        assert (await get("study-report/none"))[0] == 404
