"""Items belong together by id, seeds by number; what repeats another seed is no seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from errata.errors import UsageError
from errata.evals.pairing import Arm, arms_of, named_tasks, one_answer, paired
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


def test_seeds_of_which_the_first_has_only_what_all_share_are_narrowed_too() -> None:
    def least_first(arm: Arm) -> Arm:
        first, *rest = arm.evals
        return arm_of(Eval(first.path, first.items[:10], first.manifest), *rest)

    left, right = seeds_of("a", drawn(1)), seeds_of("b", drawn(2))

    assert not paired(left, right, "t").narrowed
    assert paired(least_first(left), least_first(right), "t").narrowed


def test_the_part_that_all_seeds_share_is_found_wherever_it_stands() -> None:
    def least_second(arm: Arm) -> Arm:
        first, second, third = arm.evals
        return arm_of(first, Eval(second.path, second.items[:10], second.manifest), third)

    both = paired(least_second(seeds_of("a", drawn(1))), least_second(seeds_of("b", drawn(2))), "t")

    assert (both.narrowed, [len(gaps) for gaps in both.gaps]) == (True, [10, 10, 10])


def test_one_item_in_twenty_may_meet_by_chance() -> None:
    def met(label: str) -> Arm:
        first, second = seeds_of(label, drawn(1, 2, 10), "s{seed}-{item}").evals
        return arm_of(first, Eval(second.path, (*second.items, first.items[0]), second.manifest))

    assert paired(met("a"), met("b"), "t").design == "nested"


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


def test_of_arms_with_other_copies_the_seeds_are_compared_that_both_have() -> None:
    first, second, _ = drawn(1)
    other, another, _ = drawn(2)

    both = paired(seeds_of("a", [first, second, first]), seeds_of("b", [other, other, another]), "t")

    assert (both.seeds, both.design) == ((0,), "one seed each")


def test_grades_that_agree_by_accident_are_no_copy() -> None:
    easy = seeds_of("easy", [[True] * 30, [True] * 30, [True] * 29 + [False]])
    few = seeds_of("few", [[True, False, True], [True, False, True], [False, False, True]])
    alike = drawn(1, 1)[0]
    nearly = seeds_of("nearly", [alike, alike, [not alike[0], *alike[1:]]])

    assert easy.copies == few.copies == nearly.copies == ()


def test_chance_counts_every_pair_of_seeds_over_the_items_of_the_copies() -> None:
    def two_alike(n: int) -> Arm:
        """Of three seeds two have the same grades, and the third differs in half of its."""
        return seeds_of("a", [[False] * n, [False] * n, rights(n, n // 2)])

    few = two_alike(10)
    first, *_ = seeds_of("a", [rights(40, 5)]).evals
    short = [Eval(each.path, each.items, manifest(str(each.path), "a", seed)) for seed, each in enumerate(few.evals, 1)]

    assert few.copies == ()  # 3 pairs * 0.5 ** 10 is 0.003
    assert two_alike(12).copies == ((1, 0),)  # 3 * 0.5 ** 12 is 0.0007
    assert arm_of(first, *short).copies == ()
    assert seeds_of("a", [[False] * 12, [False] * 12, rights(3, 2)]).copies == ((1, 0),)


def test_two_seeds_with_the_same_grades_are_one_result_and_a_lone_one_repeats_nothing() -> None:
    [row] = drawn(1, 1)
    assert seeds_of("a", [row, row]).copies == ((1, 0),)
    assert seeds_of("a", [row]).copies == ()


def test_where_no_items_tell_how_far_seeds_differ_equal_grades_are_no_copy() -> None:
    alike, elsewhere = seeds_of("a", drawn(1, 1) * 3), seeds_of("a", drawn(1), "other-{item}")
    assert arm_of(*alike.evals[:2], elsewhere.evals[2]).copies == ()


def test_a_copy_is_one_in_whatever_order_its_file_has_the_items() -> None:
    def of(seed: int, items: list[Item]) -> Eval:
        return Eval(Path(str(seed)), tuple(items), manifest(str(seed), "a", seed))

    items = [Item(id=id, task=task, correct=id == "2") for task in ("x", "y") for id in ("1", "2", "3")]
    items[0] = items[0].model_copy(update={"correct": True})
    assert arm_of(of(0, items), of(1, items[::-1])).copies == ((1, 0),)


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

    with pytest.raises(UsageError, match="2 directories of seed 0: one, two\n"):
        arms_of([*twice, in_memory("three", "a", 1, {"t": rights(3, 1)})])


# ---- arms ------------------------------------------------------------------------------------------------------------


def decoded(path: str, label: str, decoding: str | None, seed: int | None = 0) -> Eval:
    one = in_memory(path, label, 0, {"t": rights(3, 1)})
    training = {"seed": seed} if seed is not None else None
    changed = {"decoding": {"name": decoding} if decoding else {}, "training": training}
    return Eval(one.path, one.items, one.manifest.model_copy(update=changed))


@pytest.mark.parametrize(
    ("evals", "names"),
    [
        ([decoded("1", "a", "greedy"), decoded("2", "b", "greedy")], ["a", "b"]),
        ([decoded("1", "a", "greedy"), decoded("2", "b", None)], ["a", "b"]),
        ([decoded("1", "a", "greedy"), decoded("2", "a", "vote")], ["a (greedy)", "a (vote)"]),
        (
            [decoded("1", "a", "greedy"), decoded("2", "a", "vote"), decoded("3", "b", None)],
            ["a (greedy)", "a (vote)", "b"],
        ),
        ([decoded("1", "a", None, None), decoded("2", "a", None, None), decoded("3", "b", None)], ["1", "2", "b"]),
    ],
)
def test_arms_are_named_by_label_then_by_decoding_then_by_path(evals: list[Eval], names: list[str]) -> None:
    assert [arm.name for arm in arms_of(evals)] == names


def test_the_seeds_of_an_arm_stand_in_their_order() -> None:
    evals = seeds_of("a", drawn(1)).evals

    arm = arm_of(*evals[::-1])

    assert arm.seeds == (0, 1, 2)
    assert arm.evals == evals
    assert arm_of(decoded("1", "a", None, None)).seeds == (0,)


def test_an_arm_trained_on_the_mean_of_its_seeds_tokens_where_all_are_known() -> None:
    def trained(*tokens: int | None) -> Arm:
        sizes = [{} if each is None else {"target_tokens": each} for each in tokens]
        rows = drawn(1, len(tokens))
        return arm_of(
            *[
                Eval(
                    Path(str(seed)), seeds_of("a", [rows[seed]]).evals[0].items, manifest(str(seed), "a", seed, **size)
                )
                for seed, size in enumerate(sizes)
            ]
        )

    assert trained(100, 300).target_tokens == 200
    assert trained(100, None).target_tokens is None
    assert trained(100, 300).cost_usd is None
    assert arm_of(decoded("1", "a", None, None)).target_tokens is None


def test_values_of_0_and_1_are_one_answer_and_shares_are_not() -> None:
    assert all(one_answer(np.array(values)) for values in ([0.0, 0.0], [1.0, 1.0], [0.0, 1.0]))
    assert not any(one_answer(np.array(values)) for values in ([0.5], [0.0, 1.0, 0.25], [2.0]))


# ---- tasks and items that only some have -----------------------------------------------------------------------------


def test_a_file_without_tasks_takes_them_from_the_others_where_an_id_has_one() -> None:
    def of(name: str, *keys: tuple[str, str]) -> Eval:
        return Eval(
            Path(name), tuple(Item(id=id, task=task, correct=True) for task, id in keys), manifest(name, name, 0)
        )

    full = of("full", ("x", "1"), ("x", "2"), ("y", "2"), ("y", "3"))
    bare = of("bare", ("", "1"), ("", "2"), ("", "3"), ("", "4"))

    first, second = named_tasks([full, bare])

    assert first is full
    assert [item.task for item in second.items] == ["x", "", "y", ""]


@pytest.mark.parametrize(
    ("task", "lacking", "message"),
    [
        ("t", 3, "b lacks 3 items of a, task t: t-6, t-7, t-8"),
        ("", 4, "b lacks 4 items of a: -5, -6, -7, ..."),
    ],
)
def test_the_first_items_that_one_side_lacks_are_named(task: str, lacking: int, message: str) -> None:
    whole, part = in_memory("a", "a", 0, {task: rights(9, 4)}), in_memory("b", "b", 0, {task: rights(9 - lacking, 4)})

    for left, right in ((whole, part), (part, whole)):
        with pytest.raises(UsageError) as raised:
            paired(arm_of(left), arm_of(right), task)
        assert raised.value.found == message


def test_items_with_another_gold_answer_are_refused_where_both_state_one() -> None:
    def of(name: str, gold: str | None) -> Arm:
        items = (Item(id="1", task="t", correct=True, meta={"gold": gold} if gold else {}),)
        return arm_of(Eval(Path(name), items, manifest(name, name, 0)))

    with pytest.raises(UsageError, match="1: the gold answer is '4' in a, '5' in b"):
        paired(of("a", "4"), of("b", "5"), "t")
    for other in (of("b", "4"), of("b", None)):
        assert paired(of("a", "4"), other, "t").gaps[0].tolist() == [0.0]


@pytest.mark.parametrize(
    ("field", "words"), [("choices", "the options are"), ("answers", "the further gold answers are")]
)
def test_items_with_other_options_or_further_golds_are_refused_where_both_state_them(field: str, words: str) -> None:
    def of(name: str, *stated: str) -> Arm:
        meta = {"gold": "A", **({field: [*stated]} if stated else {})}
        return arm_of(Eval(Path(name), (Item(id="1", task="t", correct=True, meta=meta),), manifest(name, name, 0)))

    with pytest.raises(UsageError, match=rf"1: {words} \['7', '8'\] in a, \['8', '7'\] in b"):
        paired(of("a", "7", "8"), of("b", "8", "7"), "t")
    for other in (of("b", "7", "8"), of("b")):
        assert paired(of("a", "7", "8"), other, "t").gaps[0].tolist() == [0.0]


# ---- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "one"),
    [
        (["w"], True),
        ([None], True),
        (["w", "w"], True),
        (["w", "w", "w"], True),
        (["w", "v"], False),
        (["w", None], False),
        ([None, None], False),
        ([None, None, None], False),
    ],
)
def test_an_arm_is_one_checkpoint_where_all_its_results_are_of_the_same_weights(
    weights: list[str | None], one: bool
) -> None:
    arm = seeds_of("a", drawn(1, len(weights)))
    known = [
        Eval(each.path, each.items, each.manifest.model_copy(update={"fingerprint": of}))
        for each, of in zip(arm.evals, weights, strict=True)
    ]

    assert arm_of(*known).one_checkpoint is one


def test_seeds_that_repeat_one_result_are_one_checkpoint() -> None:
    assert seeds_of("a", drawn(1, 1) * 3).one_checkpoint


# ---- rankers ---------------------------------------------------------------------------------------------------------


def test_seeds_whose_rankers_share_a_label_are_one_arm_and_others_are_not() -> None:
    def one(seed: int, ranker: str, label: str | None) -> Eval:
        decoding = {"name": "votes", "ranker": ranker} | ({"ranker_label": label} if label else {})
        about = manifest(f"a-{seed}", "a", seed).model_copy(update={"decoding": decoding})
        return Eval(Path(f"{ranker}-{seed}"), (Item(id="t-0", task="t", correct=True),), about)

    assert arm_of(one(0, "rankers/0", "judge"), one(1, "rankers/1", "judge")).seeds == (0, 1)
    assert len(arms_of([one(0, "rankers/0", None), one(1, "rankers/1", None)])) == 2
    assert len(arms_of([one(0, "rankers/0", "judge"), one(1, "rankers/1", "other")])) == 2
