"""The page in a real browser, opened from disk: filter, search, transcripts, pairs, keyboard; nothing planted runs."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from errata.report.build import write_report
from errata.runs.run_dir import RunDir
from errata.runs.transcripts import read_transcripts
from tests.report.planted import three_students
from tests.small_runs import lines

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


PLANTED = (
    "<script>window.planted = 1</script></script><img src='http://127.0.0.1:9/leak' onerror='window.planted = 2'>"
    "<svg onload='window.planted = 3'></svg><a href='javascript:window.planted = 4'>x</a>"
)


@pytest.fixture(scope="module")
def report(lesson: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in whose texts a script is planted, with evals whose answers hold one too."""
    run = tmp_path_factory.mktemp("planted") / "run"
    run.mkdir()
    shutil.copy(lesson / "recipe.yaml", run)
    log = lines(lesson)
    for line in log:
        line["problem"]["question"] += f" {PLANTED}"
        for each in (*line["rationales"], *line["explanations"]):
            each["text"] += f" {PLANTED}"
            for review in each.get("reviews", []):
                review["text"] += f" {PLANTED}"
        line["calls"][0]["reply"] = f"a reply that became nothing {PLANTED}"
        line["calls"][0]["failure"] = f"500 {PLANTED}"
    (run / "transcripts.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in log))
    evals = three_students(run / "evals", number=60)
    for path in evals:
        items = path / "items.jsonl"
        options = orjson.dumps({"choices": ["seven", f"eight {PLANTED}"], "answers": ["7.0"]})[1:-1]
        text = items.read_bytes().replace(b"the answer is", f"{PLANTED} the answer is".encode())
        items.write_bytes(text.replace(b'"gold":', options + b',"gold":'))
    return write_report(run).out


class Watched:
    """A page with everything it requested and complained of."""

    def __init__(self, browser: Any, report: Path, hash: str = "", **options: Any) -> None:
        self.context = browser.new_context(**{"reduced_motion": "reduce"} | options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append("a dialog opened"))
        self.page.goto(f"{report.as_uri()}{hash}")
        self.home = report.as_uri()

    def see(self, selector: str) -> None:
        self.page.locator(selector).first.scroll_into_view_if_needed()

    def matches(self, browser: str, *, before: int | None = None) -> int:
        """Entries that the filters leave, once they are others than `before`."""
        line = self.page.locator(f"{browser} .found").first
        if before is not None:
            playwright.expect(line).not_to_have_text(re.compile(rf"^{before} of |^Searching"))
        playwright.expect(line).to_have_text(re.compile(r"^[\d,]+ of [\d,]+ "))
        return int(line.inner_text().split(" of ")[0].replace(",", ""))


@pytest.fixture
def open_page(browser: Any, report: Path) -> Iterator[Any]:
    opened: list[Watched] = []

    def go(hash: str = "", **options: Any) -> Watched:
        opened.append(Watched(browser, report, hash, **options))
        return opened[-1]

    yield go

    for watched in opened:
        assert watched.page.evaluate("window.planted") is None, "a planted script ran"
        assert not [url for url in watched.requests if url.split("#")[0] != watched.home], "a request left the page"
        assert not watched.complaints
        watched.context.close()


def test_filter_search_and_transcript(open_page: Any, lesson: Path) -> None:
    watched = open_page()
    page, log = watched.page, lines(lesson)

    watched.see("#stories")
    page.wait_for_selector("#stories .reader .question")
    assert watched.matches("#stories") == 24

    page.get_by_role("combobox", name="student", exact=True).select_option("wrong")
    mistaken = [ln for ln in log if any(r["role"] == "student" and not r["correct"] for r in ln["rationales"])]
    assert watched.matches("#stories", before=24) == len(mistaken)

    page.locator("#stories .row").nth(1).click()
    reader = page.locator("#stories .reader")
    playwright.expect(reader.locator(".question")).to_contain_text("<script>window.planted = 1</script>")
    for rows in ("Student", "Drafts, reviews and revisions", "accepted", "rejected", "score"):
        assert rows.lower() in reader.inner_html().lower()
    assert reader.locator("script, img, svg, a").count() == 0

    page.locator("#stories").get_by_text("Reset").click()
    words = next(r["text"] for r in log[5]["rationales"] if r["role"] == "teacher").split()[:6]
    page.locator("#stories input[type=search]").fill(f'"{" ".join(words)}"')
    holding = sum(" ".join(words) in orjson.dumps(line["rationales"]).decode() for line in log)
    assert 1 <= watched.matches("#stories", before=24) == holding
    page.locator("#stories .row").first.click()
    playwright.expect(reader.locator("mark.hit:visible").first).to_be_visible()


def test_pairs_side_by_side_with_key_steps(open_page: Any, lesson: Path) -> None:
    watched = open_page()
    page = watched.page
    pairs = [pair for line in lines(lesson) for pair in line["pairs"]]

    watched.see("#pair-view")
    page.wait_for_selector("#pair-view .sides")
    status = page.locator("#pair-view .steps .found")
    assert status.inner_text() == f"1 of {len(pairs)}"

    page.get_by_role("button", name="Next").click()
    playwright.expect(status).to_have_text(f"2 of {len(pairs)}")
    page.locator("#pair-view").get_by_role("combobox", name="origin").select_option("corrupted")
    corrupted = sum(pair["origin"] == "corrupted" for pair in pairs)
    playwright.expect(status).to_have_text(f"1 of {corrupted}")
    sides = page.locator("#pair-view .side")
    assert sides.count() == 2
    assert page.locator("#pair-view .side.right .key").count() >= 1
    assert page.locator("#pair-view .side.wrong .key").count() >= 1
    assert "✓ right" in sides.nth(0).inner_text()
    assert "✗ wrong" in sides.nth(1).inner_text()

    page.get_by_role("button", name="Open the transcript").click()
    playwright.expect(page.locator("#stories .row[aria-selected=true]")).to_be_visible()


def test_what_was_cured_is_listed_with_every_answer(open_page: Any) -> None:
    watched = open_page()
    page = watched.page

    watched.see("#items")
    page.wait_for_selector("#items .reader .question")
    change = page.get_by_role("combobox", name="change")
    cured = change.locator("option", has_text="cured by committee").inner_text()
    change.select_option(index=[o.inner_text() for o in change.locator("option").all()].index(cured))

    assert watched.matches("#items", before=90) == int(cured.split("(")[1].rstrip(")"))
    page.locator("#items .row").first.click()
    assert page.locator("#items .reader ol li").all_inner_texts() == ["seven", f"eight {PLANTED}"]
    assert re.search(r"Gold answers \d+, 7\.0", page.locator("#items .reader .gold").inner_text())
    cards = page.locator("#items .answers .card")
    assert "✗ wrong" in cards.filter(has_text="untouched").inner_text()
    assert "✓ right" in cards.filter(has_text="committee").inner_text()


def test_the_keyboard_does_it_all(open_page: Any) -> None:
    watched = open_page()
    page = watched.page
    watched.see("#stories")
    page.wait_for_selector("#stories .row")

    page.locator("#stories .list").focus()
    page.keyboard.press("End")
    playwright.expect(page.locator("#stories .row[aria-selected=true]")).to_have_attribute("aria-posinset", "24")
    page.keyboard.press("ArrowUp")
    playwright.expect(page.locator("#stories .row[aria-selected=true]")).to_have_attribute("aria-posinset", "23")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"


def test_an_address_opens_its_transcript(open_page: Any, lesson: Path) -> None:
    wanted = lines(lesson)[7]["problem"]["id"]

    watched = open_page(f"#transcript={wanted}")

    playwright.expect(watched.page.locator("#stories .reader code").first).to_have_text(wanted)


def test_a_chart_tells_its_figures_under_the_pointer(open_page: Any) -> None:
    watched = open_page()
    bar = watched.page.locator("#synthesis .chart path[aria-roledescription=bar]").first
    bar.scroll_into_view_if_needed()

    bar.hover()

    playwright.expect(watched.page.locator("#tip")).to_have_text(bar.get_attribute("aria-label"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1024, 1440])
def test_nothing_spills_over_at_any_width(open_page: Any, scheme: str, width: int) -> None:
    watched = open_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = watched.page

    watched.see("#stories")
    page.wait_for_selector("#stories .reader .question")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 20, 18)"
    assert dark == (scheme == "dark")


