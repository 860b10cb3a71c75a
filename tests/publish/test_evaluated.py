"""The evals on a student's card."""

from __future__ import annotations

from pathlib import Path

from errata.evals.results import Eval, Manifest
from errata.publish.evaluated import evaluated


def test_evals_say_when_they_worked_where_they_know() -> None:
    times = {"begun": "2026-11-28T22:11:00+00:00", "last": "2026-11-28T22:11:40+00:00", "seconds": 40.0}
    summary = {"tasks": {"mine": {"n": 8, "accuracy": {"value": 0.5, "low": 0.2, "high": 0.8}}}}
    known = Eval(Path("known"), (), Manifest(name="known", times=times), summary)
    older = Eval(Path("older"), (), Manifest(name="older"), summary)
    rows = "\n".join(evaluated([known, older])).split("\n| ")[2:]
    assert rows[0].startswith("known | mine | 8 |")
    assert rows[0].endswith("| 2026-11-28 22:11 UTC, 40 s of work |")
    assert rows[1].splitlines()[0].endswith("| - |")
