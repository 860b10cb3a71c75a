"""The shipped recipes load, say how to run them, and stand on problems that exist."""

from __future__ import annotations

import json
import os
import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest

from errata.data.problems import Problems
from errata.llm.price_table import entry_of
from errata.runs.recipe import load_recipe

DATA = Path(os.environ.get("ERRATA_DATA", "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the public data sets under {DATA} (ERRATA_DATA)")

SHIPPED = sorted((Path(__file__).parent.parent / "recipes").glob("*.yaml"))
OWN_SERVERS = ("openai/meta-llama/Llama-2-7b-chat-hf", "openai/smollm2")
PAPERS = {"nat": 4589, "mapd": 7473, "edit": 5173, "mcc_kd": 700, "svamp_committee": 387, "math_negatives": 4589}


def test_all_are_there() -> None:
    assert {path.stem for path in SHIPPED} >= {*PAPERS, "lesson"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_loads_and_says_how_to_run_it(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.licence
    assert f"recipes/{path.name}" in path.read_text(encoding="utf-8").partition("\n\n")[0]


@pytest.mark.parametrize("name", ["nat", "mapd", "edit", "mcc_kd"])
def test_papers_recipes_run_on_the_simulated_faculty_by_the_overrides_they_name(name: str) -> None:
    from errata.llm.backends.simulated.persona import persona

    path = next(path for path in SHIPPED if path.stem == name)
    recipe = load_recipe(path, simulated_overrides(path))
    assert recipe.problems.source == "classroom"
    for spec in recipe.agents.everyone:
        assert persona(spec.model.removeprefix("simulated/"))
    assert len(list(Problems(recipe.problems, 3))) == 3


def simulated_overrides(path: Path) -> list[str]:
    """The key=value words of the command in the header that runs without a key."""
    _, _, after = path.read_text(encoding="utf-8").partition("# without a key")
    command = takewhile(lambda line: line.startswith("#   "), after.splitlines()[1:])
    return shlex.split(" ".join(line.lstrip("# ").removesuffix("\\") for line in command))[3:]


PAID = re.compile(r"model: \"?(?:\$\{\w+:-)?((?:openai|anthropic|gemini|mistral)/[\w./-]+)")


@pytest.mark.parametrize("path", [path for path in SHIPPED if PAID.search(path.read_text(encoding="utf-8"))], ids=str)
def test_teachers_that_it_names_have_a_price_and_are_still_served(path: Path) -> None:
    for model in PAID.findall(path.read_text(encoding="utf-8")):
        if model in OWN_SERVERS:
            continue
        entry = entry_of(model)
        assert entry is not None, model
        assert entry["input_cost_per_token"] > 0 < entry["output_cost_per_token"]
        assert entry.get("deprecation_date", "9999") > "2026-11-29"


def test_every_papers_recipe_names_a_paid_teacher() -> None:
    naming = {path.stem for path in SHIPPED if PAID.search(path.read_text(encoding="utf-8"))}
    assert naming >= {"nat", "mapd", "edit", "mcc_kd", "lesson", "math_negatives"}


def test_the_environment_names_the_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(path for path in SHIPPED if path.stem == "nat")
    monkeypatch.delenv("TEACHER", raising=False)
    assert load_recipe(path).agents.teachers[0].model == "mistral/mistral-large-4"
    monkeypatch.setenv("TEACHER", "simulated/ada")
    assert load_recipe(path).agents.teachers[0].model == "simulated/ada"


@needs_data
@pytest.mark.parametrize("name", sorted(PAPERS))
def test_problems_are_as_many_as_the_recipe_says(name: str) -> None:
    recipe = load_recipe(next(path for path in SHIPPED if path.stem == name))
    assert sum(1 for _ in Problems(recipe.problems)) == PAPERS[name]


@needs_data
async def test_committee_replayed_decides_as_the_released_file_says(tmp_path: Path) -> None:
    from errata.runs.runner import synthesize

    path = next(path for path in SHIPPED if path.stem == "svamp_committee")
    summary = await synthesize(load_recipe(path, [f"runs={tmp_path}", "limit=60"]))
    released = DATA / "learn_from_committee/Llama-2-7b-chat-hf_svamp_rationale_round0.json"
    rows = {row["question"].strip(): row for row in json.loads(released.read_text(encoding="utf-8"))}

    assert summary.exit_code == 0
    seen = 0
    for line in (summary.run / "transcripts.jsonl").read_text(encoding="utf-8").splitlines():
        transcript = json.loads(line)
        row = rows[transcript["problem"]["question"]]
        for rationale in transcript["rationales"]:
            if rationale["role"] == "teacher":
                text, *scores = row[f"{rationale['author']}_rationale"]
                assert rationale["text"] == text
                assert rationale["accepted"] is (text in row["correct_rationale"])
                order = [name for name in ("gpt", "gemini", "mistral") if name != rationale["author"]]
                given = {review["reviewer"]: review["score"] for review in rationale["reviews"]}
                assert [given[name] for name in order] == [score if 1 <= score <= 5 else None for score in scores]
                seen += 1
    assert seen == 180
