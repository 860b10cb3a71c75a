"""MCC-KD on groups whose answers are not all written alike."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from errata.runs.recipe import load_recipe
from errata.runs.runner import synthesize
from errata.training.checkpoints import manifest_of
from errata.training.comparable import ALONE, NO_ANSWER, OTHER_TOKENS
from tests.released_data import DATA
from tests.training.trainings import go

ROOT = Path(__file__).parents[3]
SVAMP = DATA / "mcc_kd" / "SVAMP" / "train.json"


def test_what_cannot_be_compared_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "groups.jsonl"
    groups = [
        {"prompt": "a ?", "completions": ["it is 18", "so 18", "18 is it", "it is 18.0"], "answer": "18"},
        {"prompt": "b ?", "completions": ["it is seven", "so 7"], "answer": "7"},
    ]
    data.write_text("".join(json.dumps(group) + "\n" for group in groups))

    assert go("mcc-kd", data, tmp_path / "out", "--max_steps", "1") == 0

    manifest = manifest_of(tmp_path / "out")
    assert (manifest["rows"], manifest["sequences"]) == (1, 3)
    assert capsys.readouterr().err.count(f"left out: 2 {NO_ANSWER}, 1 {ALONE}") == 1
    assert manifest["left_out"][OTHER_TOKENS] == 0


def test_answers_are_compared_where_the_texts_come_to_them_if_that_is_asked(tmp_path: Path) -> None:
    data, losses = tmp_path / "groups.jsonl", {}
    texts = ["3 + 4 = 7 . it is 7", "4 + 3 = 7 . so it is 7"]
    data.write_text(json.dumps({"prompt": "a ?", "completions": texts, "answer": "7"}) + "\n")

    for at in ("stated", "computed"):
        out = tmp_path / at
        assert go("mcc-kd", data, out, "--max_steps", "1", "--logging_steps", "1", "--answer_at", at) == 0
        first, *_ = json.loads((out / "trainer_state.json").read_text())["log_history"]
        losses[at] = first["loss/consistency"]

    assert losses["stated"] != losses["computed"]


@pytest.mark.slow
@pytest.mark.skipif(not SVAMP.is_file(), reason="no $ERRATA_DATA")
def test_the_released_groups_train_without_a_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first problems, among them groups that write one answer as " 18" and as "$18"."""
    monkeypatch.setenv("ERRATA_DATA", str(DATA))
    overrides = [f"runs={tmp_path}", "limit=40"]
    run = asyncio.run(synthesize(load_recipe(ROOT / "recipes" / "svamp_rationales.yaml", overrides))).run

    short = ("--max_steps", "1", "--max_length", "1024", "--per_device_train_batch_size", "2")
    assert go("mcc-kd", run, tmp_path / "out", *short) == 0

    manifest = manifest_of(tmp_path / "out")
    left_out = {reason: count for reason, count in manifest["left_out"].items() if count}
    assert set(left_out) <= {NO_ANSWER, OTHER_TOKENS, ALONE}
    assert manifest["rows"] > 30
    assert manifest["objective"][1]["term"] == "consistency"
