"""`make audit` without a network: advisories from a file, held against what constraints.txt pins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit_offline.py"
CONSTRAINTS = "Jinja2==3.1.6\nfile_lock==3.20.0 ; python_version >= '3.10'\n# a comment\npkg==2.0.post1  # pinned\n"


def advisory(name: str, *events: tuple[str, str], **more: Any) -> dict[str, Any]:
    package = {"package": {"ecosystem": "PyPI", "name": name}}
    ranges = [{"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in events]}]
    return {"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "affected": [package | {"ranges": ranges}]} | more


def audit(folder: Path, text: str, *accepted: str) -> tuple[int, str]:
    (folder / "advisories").write_text(text)
    (folder / "constraints.txt").write_text(CONSTRAINTS)
    command = [sys.executable, str(SCRIPT), str(folder / "advisories"), str(folder / "constraints.txt"), *accepted]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


FIXED = advisory("File-Lock", ("introduced", "0"), ("fixed", "3.20.1"))


@pytest.mark.parametrize(
    ("known", "code"),
    [
        (FIXED, 1),
        (advisory("file.lock", ("introduced", "3.21"), ("fixed", "3.22")), 0),
        (advisory("file-lock", ("introduced", "0"), ("fixed", "3.1"), ("introduced", "3.19"), ("fixed", "3.20.1")), 1),
        (advisory("file-lock", ("introduced", "0"), ("last_affected", "3.20.0")), 1),
        (advisory("file-lock", ("introduced", "0"), ("last_affected", "3.19")), 0),
        (advisory("another", ("introduced", "0")), 0),
        (FIXED | {"withdrawn": "2026-01-01"}, 0),
        ({"id": "X", "affected": [{"package": {"ecosystem": "PyPI", "name": "pkg"}, "versions": ["2.0.post1"]}]}, 1),
    ],
)
def test_an_advisory_counts_where_it_covers_the_pinned_version(
    tmp_path: Path, known: dict[str, Any], code: int
) -> None:
    for text in (json.dumps(known) + "\n", json.dumps([known])):
        assert audit(tmp_path, text)[0] == code


def test_an_accepted_one_is_left_out_and_the_others_are_named(tmp_path: Path) -> None:
    text = json.dumps(FIXED) + "\n" + json.dumps(advisory("jinja2", ("introduced", "0"), id="PYSEC-2", aliases=[]))
    code, said = audit(tmp_path, text, "CVE-2026-1")
    assert code == 1
    assert said == "jinja2 3.1.6: PYSEC-2\n"


@pytest.mark.parametrize("text", ["", "{}", "no json", '[{"id": "X", "affected": []}]', "7"])
def test_a_file_that_knows_nothing_does_not_pass(tmp_path: Path, text: str) -> None:
    assert audit(tmp_path, text)[0] == 2
