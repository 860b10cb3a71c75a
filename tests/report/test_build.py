"""The whole page: from real runs, with evals and without, from hostile text; what it refuses; that it is one file."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.errors import UsageError
from errata.report import build
from errata.report.build import write_report
from tests.report.page_data import unpacked
from tests.report.planted import plant_eval, questions, right_at, three_students
from tests.report.run_copies import change_log, copy_of

Json = dict[str, Any]


class Page(HTMLParser):
    """The elements of a page and the text in its data blocks."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.titles: list[str] = []
        self._in = ""
        self._id = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in, self._id = tag, dict(attrs).get("id") or ""

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in ("script", "style"):
            self.texts[self._id or self._in] = self.texts.get(self._id or self._in, "") + data
        if self._in == "h3":
            self.titles.append(data)

    def transcripts(self) -> list[Json]:
        index = unpacked(self.texts["transcripts-index"])
        return [one for place in range(len(index["blocks"])) for one in unpacked(self.texts[f"transcripts-{place}"])]


@pytest.fixture(scope="module")
def page(lesson: Path) -> Page:
    return Page(write_report(lesson).out)


def test_a_run_with_evals_becomes_every_section(page: Page, log: list[Json]) -> None:
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]

    assert sections == [
        *("results", "synthesis", "panel", "teachers", "mistakes", "pairs", "training", "transcripts", "about")
    ]
    in_order = sorted(log, key=lambda line: line["problem"]["position"])
    assert [one["id"] for one in page.transcripts()] == [line["problem"]["id"] for line in in_order]
    assert len(unpacked(page.texts["items-index"])["ids"]) == 120


def test_drawing_that_takes_long_says_how_far_it_is(
    lesson: Path, tmp_path: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    assert build.SAY_EVERY_S < 2
    monkeypatch.setattr(build, "SAY_EVERY_S", -1.0)
    write_report(lesson, out=tmp_path / "report.html", say=said.append)
    charts = next(int(line.split()[1]) for line in said if line.startswith("drawing "))
    assert said[-charts:] == [f"{number} of {charts} charts drawn" for number in range(charts)]


def test_every_figure_has_a_sentence_and_a_table(page: Page) -> None:
    figures = sum(tag == "figure" for tag, _ in page.tags)
    titles = page.titles[:-2]  # the two browsers have names, not sentences

    assert figures > 20
    assert sum(tag == "table" for tag, _ in page.tags) >= figures
    assert all(title.endswith((".", ";")) or title in ("Problem by problem", "Pairs, side by side") for title in titles)


def test_the_page_reaches_nothing_outside(page: Page) -> None:
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "data", "action", "srcset", "poster")
    ]

    assert addresses
    assert all(address and address.startswith("#") for address in addresses)
    assert "url(" not in page.texts["style"]
    assert not re.search(
        r"\bfetch\(|XMLHttpRequest|WebSocket|innerHTML|outerHTML|insertAdjacentHTML|eval\(", str(page.texts)
    )


