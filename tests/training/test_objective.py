from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from errata.errors import NothingToLearn, UsageError
from errata.exports.sequences import KINDS
from errata.training.collate import IGNORED
from errata.training.encode import Group
from errata.training.objective import Objective
from errata.training.terms import Calibrated, Consistency, ForwardPass, KeySteps, Likelihood
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
        (Consistency, {"reads": ()}, "among right rationales only"),
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


def test_a_weight_of_0_pushes_nothing_down() -> None:
    for settings in ({"weight": 0.0}, {"weight": 0.0, "form": "unlikelihood"}):
        assert Likelihood.model_validate(settings).parts()[0].factor == 0
    wrong = ("wrong", "rejected")
    assert Likelihood(weight=-0.05, reads=wrong).parts() == (("nll/wrong+rejected", -0.05),)
    assert Likelihood(form="unlikelihood", weight=0.05, reads=wrong).parts() == (("unlikelihood/wrong+rejected", 0.05),)


def test_terms_have_the_papers_weights_by_default() -> None:
    assert KeySteps().settings() == {
        "term": "key-steps", "weight": 1.0, "reads": [], "alpha": 1.0, "beta": 0.025, "gamma": 0.0, "bounded": False,
    }  # fmt: skip
    assert Consistency().settings() == {
        "term": "consistency", "weight": 0.1, "reads": ["right"], "temperature": 1.0, "pairs": 1,
    }  # fmt: skip
    assert Calibrated().settings() == {
        "term": "calibrated", "weight": 0.5, "reads": ["right"], "temperature": 1.0, "calibrate": "own",
    }  # fmt: skip
    assert Likelihood().settings() == {
        "term": "likelihood", "weight": 1.0, "reads": ["right"], "form": "nll", "per_item": False,
    }  # fmt: skip
    for term in (KeySteps(weight=0, alpha=0, beta=0, gamma=0), Consistency(weight=0), Calibrated(weight=0)):
        assert term.parts()[0].factor == 0


def test_what_an_objective_reads_is_what_its_terms_read() -> None:
    shipped = {"sft": sft(), "mapd": mapd(), "edit": edit(), "mcc-kd": mcc_kd(), "nce": nce()}
    reads = {
        name: (each.reads_answers, each.trains_answers, each.reads_logits, each.reads_teacher, each.reading().pairs)
        for name, each in ((name, Objective(terms)) for name, terms in shipped.items())
    }

    assert reads == {
        "sft": (False, False, False, False, False),
        "mapd": (False, False, False, False, False),
        "edit": (False, False, False, False, True),
        "mcc-kd": (True, True, True, False, False),
        "nce": (False, False, True, True, False),
    }
    assert not Objective(mcc_kd(0.0)).trains_answers


def test_terms_say_whether_they_teach_right_rationales_and_need_all_of_a_problem() -> None:
    terms = {
        "right": Likelihood(), "wrong": Likelihood(reads=("wrong",)), "item": Likelihood(per_item=True),
        "keys": KeySteps(), "consistency": Consistency(), "calibrated": Calibrated(),
    }  # fmt: skip

    assert [name for name, term in terms.items() if term.distils()] == ["right", "item"]
    assert [name for name, term in terms.items() if term.gathers()] == ["item"]


def test_a_term_counts_what_it_can_read_of_a_group() -> None:
    first, *_ = sample_rows()
    bare: Group = {**first, "members": [{**member, "answer": [0, 0]} for member in first["members"]]}

    amounts = {type(term): term.amount(first) for term in (*mapd(), KeySteps(), Consistency(), Calibrated())}
    assert [term.amount(first) for term in mapd()] == [3, 1]
    assert (amounts[KeySteps], amounts[Consistency], amounts[Calibrated]) == (1, 2, 3)
    assert Consistency().amount(bare) == 0


def short_batch() -> tuple[ForwardPass, dict[str, Any]]:
    """Pairs of a right and a wrong side: with one token to learn on a side, with four, with none."""
    learned = [1, 1, 4, 4, 0, 0]
    labels_BT = torch.full((6, 5), IGNORED)
    for b, number in enumerate(learned):
        labels_BT[b, 1 : 1 + number] = 7
    columns = {
        "labels": labels_BT,
        "kind": torch.tensor([KINDS.index("right"), KINDS.index("wrong")] * 3),
        "sides": torch.ones(6),
        "key": (labels_BT != IGNORED).float(),
        "share": torch.ones(6),
    }
    logp_BT = torch.tensor(learned)[:, None] * -0.5 * torch.ones(6, 4)
    return ForwardPass(logp_BT, torch.zeros(6, 5, 2), project=lambda hidden: hidden), columns


def test_a_sequence_counts_by_its_own_length_be_it_one_token_or_none() -> None:
    forward, batch = short_batch()
    per_sequence = Likelihood(per_sequence=True)

    assert float(per_sequence.counts(batch)[0]) == 2  # that with nothing to learn does not count
    assert float(per_sequence.sums(forward, batch)[0]) == pytest.approx(0.5 + 2.0)
    assert [float(value) for value in KeySteps().sums(forward, batch)] == pytest.approx([0.5 + 2.0] * 2)
    assert [float(value) for value in KeySteps().counts(batch)] == [3, 3]


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
