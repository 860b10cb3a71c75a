"""What a text's first flaw is, what a training cured, how long and varied rationales are."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.evals.reasoning import changes, check, diversity, rationale_figures
from errata.evals.results import Eval, Item, Manifest, Sample
from errata.evals.summary import summarise
from errata.records import Problem

PROBLEM = Problem(
    id="q",
    task="classroom",
    question="Mia has 3 dozens of pens . Mia loses 4 of them . how many pens does Mia have ?",
    answer="32",
    kind="number",
)


@pytest.mark.parametrize(
    ("text", "sound", "kind"),
    [
        ("dozens = 12 . 3 * 12 = 36 . 36 - 4 = 32 . the answer is 32 .", True, None),
        ("dozens = 10 . 3 * 10 = 30 . 30 - 4 = 26 . the answer is 26 .", False, "knowledge"),
        ("dozens = 12 . 3 * 12 = 36 . 36 + 4 = 40 . the answer is 40 .", False, "logical_op"),
        ("dozens = 12 . 3 * 12 = 35 . 35 - 4 = 31 . the answer is 31 .", False, "calc"),
        ("dozens = 12 . 3 * 12 = 36 . 36 - 3 = 33 . the answer is 33 .", False, "logical_num"),
        ("dozens = 12 . 3 * 12 = 36 . 36 - 4 = 32 . the answer is 30 .", False, "final"),
        ("dozens = 12 . 3 * 12 = 36 .", False, "unfinished"),
        ("dozens = 10 . 3 * 10 = 30 . 30 - 4 = 32 . the answer is 32 .", False, "knowledge"),
    ],
)
def test_the_first_flaw_names_the_mistake(text: str, sound: bool, kind: str | None) -> None:
    assert check(PROBLEM, text) == (sound, kind)


def test_other_problems_are_not_checked() -> None:
    assert check(PROBLEM.model_copy(update={"task": "gsm8k"}), "3 * 12 = 30 .") == (None, None)
    assert check(PROBLEM.model_copy(update={"question": "What is this?"}), "3 * 12 = 30 .") == (None, None)


def eval_command(name: str, kinds: list[str | None]) -> Eval:
    items = tuple(
        Item(id=f"i{n}", task="t", correct=kind is None, meta={"mistake": kind}) for n, kind in enumerate(kinds)
    )
    return Eval(Path(name), items, Manifest(name=name))


def test_cured_and_introduced_are_told_by_kind() -> None:
    before = eval_command("before", ["calc", "calc", "calc", "knowledge", None, None])
    after = eval_command("after", [None, "calc", "knowledge", None, None, "calc"])

    result = changes(before, after)

    calc = next(each for each in result.kinds if each.kind == "calc")
    assert calc._asdict() == {
        "task": "t", "kind": "calc", "before": 3, "after": 2, "cured": 1, "introduced": 1, "moved": 1,
    }  # fmt: skip
    assert result.cured == (("t", "i0"), ("t", "i3"))
    assert result.introduced == (("t", "i5"),)
    for each in result.kinds:  # what was there, less what went, and what came
        came = sum(
            1 for n in range(6) if (before.items[n].meta["mistake"], after.items[n].meta["mistake"])[1] == each.kind
        )
        assert each.after == came


def test_items_that_are_missing_are_refused() -> None:
    with pytest.raises(UsageError, match="lacks 1 items"):
        changes(eval_command("a", ["calc", None]), eval_command("b", ["calc"]))


def test_diversity_is_none_of_one_zero_of_equal_and_one_of_disjoint_texts() -> None:
    assert diversity(["a b c d"]) is None
    assert diversity(["a b c d", "A b c d"]) == 0.0
    assert diversity(["a b c d", "e f g h"]) == 1.0
    assert diversity(["a b c d", "a b c e", "x y z"]) == pytest.approx(1 - (1 / 3 + 0 + 0) / 3)


def test_lengths_count_every_sample() -> None:
    samples = (Sample(text="one two", correct=True, tokens=4), Sample(text="a b c d", correct=False, tokens=6))

    result = rationale_figures([Item(id="a", correct=0.5, samples=samples)])

    assert result["words_mean"] == 3
    assert result["tokens_mean"] == 5
    assert result["diversity"] == 1.0
    assert rationale_figures([Item(id="a", correct=True)])["words_mean"] is None


def test_a_summary_counts_truncated_and_lucky_answers_apart() -> None:
    cut = Sample(text="36 -", correct=False, truncated=True, tokens=9)
    lucky = Sample(text="4", answer="4", correct=True, tokens=1)
    items = [
        Item(id="a", task="t", correct=False, samples=(cut,), tokens=9, truncated=1, meta={"steps": 2, "sound": False}),
        Item(id="b", task="t", correct=True, samples=(lucky,), tokens=1, meta={"steps": 3, "sound": False}),
        Item(id="c", task="t", correct=True, samples=(lucky,), tokens=1, meta={"steps": 3, "sound": True}),
    ]

    summary = summarise(Manifest(name="x"), items)

    task = summary["tasks"]["t"]
    assert summary["truncated"] == task["truncated"] == 1
    assert task["without_answer"] == 1
    assert task["right_by_a_flaw"] == 1
    assert task["by"]["steps"]["3"]["n"] == 2
    assert task["by"]["steps"]["3"]["accuracy"]["value"] == 1.0
    assert task["accuracy"]["low"] < 2 / 3 < task["accuracy"]["high"]
