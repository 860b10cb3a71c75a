"""A finished run that somebody hands on, with links and FIFOs in it: no verb writes elsewhere or waits."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from markupsafe import Markup

from errata.errors import ErrataError
from errata.evidence.audit import add_marks, write_audit
from errata.exports.write import export
from errata.report import build
from errata.runs.log_lines import DAMAGED
from errata.runs.runner import synthesize
from errata.runs.status import status
from errata.school.record import read_school
from errata.school.results import paid_by_evals
from errata.steps.record import RECORD, Finish, append, read_record
from errata.studies.page import report_of_study
from tests.small_runs import lines, small


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs"), problems=2))).run


@pytest.fixture
def received(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to put things in."""
    return shutil.copytree(finished, tmp_path / "runs" / "demo")


def reported(run: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "draw", lambda spec, own: Markup("<svg></svg>"))
        build.write_report(run)


def exported(run: Path) -> None:
    export([run], "nat", run / "rows.jsonl")


def resumed(run: Path) -> None:
    """The run goes on, with a damaged line of its log set aside."""
    log = run / "transcripts.jsonl"
    if log.is_file():
        log.write_bytes(log.read_bytes().replace(b'"graph":', b'"grph":', 1))
    asyncio.run(synthesize(small(run.parent, problems=2)))


def marked(run: Path) -> None:
    teacher = next(each for each in lines(run)[0]["rationales"] if each["role"] == "teacher")
    marks = run.parent / "marks.jsonl"
    marks.write_text(json.dumps({"rationale": teacher["id"], "verdict": "right"}) + "\n")
    add_marks(run, marks)


def recorded(run: Path) -> None:
    append(run, Finish("one", "inputs", 0, 60.0, 1.0, 60.0))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        (DAMAGED, resumed),
        ("marks.jsonl", marked),
        ("audit.html", partial(write_audit, number=2, hide_gold=True)),
        ("report.html", reported),
        (f".report.html.{os.getpid()}.tmp", reported),
        (f".rows.jsonl.{os.getpid()}.tmp", exported),
        (RECORD, recorded),
    ],
    ids=["damaged lines", "marks", "audit page", "report", "report's draft", "rows' draft", "steps"],
)
def test_no_verb_writes_through_a_link(
    received: Path, tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    (received / name).symlink_to(victim)

    with suppress(ErrataError):
        write(received)

    assert victim.read_bytes() == b""


class Late(Exception):
    """Something is waited for."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    def late(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("read", [status, reported, exported, marked, resumed], ids=lambda read: read.__name__)
@pytest.mark.parametrize("name", ["manifest.json", "recipe.yaml", "marks.jsonl", "evals/x/manifest.json"])
def test_no_verb_waits_for_a_fifo(received: Path, name: str, read: Callable[[Path], object]) -> None:
    (received / "evals/x").mkdir(parents=True)
    (received / "evals/x/items.jsonl").write_text('{"id": "one", "correct": true}\n')
    (received / name).unlink(missing_ok=True)
    os.mkfifo(received / name)

    with within(30), suppress(ErrataError):
        read(received)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (RECORD, read_record),
        ("school.json", read_school),
        ("study.json", report_of_study),
        ("evals/spent.json", paid_by_evals),
    ],
)
def test_no_record_that_is_a_fifo_is_waited_for(tmp_path: Path, name: str, read: Callable[[Path], object]) -> None:
    (tmp_path / "evals").mkdir()
    os.mkfifo(tmp_path / name)

    with within(10), suppress(ErrataError):
        read(tmp_path)
