"""Items belong together by id, seeds by number; what repeats another seed is no seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from errata.errors import UsageError
from errata.evals.pairing import Arm, arms_of, paired
from errata.evals.results import Eval, Item, Sample
from tests.evals.eval_dirs import in_memory, manifest, rights


def arm_of(*evals: Eval) -> Arm:
    [arm] = arms_of(evals)
    return arm


def seeds_of(label: str, values: Sequence[Sequence[bool | float]], ids: str = "t-{item}") -> Arm:
    """An arm whose seeds answer items called by `ids`, which may name the seed."""
    evals = []
    for seed, row in enumerate(values):
        items = [Item(id=ids.format(item=place, seed=seed), task="t", correct=value) for place, value in enumerate(row)]
        evals.append(Eval(Path(f"{label}-{seed}"), tuple(items), manifest(f"{label}-{seed}", label, seed)))
    return arm_of(*evals)


def drawn(seed: int, seeds: int = 3, n: int = 40) -> list[list[bool]]:
    return [[bool(x) for x in row] for row in np.random.default_rng(seed).random((seeds, n)) < 0.5]


def reversed_files(arm: Arm) -> Arm:
    return arm_of(*[Eval(each.path, each.items[::-1], each.manifest) for each in arm.evals])


# ---- items -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", ["t-{item}", "s{seed}-{item}"])
def test_items_are_paired_by_id_in_whatever_order_the_files_have_them(ids: str) -> None:
    left, right = seeds_of("left", drawn(1), ids), seeds_of("right", drawn(2), ids)

    straight, crosswise = paired(left, right, "t"), paired(left, reversed_files(right), "t")

    expected = [np.array(a, float) - np.array(b, float) for a, b in zip(drawn(1), drawn(2), strict=True)]
    for both in (straight, crosswise):
        assert [gaps.tolist() for gaps in both.gaps] == [gaps.tolist() for gaps in expected]


def test_seeds_on_shared_items_are_brought_into_one_order() -> None:
    first, *rest = drawn(1)
    left = seeds_of("left", [first, *rest])
    shuffled = arm_of(left.evals[0], *reversed_files(left).evals[1:])

    both = paired(shuffled, seeds_of("right", [[False] * 40] * 3), "t")

    assert [gaps.astype(bool).tolist() for gaps in both.gaps] == [first, *rest]


# ---- designs ---------------------------------------------------------------------------------------------------------


def test_what_was_drawn_decides_the_design() -> None:
    crossed = paired(seeds_of("a", drawn(1)), seeds_of("b", drawn(2)), "t")
    nested = paired(seeds_of("a", drawn(1), "s{seed}-{item}"), seeds_of("b", drawn(2), "s{seed}-{item}"), "t")
    one_against_many = paired(seeds_of("a", drawn(1)), seeds_of("b", drawn(2, 1)), "t")
    one_each = paired(seeds_of("a", drawn(1, 1)), seeds_of("b", drawn(2, 1)), "t")

    designs = [each.design for each in (crossed, nested, one_against_many, one_each)]
    assert designs == ["crossed", "nested", "one against many", "one seed each"]


def test_seeds_that_share_a_part_of_their_items_are_compared_on_that() -> None:
    def windows(arm: Arm) -> Arm:
        return arm_of(
            *[
                Eval(each.path, each.items[5 * seed : 20 + 5 * seed], each.manifest)
                for seed, each in enumerate(arm.evals)
            ]
        )

    both = paired(windows(seeds_of("a", drawn(1))), windows(seeds_of("b", drawn(2))), "t")

    assert (both.design, both.narrowed, {len(gaps) for gaps in both.gaps}) == ("crossed", True, {10})


def test_a_few_items_that_two_seeds_happen_to_share_leave_them_nested() -> None:
    def met(arm: Arm) -> Arm:
        first, second, third = arm.evals
        return arm_of(first, Eval(second.path, (first.items[0], *second.items[1:]), second.manifest), third)

    both = paired(met(seeds_of("a", drawn(1), "s{seed}-{item}")), met(seeds_of("b", drawn(2), "s{seed}-{item}")), "t")

    assert both.design == "nested"


def test_items_in_some_seeds_and_none_in_all_are_refused() -> None:
    def chained(arm: Arm) -> Arm:
        sets = [arm.evals[seed].items[:20] + arm.evals[(seed + 1) % 3].items[20:] for seed in range(3)]
        sets[1] = sets[0][:20] + sets[1][20:]
        return arm_of(*[Eval(each.path, items, each.manifest) for each, items in zip(arm.evals, sets, strict=True)])

    with pytest.raises(UsageError, match="20 of 100 items stand in several seeds, none in all of them"):
        paired(
            chained(seeds_of("a", drawn(1), "s{seed}-{item}")), chained(seeds_of("b", drawn(2), "s{seed}-{item}")), "t"
        )


# ---- copies ----------------------------------------------------------------------------------------------------------


def test_a_result_given_thrice_is_one() -> None:
    [row] = drawn(1, 1)
    arm = seeds_of("a", [row, row, row])

    assert arm.copies == ((1, 0), (2, 0))
    assert arm.distinct.seeds == (0,)
    assert paired(arm, seeds_of("b", [rights(40, 9)] * 3), "t").design == "one seed each"
    assert paired(arm, seeds_of("b", drawn(2)), "t").design == "one against many"


def test_a_seed_that_repeats_another_is_left_out_on_both_sides() -> None:
    first, second, third = drawn(1)

    both = paired(seeds_of("a", [first, second, first]), seeds_of("b", drawn(2)), "t")

    assert both.seeds == (0, 1)
    assert both.design == "crossed"
    assert third != first


def test_grades_that_agree_by_accident_are_no_copy() -> None:
    easy = seeds_of("easy", [[True] * 30, [True] * 30, [True] * 29 + [False]])
    few = seeds_of("few", [[True, False, True], [True, False, True], [False, False, True]])
    alike = drawn(1, 1)[0]
    nearly = seeds_of("nearly", [alike, alike, [not alike[0], *alike[1:]]])

    assert easy.copies == few.copies == nearly.copies == ()


def test_answers_tell_copies_from_grades_that_agree() -> None:
    def answered(seed: int, text: str) -> Eval:
        sample = Sample(text=text, answer="4", correct=True)
        items = (Item(id="1", task="t", correct=True, answer="4", samples=(sample,)),)
        return Eval(Path(str(seed)), items, manifest(str(seed), "a", seed))

    assert arm_of(answered(0, "two and two"), answered(1, "2 + 2"), answered(2, "two and two")).copies == ((2, 0),)


def test_answers_without_their_texts_tell_copies_too() -> None:
    def answered(seed: int, answer: str) -> Eval:
        items = (Item(id="1", task="t", correct=False, answer=answer),)
        return Eval(Path(str(seed)), items, manifest(str(seed), "a", seed))

    assert arm_of(answered(0, "4"), answered(1, "5"), answered(2, "4")).copies == ((2, 0),)


def test_two_results_of_one_seed_are_refused() -> None:
    twice = [in_memory("one", "a", 0, {"t": rights(3, 1)}), in_memory("two", "a", 0, {"t": rights(3, 2)})]

    with pytest.raises(UsageError, match="2 directories of seed 0"):
        arms_of(twice)


# ---- rankers ---------------------------------------------------------------------------------------------------------


def test_seeds_whose_rankers_share_a_label_are_one_arm_and_others_are_not() -> None:
    def one(seed: int, ranker: str, label: str | None) -> Eval:
        decoding = {"name": "votes", "ranker": ranker} | ({"ranker_label": label} if label else {})
        about = manifest(f"a-{seed}", "a", seed).model_copy(update={"decoding": decoding})
        return Eval(Path(f"{ranker}-{seed}"), (Item(id="t-0", task="t", correct=True),), about)

    assert arm_of(one(0, "rankers/0", "judge"), one(1, "rankers/1", "judge")).seeds == (0, 1)
    assert len(arms_of([one(0, "rankers/0", None), one(1, "rankers/1", None)])) == 2
    assert len(arms_of([one(0, "rankers/0", "judge"), one(1, "rankers/1", "other")])) == 2
