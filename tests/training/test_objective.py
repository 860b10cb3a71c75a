from __future__ import annotations

import pytest

from errata.errors import UsageError
from errata.training.groups import Row
from errata.training.objective import Objective, edit, mapd, mcc_kd, mix, nce, negative_training, parse_terms, sft
from errata.training.terms import Consistency, KeySteps, Likelihood
from tests.training.lab import sample_rows


def test_a_config_lists_terms() -> None:
    terms = parse_terms(
        [
            {"term": "likelihood", "reads": ["right"], "weight": 0.5, "per_item": True},
            {"term": "likelihood", "reads": ["mistake"], "weight": 0.5, "per_item": True},
            {"term": "key-steps", "beta": 0.05},
            {"term": "consistency", "weight": 0.1, "pairs": 2},
        ]
    )

    assert terms[:2] == mapd()
    assert terms[2:] == (KeySteps(beta=0.05), Consistency(weight=0.1, pairs=2))
    names = [part.name for part in Objective(terms).parts]
    assert names == ["nll/right", "nll/mistake", "key/right", "key/wrong", "consistency"]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"term": "consistency", "reads": ["right", "wrong"]}, "among right rationales only"),
        ({"term": "consistency", "reads": ["mistake"]}, "among right rationales only"),
        ({"term": "key-steps", "beta": -0.025}, "beta"),
        ({"term": "likelihood", "weight": -0.05}, "only wrong and rejected may be pushed down"),
        ({"term": "likelihood", "form": "unlikelihood"}, "only wrong and rejected may be pushed down"),
        ({"term": "likelihood", "form": "unlikelihood", "reads": ["wrong"], "weight": -1}, "0 or more"),
        ({"term": "likelihood", "reads": []}, "reads"),
        ({"term": "key-step"}, "key-steps"),
        ({"term": "consistency", "alpha": 0.1}, "alpha"),
    ],
)
def test_a_bad_term_is_refused_by_name(entry: dict[str, object], found: str) -> None:
    with pytest.raises(UsageError, match=found):
        parse_terms([entry])


def test_two_terms_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="nll/right"):
        Objective([Likelihood(), Likelihood(weight=0.5)])


def test_packing_is_for_plain_distillation_alone() -> None:
    Objective(sft()).refuse(packing=True)
    for terms in (mapd(), edit(), mcc_kd(), mix(), negative_training()):
        with pytest.raises(UsageError, match="packing"):
            Objective(terms).refuse(packing=True)


def test_calibrated_distillation_needs_a_nat_checkpoint() -> None:
    Objective(nce()).refuse(teacher=True)
    with pytest.raises(UsageError, match="NAT checkpoint"):
        Objective(nce()).refuse()


def test_a_term_that_would_do_nothing_is_refused() -> None:
    right = [{**row, "members": row["members"][:1], "pairs": []} for row in sample_rows()]

    Objective(sft()).check(right)  # type: ignore[arg-type]
    for terms, name in ((mapd(), "nll/mistake"), (mcc_kd(), "consistency"), (edit(), "key/right")):
        with pytest.raises(UsageError, match=name):
            Objective(terms).check(right)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no row among 0"):
        Objective(sft()).check([])


def test_rows_that_nothing_reads_are_refused_with_their_count() -> None:
    rows = sample_rows()
    rows[1]["pairs"] = []

    with pytest.raises(UsageError, match="1 of 4 rows hold nothing"):
        Objective(edit()).check(rows)
    assert [Objective(edit()).takes(row) for row in rows] == [True, False, True, True]


def test_answers_of_different_tokens_are_refused_in_one_group() -> None:
    rows: list[Row] = sample_rows()
    other = rows[1]["members"][0]
    rows[0]["members"].append(other)

    with pytest.raises(UsageError, match="row p0: 2 answers of different tokens"):
        Objective(mcc_kd()).check(rows)
    Objective(sft()).check(rows)
