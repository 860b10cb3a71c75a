"""The JSON Schemas of recipes: shipped ones pass, wrong keys and types do not, and every key is explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from errata.cli import cli
from errata.schema import KINDS, field_docs, json_schema, models_in, recipe_class
from errata.starter import write_starter

ROOT = Path(__file__).parents[1]
RECIPES = {
    "synth": "recipes/*.yaml",
    "eval": "recipes/eval/*.yaml",
    "study": "recipes/study/*/recipe.yaml",
    "school": "recipes/school/*.yaml",
}
SHIPPED = [(kind, path) for kind, where in RECIPES.items() for path in sorted(ROOT.glob(where))]


def faults(kind: str, data: Any) -> list[str]:
    return [each.json_path for each in Draft202012Validator(json_schema(kind)).iter_errors(data)]


@pytest.mark.parametrize(("kind", "path"), SHIPPED, ids=lambda each: each.stem if isinstance(each, Path) else each)
def test_shipped_recipes_pass(kind: str, path: Path) -> None:
    assert faults(kind, yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("change", [{"concurency": 3}, {"concurrency": "many"}, {"agents": {"teacher": []}}])
def test_a_mistyped_key_or_value_does_not(change: dict[str, Any]) -> None:
    recipe = yaml.safe_load((ROOT / "errata/starter/recipe.yaml").read_text(encoding="utf-8"))
    assert faults("synth", recipe | change)


def test_the_starters_first_line_names_the_schema_beside_it(tmp_path: Path) -> None:
    write_starter(tmp_path)
    first = (tmp_path / "recipe.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=recipe.schema.json"
    beside = orjson.loads((tmp_path / "recipe.schema.json").read_bytes())
    assert beside == json_schema("synth")


@pytest.mark.parametrize("kind", KINDS)
def test_the_verb_prints_it_with_what_each_key_sets(kind: str) -> None:
    printed = orjson.loads(CliRunner().invoke(cli, ["schema", kind]).stdout)
    assert printed == json_schema(kind)
    sections = {recipe_class(kind).__name__: printed, **printed["$defs"]}
    for model in models_in(recipe_class(kind)):
        properties = sections.get(model.__name__, {}).get("properties", {})
        for name in properties.keys() & field_docs(model).keys() - {"tasks"}:
            assert properties[name]["description"] == field_docs(model)[name]
