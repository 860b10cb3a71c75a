"""The live pages in a real browser, at three widths, while a log grows; nothing that a log holds is run."""

from __future__ import annotations

import asyncio
import re
import threading
from asyncio import Event, new_event_loop
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from errata.llm.backends.simulated.server import serving as faculty
from errata.runs.runner import synthesize
from errata.view.server import serving
from tests.small_runs import lines, over_http, small

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

PLANTED = "<img src=x onerror='window.planted = 1'><script>window.planted = 2</script>"


@contextmanager
def served_from(folder: Path) -> Iterator[str]:
    """The address of a server in a thread of its own."""
    loop, stop, address = new_event_loop(), Event(), []
    ready = threading.Event()

    async def serve() -> None:
        async with serving(folder) as where:
            address.append(where)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address, and a run directory whose questions hold a script."""
    folder = tmp_path_factory.mktemp("runs")
    run = asyncio.run(synthesize(small(folder, problems=4))).run
    log = lines(run)
    for line in log:
        line["problem"]["question"] = f"{line['problem']['question']} {PLANTED}"
    (run / "transcripts.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in log))
    with served_from(folder) as address:
        yield address, run


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_a_run_is_opened_from_the_list_and_followed(served: tuple[str, Path], browser: Any, width: int) -> None:
    address, run = served
    page = browser.new_page(viewport={"width": width, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.get_by_role("link", name="demo", exact=True).click()
    rows = page.locator("#newest tbody tr")
    playwright.expect(rows).to_have_count(len(lines(run)))
    playwright.expect(rows.first).to_contain_text("<script>window.planted = 2</script>")

    new = {**lines(run)[0], "problem": {**lines(run)[0]["problem"], "id": f"new-{width}"}}
    new["calls"][0].update(agent="ada", failure=f"500 {PLANTED}")
    with (run / "transcripts.jsonl").open("ab") as log:
        log.write(orjson.dumps(new) + b"\n")

    playwright.expect(rows.first).to_contain_text(f"new-{width}", timeout=10_000)
    playwright.expect(page.locator("#failures")).to_contain_text(f"new-{width}: ada: 500 <img src=x")
    assert page.evaluate("window.planted") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing is wider than the page"
    assert not complaints
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_no_figure_is_out_of_sight_and_each_has_its_heading(
    served: tuple[str, Path], browser: Any, width: int, scheme: Any
) -> None:
    address, run = served
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for where in ("", f"run/{run.name}"):
        page.goto(address + where)
        playwright.expect(page.locator("td:visible").first).to_be_visible()
        edges = page.locator("td:visible").evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")
        assert max(edges) <= width
        headings = page.locator("td:visible").evaluate_all("all => all.map(each => each.dataset.heading)")
        assert {"state", "cost", "changed"} <= set(headings) if not where else {"question", "ended"} <= set(headings)
        shown = page.locator("td:visible").first.evaluate("each => getComputedStyle(each, '::before').content")
        assert (shown != "none") == (width < 960), "beside the figure where the window is narrow, else above it"
        heights = page.locator("tbody tr:visible").evaluate_all("all => all.map(each => each.clientHeight)")
        assert max(heights) < 600, "no column is a word wide"
    page.close()


@pytest.mark.slow
def test_a_real_run_is_watched_while_it_writes(browser: Any, tmp_path: Path) -> None:
    async def write() -> None:
        async with faculty(latency=0.1) as url:  # some ten seconds in all, so that it is at work for many a look
            await synthesize(small(tmp_path, "concurrency=3", *over_http(url), problems=12))

    counts: list[int] = []
    with served_from(tmp_path) as address:
        page = browser.new_page()
        writing = threading.Thread(target=lambda: asyncio.run(write()))
        writing.start()
        while page.goto(f"{address}run/demo").status == 404:  # it has not begun
            writing.join(0.05)
        keys = page.locator("#keys")
        while writing.is_alive():
            counts += [int(number) for number in re.findall(r"done(\d+)", keys.text_content())]
            writing.join(0.1)
        playwright.expect(keys).to_contain_text(re.compile(r"done\d+rejected\d+failed0pending0"), timeout=10_000)
        playwright.expect(page.locator("#newest tbody tr")).to_have_count(12)
        page.close()
    assert counts == sorted(counts)
    assert len(set(counts)) > 2, "it was seen growing"


def test_an_empty_folder_says_what_writes_a_run_and_shows_no_table(browser: Any, tmp_path: Path) -> None:
    with served_from(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        playwright.expect(page.get_by_text("No run directory lies in this folder yet")).to_be_visible()
        assert not page.locator("table").filter(visible=True).count()
        page.close()


def test_a_report_opens_under_its_own_policy(served: tuple[str, Path], browser: Any) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{served[0]}report/demo")

    playwright.expect(page.locator("h1")).to_be_visible()
    assert not complaints
    page.close()
