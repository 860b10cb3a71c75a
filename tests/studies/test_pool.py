"""The processes that do a study's steps: two at a time, each on its device; none that goes wrong is waited for."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from errata.errors import ErrataError
from errata.steps.record import Finish, read_record
from errata.studies import run as running
from errata.studies.recipe import load_study
from errata.studies.record import begun_in
from errata.studies.run import Progress, _Pool
from errata.studies.steps import steps_of
from tests.studies.study_data import written

WORKER = """
import json, os, sys
log = open(sys.argv[1], "a", buffering=1)
for line in sys.stdin:
    request = json.loads(line)
    name = request["step"]
    seen = {"begin": name, "pid": os.getpid(), "device": os.environ.get("CUDA_VISIBLE_DEVICES"), **request}
    log.write(json.dumps(seen) + "\\n")
    if name == "flags":
        print(json.dumps({"step": name, "code": 0 if sys.argv[2] != name else 2, "error": sys.argv[3]}), flush=True)
        continue
    if name == sys.argv[2]:
        how = sys.argv[3]
        if how == "dies":
            os._exit(9)
        answer = json.dumps({"step": name, "code": 1, "error": "no"})
        print("a library's line" if how == "stray" else answer, flush=True)
        continue
    log.write(json.dumps({"end": name}) + "\\n")
    print(json.dumps({"step": name, "code": 0, "error": None}), flush=True)
"""
"""Answers as a worker does, but for one step."""


class Study:
    """A study of four trainings and two evals, and what its processes have seen."""

    def __init__(self, folder: Path, bad: str = "", how: str = "", together: int = 2) -> None:
        path = written(folder)
        self.study = load_study(path)
        self.steps = steps_of(self.study)
        self.progress = Progress(self.steps, set())
        self.lines: list[str] = []
        self.pool = _Pool(self.study, path, (), self.lines.append, self.progress, [], together)
        self.log = folder / "seen.jsonl"
        self.pool.command = [sys.executable, "-c", WORKER, str(self.log), bad, how]

    def work(self) -> list[dict[str, Any]]:
        """Does the steps; what the processes have seen. Fails where it does not end."""
        ended = threading.Thread(target=self._minded, daemon=True)
        ended.start()
        ended.join(20)
        assert not ended.is_alive(), "somebody waits for ever"
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def _minded(self) -> None:
        """As `_Pool.work`, which may run in the main thread alone, for it minds signals."""
        devices = running.accelerators()
        minds = [
            threading.Thread(target=self.pool._mind, args=(devices[n % len(devices)] if devices else None,))
            for n in range(self.pool.together)
        ]
        for mind in minds:
            mind.start()
        for mind in minds:
            mind.join()


BAD = "train base seed-0 sft"


def test_two_at_a_time_each_on_a_device_and_none_before_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    study = Study(tmp_path)
    seen = study.work()
    assert {each["device"] for each in seen if "begin" in each} == {"4", "5"}
    assert len({each["pid"] for each in seen if "begin" in each}) == 2
    ended: set[str] = set()
    for each in seen:
        if "begin" in each:
            assert ended.issuperset(study.steps[each["begin"]].needs), each["begin"]
            assert (each["inputs"], len(each["contents"])) == (study.steps[each["begin"]].inputs, 16)
        else:
            ended.add(each["end"])
    assert ended == study.progress.done == study.steps.keys()
    record = read_record(study.study.home)
    assert {(each.step, each.contents) for each in record} == {
        (name, begun.contents) for name, begun in begun_in(study.study.home, study.steps).items()
    }


@pytest.mark.parametrize(
    ("how", "told"), [("fails", "no"), ("dies", "its process ended with exit code 9"), ("stray", "JSONDecodeError")]
)
@pytest.mark.parametrize("together", [1, 2])
def test_a_step_that_goes_wrong_holds_up_only_those_that_need_it(
    tmp_path: Path, how: str, told: str, together: int
) -> None:
    study = Study(tmp_path, BAD, how, together)
    study.work()
    assert told in study.progress.failed[BAD]
    assert study.progress.pending == {BAD, "train base seed-0 more", "eval base seed-0"}
    assert not study.progress.taken


@pytest.mark.parametrize("bad", ["", "flags"])
def test_flags_are_read_by_the_process_that_does_the_first_step_and_before_any(tmp_path: Path, bad: str) -> None:
    study = Study(tmp_path, bad, "found: --max_stepz\ndo: --max_steps", together=1)
    if bad:
        with pytest.raises(running.FlagsRefused) as refused:
            study.pool.work()
        assert (str(refused.value), refused.value.exit_code) == ("found: --max_stepz\ndo: --max_steps", 2)
        assert not study.progress.taken
        assert not study.pool.workers
        return
    study.pool.work()
    seen = [json.loads(line) for line in study.log.read_text().splitlines()]
    assert seen[0]["begin"] == "flags"
    assert study.lines[0] == "reading the flags of the trainings"
    assert not seen[0]["log"].endswith(".log"), "it would be taken for a step's"
    assert seen[0]["trainings"] == [name for name, step in study.steps.items() if step.kind == "train"]
    assert len({each["pid"] for each in seen if "begin" in each}) == 1
    assert study.progress.done == study.steps.keys()


def test_no_process_is_an_error_of_every_step_and_not_a_wait(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.pool.command = [str(tmp_path / "no such program")]
    study.work()
    assert set(study.progress.failed) == {"train base seed-0 sft", "train base seed-1 sft"}
    assert all("FileNotFoundError" in error for error in study.progress.failed.values())


def test_where_the_record_cannot_be_written_no_step_is_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(home: Path, finish: Finish) -> None:
        raise ErrataError("steps.jsonl cannot be written: No space left on device", do="free space or rights")

    monkeypatch.setattr(running, "append", full)
    study = Study(tmp_path)
    begun = [each["begin"] for each in study.work() if "begin" in each]
    assert len(begun) == len(set(begun)) <= 2
    assert set(study.progress.failed) == set(begun)
    assert all("No space left" in error for error in study.progress.failed.values())
