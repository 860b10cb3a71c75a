"""README.md, block by block as a reader meets it: commands are run, output, records and the tree are compared."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import orjson
import pytest

from tests.shown_blocks import agrees, blocks, commands, is_part, play
from tests.small_runs import lines, rows_of

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LONGEST = 140


def test_it_is_short_and_its_blocks_come_in_this_order() -> None:
    assert TEXT.count("\n") <= LONGEST
    kinds = [each.kind for each in blocks(README)]
    assert kinds == ["mermaid", "sh", "sh", "console", "json", "json", ""], "run or compare a new block here"


def test_the_picture_names_every_stage() -> None:
    from errata.graphs.pipeline import STAGES

    for stage in STAGES:
        assert stage.name.replace("_", " ").replace("cot", "CoT") in blocks(README, "mermaid")[0].text


def test_the_install_names_the_python_the_system_and_extras_that_are_there() -> None:
    install = blocks(README, "sh")[0].text
    file, extras = re.fullmatch(r"pip install -c (\S+) '\.\[(.*)\]'\n", install).groups()  # type: ignore[union-attr]
    assert (ROOT / file).is_file()
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    assert f"Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in TEXT
    assert "Operating System :: POSIX" in PROJECT["classifiers"]
    assert "POSIX" in TEXT


def test_the_two_commands_are_targets() -> None:
    typed = [line.split("#")[0].split() for line in blocks(README, "sh")[1].text.splitlines()]
    assert typed == [["make", "demo"], ["make", "test"]]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= targets


def test_the_demos_table_stands_in_one_place() -> None:
    _, begun, rest = TEXT.partition("<!-- demo: begin -->\n")
    demo, ended, after = rest.partition("<!-- demo: end -->\n")
    assert begun
    assert ended
    assert "| untouched |" in demo
    assert "| untouched |" not in after


def test_the_run_the_line_and_the_row_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [session], [line, row] = blocks(README, "console"), blocks(README, "json")
    for shown, real in play(commands(session.text), monkeypatch):
        assert agrees(shown.output, real), "\n".join([shown.command, *real])

    transcript, exported = orjson.loads(line.text), orjson.loads(row.text)
    assert any(is_part(transcript, each) for each in lines(Path("runs/recipe")))
    assert any(is_part(exported, each) for each in rows_of(Path("edit.jsonl")))
    assert [each["text"] for each in transcript["rationales"]] != []


def test_the_tree_has_a_line_for_each_folder() -> None:
    *inside, beside = blocks(README)[-1].text.splitlines()[1:]
    named = {line.split("/")[0].strip() for line in inside}
    assert named == {path.name for path in (ROOT / "errata").iterdir() if path.is_dir() and path.name[0].isalpha()}
    for folder in re.findall(r"(\w+)/ ", beside):
        assert (ROOT / folder).is_dir()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", TEXT))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_every_page_is_linked() -> None:
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages <= set(re.findall(r"\]\(([^)#]+)", TEXT))