def test_the_policy_lets_this_script_and_this_style_run_and_no_other(page: Page) -> None:
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "Security" in str(a.get("http-equiv")))

    def hashed(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'{hashed(page.texts['script'])}'"
    assert rules["style-src"] == f"'{hashed(page.texts['style'])}'"
    assert not [name for _, attributes in page.tags for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.usefixtures("undrawn")
def test_the_same_run_gives_the_same_bytes(lesson: Path, tmp_path: Path) -> None:
    one, other = (write_report(lesson, out=tmp_path / name).out.read_bytes() for name in ("a.html", "b.html"))

    assert one == other


@pytest.mark.usefixtures("undrawn")
def test_hostile_text_is_data_everywhere(page: Page, lesson: Path, tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028]]>{{ 7 * 7 }}"
    run = copy_of(lesson, tmp_path)

    def poison(line: Json) -> None:
        line["problem"].update(question=hostile, meta={"level": hostile, "steps": 2})
        line["outcome"] = {"status": "rejected", "reason": hostile}
        for each in line["rationales"]:
            each.update(text=hostile, author=f"{each['author']} {hostile}", answer_span=None, dropped=hostile)
        for each in line["calls"]:
            each["reply"] = hostile

    change_log(run, poison)

    poisoned = Page(write_report(run).out)

    assert {tag for tag, _ in poisoned.tags} <= {tag for tag, _ in page.tags}
    assert not [a for tag, a in poisoned.tags if tag == "script" and a.get("type") != "application/gzip"][1:]
    assert poisoned.transcripts()[0]["rationales"][0]["text"] == hostile
    assert "{{ 7 * 7 }}" in "".join(poisoned.titles)


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_evals_is_reported_all_the_same(lesson: Path, tmp_path: Path) -> None:
    page = Page(write_report(copy_of(lesson, tmp_path)).out)

    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert "results" not in sections
    assert "panel" in sections
    assert "items-index" not in page.texts


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("roles", [("student",), ("teacher",), ()])
def test_logs_of_other_graphs_are_reported_as_far_as_they_go(
    lesson: Path, tmp_path: Path, roles: tuple[str, ...]
) -> None:
    run = copy_of(lesson, tmp_path)

    def strip(line: Json) -> None:
        line["rationales"] = [
            {**each, "reviews": [], "accepted": None} for each in line["rationales"] if each["role"] in roles
        ]
        line["explanations"], line["pairs"] = [], []

    change_log(run, strip)

    page = Page(write_report(run).out)

    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert "panel" not in sections
    assert "pairs" not in sections
    assert ("teachers" in sections) == ("teacher" in roles)
    assert len(page.transcripts()) == 24


@pytest.mark.usefixtures("undrawn")
def test_a_damaged_line_is_named_and_the_others_are_reported(lesson: Path, tmp_path: Path, log: list[Json]) -> None:
    run = copy_of(lesson, tmp_path)
    file = run / "transcripts.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:2], lines[2].replace(b'"rationales":', b'"rationalez":', 1), *lines[3:]]))

    done = CliRunner().invoke(cli, ["report", str(run), "--out", str(tmp_path / "page.html")])

    assert done.exit_code == 0, done.output
    page = tmp_path / "page.html"
    assert len(Page(page).transcripts()) == len(log) - 1
    assert "transcripts.jsonl, line 3: no transcript, not counted" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_has_not_begun_has_a_report(lesson: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(lesson / "recipe.yaml", run)
    (run / "manifest.json").write_text("{}")

    done = write_report(run)

    assert (done.transcripts, done.browsable) == (0, 0)
    assert "demo" in done.out.read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_a_directory_of_evals_alone_is_reported(lesson: Path, tmp_path: Path) -> None:
    three_students(tmp_path / "run" / "evals", number=20)

    page = Page(write_report(tmp_path / "run").out)

    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert sections == ["results", "training", "about"]


@pytest.mark.usefixtures("undrawn")
def test_of_a_long_log_some_are_drawn_and_the_page_says_so(
    lesson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "MOST_TRANSCRIPTS", 10)
    run = copy_of(lesson, tmp_path)

    done = write_report(run)

    page = Page(done.out)
    assert 3 < done.browsable < 24
    assert len(page.transcripts()) == done.browsable
    assert f"{done.browsable} of 24 transcripts are in this page" in done.out.read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_results_of_another_tool_take_part(lesson: Path, tmp_path: Path) -> None:
    tasks = {"classroom_id": questions("id", 30)}
    ours = plant_eval(tmp_path, "ours", right_at((0.5,), "ours"), tasks=tasks, baseline=True)
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_bytes(b"".join(orjson.dumps({"id": p.id, "correct": True}) + b"\n" for p in tasks["classroom_id"]))

    page = Page(write_report(lesson, [ours, theirs], tmp_path / "report.html").out)

    index = unpacked(page.texts["items-index"])
    assert index["students"] == ["ours", "theirs"]
    assert index["right"][1] == "1" * 30


@pytest.mark.usefixtures("undrawn")
def test_logs_of_another_tool_are_reported_alone(tmp_path: Path) -> None:
    files = Path(__file__).parents[1] / "evals" / "foreign" / "files"
    logs = [files / "inspect_base.eval", files / "inspect_tuned.eval"]

    page = Page(write_report(tmp_path, logs, tmp_path / "report.html").out)

    index = unpacked(page.texts["items-index"])
    assert (index["students"], index["right"]) == (["mockllm/base", "mockllm/tuned"], ["1000", "1110"])


def test_evals_of_other_items_are_refused_by_name(lesson: Path, tmp_path: Path) -> None:
    message = questions("id", 30)
    one = plant_eval(tmp_path, "one", right_at((0.5,), "one"), tasks={"classroom_id": message})
    other = plant_eval(tmp_path, "other", right_at((0.5,), "other"), tasks={"classroom_id": message[:20]})

    with pytest.raises(UsageError, match=message[20].id):
        write_report(lesson, [one, other], tmp_path / "report.html")

    assert not (tmp_path / "report.html").exists()


@pytest.mark.usefixtures("undrawn")
def test_an_unfinished_eval_is_left_out_and_named(tmp_path: Path) -> None:
    three_students(tmp_path / "evals", number=20)
    manifest = tmp_path / "evals" / "plain" / "manifest.json"
    manifest.write_bytes(orjson.dumps(orjson.loads(manifest.read_bytes()) | {"status": "running"}))

    done = write_report(tmp_path)

    page = Page(done.out)
    assert unpacked(page.texts["items-index"])["students"] == ["untouched", "committee"]
    assert "not finished, and left out: plain" in done.out.read_text(encoding="utf-8")


def test_no_run_is_wrong_use(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "nowhere")])

    assert done.exit_code == 2
    assert "found:" in done.stderr


def test_without_the_extra_the_error_says_what_to_install(
    lesson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)

    done = CliRunner().invoke(cli, ["report", str(lesson), "--out", str(tmp_path / "report.html")])

    assert done.exit_code == 2
    assert "pip install 'errata[report]'" in done.stderr


@pytest.mark.usefixtures("undrawn")
def test_the_verb_prints_the_path(lesson: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.html"

    done = CliRunner().invoke(cli, ["report", str(lesson), "--out", str(out)])

    assert done.exit_code == 0
    assert done.stdout == f"{out}\n"
    assert out.stat().st_size > 100_000
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
