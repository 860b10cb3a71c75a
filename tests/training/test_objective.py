from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from errata.errors import NothingToLearn, UsageError
from errata.training.encode import Group
from errata.training.objective import Objective
from errata.training.terms import Consistency, KeySteps, Likelihood
from tests.training.lab import edit, mapd, mcc_kd, mix, nce, negative_training, sample_rows, sft


def test_a_combination_is_a_list_of_terms_with_their_parts() -> None:
    combined = Objective([*mapd(0.4), KeySteps(weight=2.0, beta=0.05), Consistency(weight=0.3)])

    assert [(part.name, part.factor) for part in combined.parts] == [
        ("nll/right", pytest.approx(0.6)),
        ("nll/mistake", pytest.approx(0.4)),
        ("key/right", 2.0),
        ("key/wrong", -0.1),
        ("consistency", 0.3),
    ]


def test_bounded_key_steps_are_minimised_on_both_sides() -> None:
    assert [part.factor for part in KeySteps(beta=0.05, bounded=True).parts()] == [1.0, 0.05]


@pytest.mark.parametrize(
    ("term", "settings", "found"),
    [
        (Consistency, {"reads": ("right", "wrong")}, "among right rationales only"),
        (Consistency, {"reads": ("mistake",)}, "among right rationales only"),
        (Consistency, {"alpha": 0.1}, "alpha"),
        (KeySteps, {"beta": -0.025}, "beta"),
        (Likelihood, {"weight": -0.05}, "only wrong and rejected may be pushed down"),
        (Likelihood, {"form": "unlikelihood"}, "only wrong and rejected may be pushed down"),
        (Likelihood, {"form": "unlikelihood", "reads": ("wrong",), "weight": -1}, "0 or more"),
        (Likelihood, {"reads": ()}, "reads"),
    ],
)
def test_a_bad_term_is_refused_by_name(term: Any, settings: dict[str, Any], found: str) -> None:
    with pytest.raises(ValidationError, match=found):
        term(**settings)


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
    with pytest.raises(NothingToLearn, match="no row among 0"):
        Objective(sft()).check([])


def test_rows_that_nothing_reads_are_refused_with_their_count() -> None:
    rows = sample_rows()
    rows[1]["pairs"] = []

    with pytest.raises(UsageError, match="1 of 4 rows hold nothing"):
        Objective(edit()).check(rows)
    assert [Objective(edit()).takes(row) for row in rows] == [True, False, True, True]


def test_answers_of_different_tokens_are_refused_in_one_group() -> None:
    rows: list[Group] = sample_rows()
    other = rows[1]["members"][0]
    rows[0]["members"].append(other)

    with pytest.raises(UsageError, match="row p0: 2 answers of different tokens"):
        Objective(mcc_kd()).check(rows)
    Objective(sft()).check(rows)


def test_a_manifest_names_the_mean_over_each_rationale_only_where_it_is_taken() -> None:
    """So that a training of before there was a choice goes on."""
    assert "per_sequence" not in mcc_kd()[0].settings()
    assert mcc_kd(per_rationale=True)[0].settings()["per_sequence"] is True
    assert not Objective([Likelihood(per_sequence=True)]).plain