def test_a_table_shows_a_shadow_where_columns_lie_behind_its_edge(open_page: Any) -> None:
    """The pixel at the middle of the right edge is the paper's where the table has been scrolled to its end."""
    page = open_page(viewport={"width": 390, "height": 800}).page
    page.locator("details.numbers summary").first.click()
    table = page.locator("details.numbers[open] .table").first
    table.evaluate("each => each.querySelector('table').style.width = '900px'")

    def edge() -> bytes:
        box = table.bounding_box()
        return page.screenshot(
            clip={"x": box["x"] + box["width"] - 4, "y": box["y"] + box["height"] / 2, "width": 2, "height": 2}
        )

    table.scroll_into_view_if_needed()
    before = edge()
    table.evaluate("each => each.scrollTo(each.scrollWidth, 0)")
    page.wait_for_timeout(200)
    assert edge() != before


# ---- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["pairs", "transcripts", "about"])
def test_a_link_of_the_contents_lands_on_first_use(open_page: Any, place: str) -> None:
    watched = open_page(viewport={"width": 1024, "height": 800}, reduced_motion="no-preference")
    watched.page.locator(f".contents a[href='#{place}']").click()
    _lands(watched.page, place)


def test_an_address_lands_on_its_section(open_page: Any) -> None:
    _lands(open_page("#about", viewport={"width": 390, "height": 800}).page, "about")


