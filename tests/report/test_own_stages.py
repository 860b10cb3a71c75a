"""A run with a stage of one's own: its role and name stand in the report, and no table stumbles over them."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from errata.errors import UsageError
from errata.report.build import write_report
from errata.runs.status import status

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def own(lesson: Path, tmp_path: Path) -> Path:
    """The lesson as if a stage `polish` had written what its teachers rectified."""
    run = tmp_path / "own"
    shutil.copytree(lesson, run, ignore=shutil.ignore_patterns("calls", "evals", ".*"))
    log = run / "transcripts.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"role":"rectified"', b'"role":"polished"'))
    manifest = orjson.loads((run / "manifest.json").read_bytes())
    manifest["stages"].append({"name": "polish", "roles": {"polished": "target"}})
    manifest["code"] = {"my_stages.py:POLISH": {"file": "my_stages.py", "sha256": "0123456789abcdef"}}
    (run / "manifest.json").write_bytes(orjson.dumps(manifest))
    return run


def test_own_stages_and_roles_stand_under_their_names(own: Path, lesson_page: str) -> None:
    page = write_report(own).out.read_text()

    assert "with polish of your own" in page
    assert "polished" in page
    assert "<code>my_stages.py:POLISH</code> <code>0123456789abcdef</code>" in page
    assert "with polish of your own" not in lesson_page
    roles = {row["role"] for row in status(own)["authors"]}
    assert roles == {"student", "teacher", "revised", "polished", "corrupted"}


def test_the_same_log_gives_the_same_bytes(own: Path) -> None:
    once, twice = (write_report(own, out=own / f"{name}.html").out.read_bytes() for name in "ab")

    assert once == twice


def test_a_transcript_that_names_what_it_does_not_hold_is_named(own: Path) -> None:
    log = own / "transcripts.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if orjson.loads(line)["pairs"])
    story = orjson.loads(lines[place])
    story["pairs"][0]["wrong"] = "nobody"
    lines[place] = orjson.dumps(story) + b"\n"
    log.write_bytes(b"".join(lines))

    with pytest.raises(UsageError, match=f"the transcript of {story['problem']['id']} contradicts itself"):
        write_report(own)
