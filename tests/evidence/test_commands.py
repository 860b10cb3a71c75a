"""`errata accept`: the contract of its JSON, gold that is kept hidden, and the released committee."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from errata.cli import RULES as OFFERED
from errata.cli import cli
from errata.evidence.commands import show_rules
from errata.evidence.rules import RULES
from errata.runs.recipe import load_recipe
from errata.runs.runner import synthesize
from tests.released_data import DATA
from tests.small_runs import small


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small lesson, shared by the tests that only read it."""
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs")))).run


def accept(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(cli, ["accept", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_the_help_lists_the_rules_that_there_are() -> None:
    assert tuple(rule.name for rule in RULES) == OFFERED


def test_all_rules_stand_side_by_side(run: Path) -> None:
    result = accept(str(run), "--compare", "--hide-gold")
    rules = result["rules"]
    assert isinstance(rules, dict)
    assert list(rules) == list(OFFERED)
    for rule in rules.values():
        assert set(rule) == {"accepted", "review_calls_per_rationale", "estimated", "realised"}
        for side in ("estimated", "realised"):
            assert set(rule[side]) == {"precision", "recall", "accuracy"}
            assert all(set(figure) == {"value", "low", "high"} for figure in rule[side].values())
    assert rules["agreement"]["review_calls_per_rationale"] == 0 < rules["mean"]["review_calls_per_rationale"]
    assert result["gold_known"] == 0


def test_gold_anchors_the_model_unless_it_is_hidden(run: Path) -> None:
    known = accept(str(run), "--compare")
    assert known["gold_known"] == known["rationales"]
    for rule in known["rules"].values():  # type: ignore[attr-defined]
        assert rule["estimated"]["accuracy"]["value"] == pytest.approx(rule["realised"]["accuracy"]["value"])


def test_one_rule_as_text_and_an_unknown_one(run: Path) -> None:
    done = CliRunner().invoke(cli, ["accept", str(run)])
    assert done.exit_code == 0
    assert "reliability" in done.output
    assert "agreement " not in done.output
    wrong = CliRunner().invoke(cli, ["accept", str(run), "--rule", "majorty"])
    assert wrong.exit_code == 2
    assert "majority" in wrong.output


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "learn_from_committee").is_dir(), reason="$ERRATA_DATA holds no learn_from_committee")
def test_the_released_committee_is_judged_without_gold_better_than_by_its_panel(tmp_path: Path) -> None:
    recipe = load_recipe(Path(__file__).parents[2] / "recipes/svamp_committee.yaml", [f"runs={tmp_path}"])
    result = accept(str(asyncio.run(synthesize(recipe)).run), "--compare", "--hide-gold")
    rules = result["rules"]
    assert isinstance(rules, dict)
    realised = {name: rule["realised"] for name, rule in rules.items()}
    assert realised["mean"]["accuracy"]["value"] == pytest.approx(0.841, abs=0.001)
    assert realised["agreement"]["accuracy"]["value"] == pytest.approx(0.876, abs=0.001)
    assert realised["reliability"]["accuracy"]["value"] > 0.94
    stated = rules["reliability"]["estimated"]["precision"]
    assert stated["low"] <= realised["reliability"]["precision"]["value"] <= stated["high"]
    worth = result["effective_votes"]
    assert isinstance(worth, dict)
    assert 1.4 < worth["effective"] < 1.7


def test_rules_side_by_side_fit_80_columns() -> None:
    sure = {"value": 1.0, "low": 0.999, "high": 1.0}
    figures = dict.fromkeys(("precision", "recall", "accuracy"), sure)
    rule = {"accepted": 12_345, "review_calls_per_rationale": 2.0, "estimated": figures, "realised": figures}
    result = {
        "run": "runs/mine",
        "rationales": 12_345,
        "gold_known": 12_345,
        "marked": 0,
        "rules": dict.fromkeys(OFFERED, rule),
        "voters": {"arithmetic": {"sensitivity": 1.0, "specificity": 0.5}},
        "effective_votes": {"votes": 2.0, "correlation": 0.25, "effective": 1.6},
        "reviews": {"per_rationale": 1.5, "saved_per_rationale": 0.5, "samples": 0},
    }
    lines = show_rules(result)
    assert max(map(len, lines)) <= 80
    assert "reliability: 12,345 accepted, 2.00 reviews of each" in lines
    assert sum(line.startswith("  realised  100.0 [99.9, 100.0]   100.0") for line in lines) == len(OFFERED)
