"""The gallery: its reports hold what is quoted of them elsewhere, no text of others and no path of a machine."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import pytest

from errata import __version__
from errata.api import status, synthesize
from errata.report.build import write_report
from tests.released_data import DATA

ROOT = Path(__file__).parents[2]
GALLERY = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
REPORTS = sorted((ROOT / "docs" / "reports").glob("*.html"))
LARGEST = 2_000_000
"""Bytes."""
KEY = re.compile(
    r'<dt>points: ([^<]+)</dt><dd><span class="value">([^<]+)</span><span class="more">\[([^]]+)\], ([\w ]+):'
)


def keys(report: str) -> list[tuple[str, ...]]:
    """Claims in a report's head: name, points, interval, verdict."""
    return KEY.findall((ROOT / "docs" / "reports" / report).read_text(encoding="utf-8"))


def whole_text(path: Path) -> str:
    """The page, and what its blocks hold."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r'<script type="application/gzip"[^>]*>([^<]+)</script>', text)
    return "\n".join([text, *(gzip.decompress(base64.b64decode(each)).decode() for each in blocks)])


def test_every_report_is_linked_and_every_link_is_a_report() -> None:
    assert [f"reports/{path.name}" for path in REPORTS] == sorted(re.findall(r"\]\((reports/[^)]+)\)", GALLERY))
    assert len(REPORTS) == 2


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_report_is_one_of_this_version_small_and_of_no_machine(path: Path) -> None:
    text = whole_text(path)
    assert f'content="errata {__version__}"' in text
    assert path.stat().st_size < LARGEST
    assert not re.search(r"(?<![\w.])/(?:tmp|home|root|work|Users|var|mnt)/", text), (
        "a path of the machine it was made on"
    )
    assert "svamp" not in text.lower(), "texts of others"


def test_the_demos_report_is_what_readme_quotes() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("<!-- demo: begin -->")[2]
    quoted = re.findall(r"\| ([+-][\d.]+) \[([^]]+)\] (better|worse|not shown) \|", table)
    assert [key[1:] for key in keys("demo.html")] == quoted
    assert "sums of floating-point numbers differ between processors" in " ".join(GALLERY.split())
    assert len(quoted) == 4


def test_the_studys_report_is_what_its_record_says() -> None:
    results = json.loads((ROOT / "recipes/study/classroom_short/study.json").read_bytes())
    recorded = [
        (
            each["name"],
            f"{100 * each['difference']:+.1f}",
            f"{100 * each['low']:+.1f}, {100 * each['high']:+.1f}",
            each["verdict"],
        )
        for each in results["claims"]
    ]
    assert keys("classroom_short.html") == recorded


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "learn_from_committee").is_dir(), reason="needs the data released with MAPD")
def test_the_committees_figures_are_those_of_the_commands_shown(tmp_path: Path) -> None:
    run = synthesize(ROOT / "recipes/svamp_committee.yaml", [f"runs={tmp_path}"]).run
    found = status(run)
    for one in found["authors"]:
        sat = one["role"] == "student"
        name, accepted = (f"{one['author']}, the student", "not judged") if sat else (one["author"], one["accepted"])
        assert f"| {name} | {one['written']} | {one['correct']} | {accepted} |" in GALLERY
    answer, against = found["acceptance"]["answer"], found["acceptance"]["disagreements"]
    text = " ".join(GALLERY.split())
    assert f"precision is {answer['precision']:.1%}".replace("%", " %") in text
    assert f"recall {answer['recall']:.1%}".replace("%", " %") in text
    assert f"{against['accepted_wrong']} rationales were accepted though wrong" in text
    assert f"{against['rejected_right']} rejected though right" in text
    assert f"{write_report(run).bytes / 1e6:.1f} MB" in GALLERY
