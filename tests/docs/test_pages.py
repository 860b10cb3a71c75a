"""docs/: what is filled in at build time names everything there is, and what cookbooks show is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from docs.generate import claims, parts
from docs.generate.hook import MARK, filled, inward
from docs.generate.tables import type_text
from errata.cli import FORMATS, cli
from errata.records import Transcript
from errata.schema import KINDS, field_docs, models_in, recipe_class
from errata.training.method_names import METHODS
from tests.shown_blocks import agrees, blocks, commands, play

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
OTHER_PAGES = [DOCS.parent / name for name in ("README.md", "AGENTS.md", "CHANGELOG.md", "benchmarks/README.md")]
COOKBOOKS = sorted(DOCS.glob("cookbook_*.md"))


def rows_below(heading: str, text: str) -> set[str]:
    """The first cells of the table below a heading."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    assert section, f"no section {heading}"
    return set(re.findall(r"^\| `([^`]+)` \|", section[1], re.MULTILINE))


def names(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_every_key_of_every_recipe_has_a_row() -> None:
    page = parts.recipe_keys()
    for kind in KINDS:
        outer, *inner = models_in(recipe_class(kind))
        assert rows_below(f"Keys of `errata {kind}`", page) == names(outer)
        for model in inner:
            assert rows_below(model.__name__, page) == names(model)


def test_every_key_has_a_sentence_or_stands_in_a_section_that_has_one() -> None:
    """A key whose value is a section of its own leads there."""
    for kind in KINDS:
        outer, *inner = models_in(recipe_class(kind))
        for model in (outer, *(each for each in inner if not vars(each).get("__doc__"))):
            documented = field_docs(model)
            silent = {name for name in model.model_fields if not documented.get(name)}
            leading = {name for name in silent if "](#" in type_text(model.model_fields[name].annotation)}
            assert silent == leading, model.__name__


def test_what_was_once_in_no_page_stands_there() -> None:
    keys = set(re.findall(r"^\| `(\w+)` \|", page := parts.recipe_keys(), re.MULTILINE))
    assert keys >= {"store", "rpm", "tpm", "extra", "system", "review", "only_mistakes", "max_chars"}
    assert "`k_of_n`" in page


def test_every_member_of_every_record_has_a_row() -> None:
    page = parts.records()
    for model in models_in(Transcript):
        assert rows_below(model.__name__, page) == names(model)


def test_every_verb_and_option_is_there() -> None:
    page = parts.commands()
    for name, command in cli.commands.items():
        section = page.partition(f"## errata {name}\n")[2].partition("\n## ")[0]
        assert section, name
        for option in (flag for each in command.params for flag in each.opts if flag.startswith("--")):
            assert re.search(rf"[` ]{option}[`,]", section), (name, option)
    for method in METHODS:
        assert f"| `{method}` |" in page


def test_every_format_has_a_row_of_a_real_run() -> None:
    page = parts.export_rows()
    for name in FORMATS:
        section = page.partition(f"### {name}\n")[2].partition("\n### ")[0]
        assert "```json" in section
        assert '"problem_id"' in section
    assert '"schema": 1' in parts.transcript()


def test_the_paper_index_has_a_row_per_method() -> None:
    index = (DOCS / "training.md").read_text(encoding="utf-8")
    for name in METHODS:
        assert f"| `{name}` |" in index, f"the paper index has no row of {name}"


def test_every_method_has_its_flags_controls_and_figure() -> None:
    from errata.training.methods.shipped import METHODS as VALUES

    page = parts.methods()
    for method in VALUES:
        section = page.partition(f"### {method.name}\n")[2].partition("\n### ")[0]
        assert section, method.name
        assert re.search(r"^Figure reached: .*\d.* \(`recipes/train/\w+\.yaml`\)\.$", section, re.MULTILINE)
        for control in method.controls:
            assert f"`--control {control.name}`" in section


def test_every_mark_names_a_part_and_every_part_stands_on_a_page() -> None:
    named = {mark for page in PAGES for mark in MARK.findall(page.read_text(encoding="utf-8"))}
    assert named == parts.PARTS.keys()
    with pytest.raises(KeyError):
        filled("<!-- generate: nothing -->")


def test_links_out_of_the_site_become_words() -> None:
    assert inward("[a](../tests/x.py), [b](docs/runs.md), [c](benchmarks/README.md)") == "a, [b](runs.md), c"


def test_every_page_is_in_the_sites_contents() -> None:
    text = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    contents = re.findall(r"\w+\.md", text.partition("\nnav:")[2])
    assert sorted(contents) == sorted(["index.md", *(page.name for page in PAGES)])


def anchors(page: Path) -> set[str]:
    """Where a link with `#` can land on a page: its headings, those that are made at build time too."""
    text = re.sub(r"^```.*?^```$", "", filled(page.read_text(encoding="utf-8")), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", each.lower()).strip()) for each in headings}


@pytest.mark.parametrize("page", [*PAGES, *OTHER_PAGES], ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        assert (page.parent / path).exists(), target
        assert not anchor or anchor in anchors(page.parent / path if path else page), target


def test_a_link_to_a_heading_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, and two\n\n```sh\n# no heading\n```\n", encoding="utf-8")
    assert anchors(page) == {"one-and-two"}
    assert "mapping" in anchors(DOCS / "recipe_keys.md")


@pytest.mark.parametrize("page", COOKBOOKS, ids=lambda page: page.stem)
def test_a_cookbook_runs_as_it_is_shown(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if recipe := [each.text for each in blocks(page, "yaml") if "baseline:" in each.text]:
        Path("eval.yaml").write_text(recipe[0], encoding="utf-8")
    shown = [each for block in blocks(page, "console") for each in commands(block.text)]
    for each, real in play(shown, monkeypatch):
        assert agrees(each.output, real), "\n".join([each.command, *real])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_yaml_on_a_page_is_yaml(page: Path) -> None:
    for block in blocks(page, "yaml"):
        assert yaml.safe_load(block.text), block.line


def test_what_the_studies_have_shown_stands_as_their_files_have_it() -> None:
    page = (DOCS / "studies.md").read_text(encoding="utf-8")
    shown = page.split(claims.BEGIN)[1].split(claims.END)[0]
    assert shown == claims.judged(), "python -m docs.generate.claims prints the table"
    assert shown.count("\n") > 2


def test_the_site_is_built_strictly_and_checked_with_the_rest() -> None:
    makefile = (DOCS.parent / "Makefile").read_text(encoding="utf-8")
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert check
    assert "$(MAKE) docs" in check[1]
    assert "make check" in (DOCS.parent / ".ci" / "run").read_text(encoding="utf-8")
    assert "\nstrict: true\n" in (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")


def test_completion_is_documented_for_each_shell() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert all(f"_ERRATA_COMPLETE={shell}_source errata" in page for shell in ("bash", "zsh", "fish"))
