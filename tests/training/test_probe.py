"""The likelihood of right and wrong rationales under a negative adapter."""

from __future__ import annotations

import pytest
from peft import LoraConfig, get_peft_model

from errata.training.probe import Probe, probe
from tests.training import twins
from tests.training.lab import sample_rows, tiny_llama
from tests.training.methods.nat_students import LORA, fill

ROWS = sample_rows()


def test_it_is_the_mean_over_tokens_with_the_adapter_and_without_it() -> None:
    model = get_peft_model(tiny_llama(), LoraConfig(**LORA, lora_dropout=0.5))
    fill(model, "lora_B", 3)

    found = probe(model, ROWS, seed=0)

    assert found is not None
    plain = tiny_llama()
    for kind, value, base in (("wrong", found.wrong, found.base_wrong), ("right", found.right, found.base_right)):
        assert value == pytest.approx(twins.likelihood(model, ROWS, (kind,)).item(), rel=1e-5)
        assert base == pytest.approx(twins.likelihood(plain, ROWS, (kind,)).item(), rel=1e-5)
    assert found.sequences == sum(one["kind"] in ("right", "wrong") for row in ROWS for one in row["members"])


def test_without_either_kind_there_is_nothing_to_compare() -> None:
    rows = [{**row, "members": [one for one in row["members"] if one["kind"] != "wrong"]} for row in ROWS]

    assert probe(get_peft_model(tiny_llama(), LoraConfig(**LORA)), rows, 0) is None  # type: ignore[arg-type]


def test_wrong_ones_are_known_where_they_are_likelier() -> None:
    assert Probe(0.2, 0.3, 1.0, 0.9, 8).knows_wrong
    assert not Probe(0.389, 0.388, 1.0, 0.9, 8).knows_wrong