def _lands(page: Any, place: str) -> None:
    """The section's top is in sight below the contents, or the page has ended, and all lists are built."""
    for selector in ("#items .reader .question", "#pair-view .sides", "#stories .reader .question"):
        page.wait_for_selector(selector, state="attached")
    page.wait_for_timeout(300)
    top, rest = page.evaluate(
        "id => [document.getElementById(id).getBoundingClientRect().top,"
        " document.documentElement.scrollHeight - scrollY - innerHeight]",
        place,
    )
    assert -1 <= top <= 100 or (rest <= 1 and 0 <= top <= 800), (top, rest)


def test_filters_stand_in_the_address_and_come_back(open_page: Any, lesson: Path) -> None:
    first = open_page()
    first.see("#stories")
    first.matches("#stories")
    kind = next(kind for line in lines(lesson) for each in line["explanations"] for kind in each["kinds"])
    first.page.locator("#stories").get_by_role("combobox", name="mistake").select_option(kind)
    number = first.matches("#stories", before=24)
    address = first.page.evaluate("location.hash")
    assert address == f"#transcripts?mistake={kind}"

    again = open_page(address)
    assert again.matches("#stories", before=24) == number
    assert again.page.locator("#stories .list").is_visible()


def test_filters_of_pairs_stand_in_the_address_and_come_back(open_page: Any, lesson: Path) -> None:
    first = open_page()
    first.see("#pair-view")
    first.page.locator("#pair-view").get_by_role("combobox", name="origin").select_option("corrupted")
    number = sum(pair["origin"] == "corrupted" for line in lines(lesson) for pair in line["pairs"])
    status = re.compile(rf"^1 of {number}$")
    playwright.expect(first.page.locator("#pair-view .steps .found")).to_have_text(status)
    address = first.page.evaluate("location.hash")
    assert address == "#pairs?origin=corrupted"

    again = open_page(address).page
    playwright.expect(again.locator("#pair-view .steps .found")).to_have_text(status)
    assert again.locator("#pair-view").get_by_role("combobox", name="origin").input_value() == "corrupted"


def test_a_figure_leads_to_the_entries_it_counts(open_page: Any) -> None:
    page = open_page().page
    link = page.locator(".sources a", has_text="cured by committee").first
    link.click()
    playwright.expect(page.locator("#items .found").first).to_have_text(
        re.compile(r"^\d of 90 |^[1-8]\d of 90 "), timeout=20_000
    )
    assert page.locator("#items").get_by_role("combobox", name="change").input_value() == "cured by committee"


def test_a_filter_that_no_entry_has_finds_nothing(open_page: Any) -> None:
    assert open_page("#items?mistake=none+such").matches("#items", before=90) == 0


