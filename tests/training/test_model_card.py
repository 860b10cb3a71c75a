"""A student's card names its base, its method and what it learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from errata.evals.results import Eval, Manifest
from errata.training.model_card import card_text
from tests.training.trainings import SAVING, go


def manifest(**changes: Any) -> dict[str, Any]:
    return {
        "method": "mcc-kd",
        "paper": "MCC-KD, arXiv 2310.14747",
        "control": "none",
        "objective": [{"term": "likelihood"}, {"term": "consistency"}],
        "config": {"model": {"model_name_or_path": "org/student"}},
        "data": [{"name": "runs/demo", "rows": 1200}],
        "trained_weights": 672,
        "lora_rank": 3,
        "lora_modules": ["q_proj"],
        "seed": 42,
        "versions": {"trl": "1.0"},
        **changes,
    }


def head(card: str) -> Any:
    return yaml.safe_load(card.split("---")[1])


def test_it_says_what_the_manifest_says() -> None:
    card = card_text("mine", manifest())

    assert head(card) == {"base_model": "org/student", "library_name": "peft", "tags": ["errata", "mcc-kd"]}
    for told in ("# mine", "`org/student`", "`errata train mcc-kd`: MCC-KD, arXiv", "likelihood, consistency", "1,200"):
        assert told in card
    assert "672 weights, LoRA of rank 3 on q_proj" in card
    assert "Control" not in card
    assert "`alpha_zero`" in card_text("mine", manifest(control="alpha_zero"))


def test_its_evals_say_when_they_worked_where_they_know() -> None:
    times = {"begun": "2026-11-28T22:11:00+00:00", "last": "2026-11-28T22:11:40+00:00", "seconds": 40.0}
    summary = {"tasks": {"mine": {"n": 8, "accuracy": {"value": 0.5, "low": 0.2, "high": 0.8}}}}
    known = Eval(Path("known"), (), Manifest(name="known", times=times), summary)
    older = Eval(Path("older"), (), Manifest(name="older"), summary)
    rows = card_text("mine", manifest(), evals=[known, older]).split("\n| ")[2:]
    assert rows[0].startswith("known | mine | 8 |")
    assert rows[0].endswith("| 2026-11-28 22:11 UTC, 40 s of work |")
    assert rows[1].splitlines()[0].endswith("| - |")


@pytest.mark.parametrize("base", ["tiny", str(Path(__file__).parent)])
def test_a_base_that_is_no_hub_model_is_named_in_the_text_alone(base: str) -> None:
    card = card_text("mine", manifest(lora_rank=None, config={"model": {"model_name_or_path": base}}))

    assert head(card) == {"library_name": "transformers", "tags": ["errata", "mcc-kd"]}
    assert f"Base: `{Path(base).name}`" in card
    assert str(Path(__file__).parent) not in card


@pytest.mark.parametrize("more", [[], ["--use_peft"]])
def test_every_folder_of_a_training_holds_it(more: list[str], run: Path, tmp_path: Path) -> None:
    out = tmp_path / "student"

    assert go("mapd", run, out, *SAVING, "--max_steps", "2", *more) == 0

    for folder in (out, out / "checkpoint-2"):
        card = (folder / "README.md").read_text()
        assert "`errata train mapd`" in card, folder
        assert "Base: `tiny`" in card
        assert "SFT" not in card
        assert "None" not in card
        assert f"{'LoRA of rank 16' if more else 'weights'}" in card
