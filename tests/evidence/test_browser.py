"""The audit page in a real browser, opened from disk: keyboard, what stays after a reload, what is saved."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.report_picture import ARGUMENTS, chromium
from errata.evidence.audit import add_marks, write_audit
from errata.runs.runner import synthesize
from tests.small_runs import lines, rows_of, small

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = chromium()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: apt install chromium)"),
]
PLANTED = "</script><img src='http://127.0.0.1:9/leak' onerror='window.planted = 1'><script>window.planted = 2</script>"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run without gold answers, a script in every question and text."""
    path = asyncio.run(synthesize(small(tmp_path, "problems.gold=none", "stages=[rationales]", problems=6))).run
    log = lines(path)
    for line in log:
        line["problem"]["question"] += f" {PLANTED}"
        for each in line["rationales"]:
            each["text"] += f" {PLANTED}"
    (path / "transcripts.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in log))
    return path


def test_a_person_marks_by_keyboard_and_the_file_becomes_marks_of_the_run(run: Path, tmp_path: Path) -> None:
    page_file = write_audit(run, 3).out
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        page = browser.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(page_file.as_uri())
        seen = _mark(page)
        page.reload()
        playwright.expect(page.locator("#place")).to_have_text("3 of 3, 2 marked")
        with page.expect_download() as download:
            page.keyboard.press("s")
        download.value.save_as(tmp_path / "marks.jsonl")
        assert page.evaluate("window.planted") is None
        browser.close()

    assert {url.partition(":")[0] for url in asked} <= {"file", "blob", "data"}
    assert complaints == []
    marks = rows_of(tmp_path / "marks.jsonl")
    assert [each.get("first_wrong_step") for each in marks] == [None, 1]
    assert [each["verdict"] for each in marks] == ["right", "wrong"]
    assert PLANTED in seen
    assert add_marks(run, tmp_path / "marks.jsonl").added == 2


def _mark(page: Any) -> str:
    """Marks the first one right and the second wrong from its second step on; returns the first question."""
    question: str = page.locator("#question").inner_text()
    for key in ("w", "r"):
        page.keyboard.press(key)
    playwright.expect(page.locator("#right")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    playwright.expect(page.locator("li.step[aria-current=true]")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    page.keyboard.press("c")
    playwright.expect(page.locator("#place")).to_have_text("3 of 3, 2 marked")
    return question