# ---- what is taken along ---------------------------------------------------------------------------------------------


def test_a_table_is_saved_as_csv(open_page: Any) -> None:
    page = open_page().page
    figure = page.locator("#synthesis figure").first
    figure.locator("summary").click()
    with page.expect_download() as download:
        figure.get_by_role("button", name="Save as CSV").click()
    saved = list(csv.reader(Path(download.value.path()).read_text().splitlines()))
    assert download.value.suggested_filename.endswith(".csv")
    assert len(saved) == figure.locator("table tr").count()
    assert saved[0] == figure.locator("thead th").all_inner_texts()


@pytest.mark.parametrize(
    ("place", "hash", "first"),
    [
        ("#stories", "#transcripts?mistake=logical", "transcript"),
        ("#items", "#items?students=differing", "item"),
        ("#pair-view", "#pairs?origin=corrupted", "transcript"),
    ],
)
def test_a_list_is_saved_as_csv_under_its_filters(open_page: Any, place: str, hash: str, first: str) -> None:
    page = open_page(hash).page
    found = page.locator(f"{place} .found").first
    playwright.expect(found).to_have_text(re.compile(r"^[1-9]\d* of [1-9]"))
    with page.expect_download() as download:
        page.locator(f"{place} .tools").get_by_role("button", name="Save as CSV").click()
    names, *rows = csv.reader(Path(download.value.path()).read_text().splitlines())

    assert names[0] == first
    assert all(len(row) == len(names) for row in rows)
    counted = found.inner_text().split()[2 if place == "#pair-view" else 0]
    assert len(rows) == int(counted)


def test_printed_it_takes_few_pages(open_page: Any) -> None:
    page = open_page().page
    assert page.pdf(format="A4").count(b"/Type /Page\n") <= 7


def test_printed_no_table_is_cut_no_closed_fold_stands_there_and_addresses_are_told(open_page: Any) -> None:
    page = open_page().page
    page.evaluate("""() => {
        [...document.querySelectorAll("details:has(.table)")].at(-1).open = true;
        const away = document.querySelector("#about").appendChild(document.createElement("a"));
        away.href = "https://example.org/a";
    }""")
    page.emulate_media(media="print")

    closed = page.locator("details:not([open])")
    assert closed.count() > 5
    assert closed.evaluate_all("all => all.every(each => getComputedStyle(each).display === 'none')")
    table = page.locator("details[open] .table").last
    assert table.evaluate("each => each.scrollHeight <= each.clientHeight + 1"), "what is below would not be printed"
    assert table.locator("tr").first.evaluate("each => getComputedStyle(each).breakInside") == "avoid"
    behind = "each => getComputedStyle(each, '::after').content"
    assert "https://example.org/a" in page.locator("#about > a").evaluate(behind)


SHOWN = 12
"""Pairs that are looked at."""


def test_texts_of_pairs_say_where_they_are_unsound(open_page: Any, lesson: Path) -> None:
    run = RunDir(lesson)
    log = list(read_transcripts(run.log, run.index().in_input_order()))
    sound = {each.id: each.sound for one in log for each in one.rationales}
    pairs = [pair.model_dump() for one in log for pair in one.pairs]
    texts = [pair[side] for pair in pairs[:SHOWN] for side in ("right", "wrong")]
    assert {sound[each] for each in texts} >= {True, False}
    watched = open_page()
    watched.see("#pair-view")
    page = watched.page
    for pair in pairs[:SHOWN]:
        page.wait_for_selector("#pair-view .sides")
        for side in ("right", "wrong"):
            marks = page.locator(f"#pair-view .side.{side} .mark").all_inner_texts()
            assert ("unsound" in marks) == (sound[pair[side]] is False)
        page.get_by_role("button", name="Next").click()
        page.wait_for_timeout(150)


def test_axe_finds_nothing_in_light_and_dark(open_page: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page = open_page(color_scheme="light", bypass_csp=True).page
    for selector in ("#items", "#pair-view", "#stories"):
        page.locator(selector).scroll_into_view_if_needed()
    page.wait_for_selector("#stories .reader .question")
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        results = axe.Axe().run(page)
        assert results.violations_count == 0, (scheme, results.generate_report())
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]
