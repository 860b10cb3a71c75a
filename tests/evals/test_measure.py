"""Each design has the method that is right for it, and says what it is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from errata.evals.claims import Claim
from errata.evals.compare import compare
from errata.evals.comparison import Difference
from errata.evals.estimate import over_items, over_seeds_and_items
from errata.evals.evidence import ByT
from errata.evals.measure import accuracy_bounds, interval_of
from errata.evals.paired_score import score_interval, score_p
from errata.evals.results import Eval, Item
from errata.evals.stats import score_bounds, wilson
from errata.evals.two_parts import detectable_parts, p_of, reach_of
from tests.evals.eval_dirs import in_memory, manifest, rights


def students(
    label: str, chance: float, seeds: int = 3, n: int = 100, own: bool = False, alike: float = 0.9, dice: int = 1
) -> list[Eval]:
    """Seeds whose items are as hard for all of them, `alike` of 1; `own`: every seed has its own items."""
    random = np.random.default_rng([dice, round(1000 * chance)])
    evals = []
    for seed in range(seeds):
        hardness = np.random.default_rng(seed if own else 99).random(n)
        values = alike * hardness + (1 - alike) * random.random(n) < chance
        items = [
            Item(id=f"s{seed}-{place}" if own else f"{place}", task="t", correct=bool(value))
            for place, value in enumerate(values)
        ]
        evals.append(Eval(Path(f"{label}-{seed}"), tuple(items), manifest(f"{label}-{seed}", label, seed)))
    return evals


def only(*evals: Eval) -> Difference:
    [difference] = compare(evals).differences
    return difference


def values_SN(evals: list[Eval]) -> np.ndarray:
    return np.array([[float(item.correct) for item in each.items] for each in evals])


def test_one_answer_on_each_side_is_the_paired_score() -> None:
    a = [True] * 30 + [True] * 12 + [False] * 2 + [False] * 16
    b = [True] * 30 + [False] * 12 + [True] * 2 + [False] * 16

    one = only(in_memory("b", "b", 0, {"t": b}), in_memory("a", "a", 0, {"t": a}))

    assert (one.design, one.difference.method) == ("one seed each", "paired score")
    assert (one.only_arm, one.only_against, one.n) == (12, 2, 60)
    assert one.p == pytest.approx(float(score_p(12, 2)))
    assert (one.difference.low, one.difference.high) == pytest.approx(
        tuple(float(each) for each in score_interval(12, 2, 60, 0.05))
    )
    assert one.verdict == "better"
    assert "one seed cannot say" in one.covers


def test_shares_on_each_side_are_students_t_over_items() -> None:
    dice = np.random.default_rng(1)
    low = dice.choice([0, 0.2, 0.4], 80)
    high = low + dice.choice([0, 0.2, 0.4], 80)

    one = only(in_memory("low", "low", 0, {"t": low.tolist()}), in_memory("high", "high", 0, {"t": high.tolist()}))

    assert one.difference.method == "paired t over items"
    assert one.only_arm is None
    assert one.p == pytest.approx(scipy.stats.ttest_rel(high, low).pvalue)
    assert one.verdict == "better"


def test_seeds_on_shared_items_are_drawn_with_their_items() -> None:
    weak, strong = students("weak", 0.5), students("strong", 0.6)

    one = only(*weak, *strong)

    parts = over_seeds_and_items(values_SN(strong) - values_SN(weak), 2.0)
    assert (one.design, one.difference.method) == ("crossed", "seeds x items")
    assert one.difference.value == pytest.approx(float(parts.value))
    assert one.p == pytest.approx(float(p_of(parts)))
    assert one.difference.high - one.difference.value == pytest.approx(float(reach_of(parts, 0.05)))
    assert one.covers == "other seeds and other items"
    assert [seed for seed, _ in one.by_seed] == [0, 1, 2]


def test_seeds_with_items_of_their_own_are_students_t_over_seeds() -> None:
    weak, strong = students("weak", 0.5, own=True), students("strong", 0.6, own=True)

    one = only(*weak, *strong)

    means = (values_SN(strong) - values_SN(weak)).mean(axis=1)
    assert (one.design, one.difference.method) == ("nested", "t over seeds")
    assert one.p == pytest.approx(scipy.stats.ttest_1samp(means, 0).pvalue)
    assert one.covers == "other seeds with items of their own"


def test_items_that_all_seeds_share_are_not_counted_as_often_as_there_are_seeds() -> None:
    """Three students that answer nearly alike know of 100 items, not of 300."""
    shared = only(*students("weak", 0.5, alike=0.98), *students("strong", 0.54, alike=0.98))
    one_seed = only(students("weak", 0.5, alike=0.98)[0], students("strong", 0.54, alike=0.98)[0])

    width = shared.difference.high - shared.difference.low
    assert width > 0.75 * (one_seed.difference.high - one_seed.difference.low)


def test_one_result_beside_many_seeds_is_one_checkpoint() -> None:
    untouched = students("untouched", 0.5, seeds=1)

    one = only(*untouched, *students("sft", 0.6))

    assert (one.design, one.difference.method) == ("one against many", "seeds x items")
    assert one.covers == "other seeds and other items, beside this one checkpoint of untouched"
    assert len(one.by_seed) == 3


def test_one_checkpoint_on_every_seeds_items_is_still_one() -> None:
    untouched = [
        Eval(each.path, each.items, each.manifest.model_copy(update={"fingerprint": "weights"}))
        for each in students("untouched", 0.5, own=True)
    ]

    one = only(*untouched, *students("sft", 0.6, own=True))

    assert one.design == "nested"
    assert one.covers == "other seeds with items of their own, beside this one checkpoint of untouched"


def test_the_same_result_given_thrice_says_no_more_than_once() -> None:
    a, b = rights(60, 20), [False] * 12 + rights(48, 24)
    once = only(in_memory("a", "a", 0, {"t": a}), in_memory("b", "b", 0, {"t": b}))

    comparison = compare(
        [in_memory(f"{name}-{seed}", name, seed, {"t": v}) for name, v in (("a", a), ("b", b)) for seed in range(3)]
    )

    [one] = comparison.differences
    assert (one.p, one.difference, one.design) == (once.p, once.difference, "one seed each")
    assert "a: seeds 1, 2 repeat the results of seed 0 and count as one with it" in comparison.notes


def test_means_that_differ_by_a_rounding_error_show_nothing() -> None:
    thirds = [[1 / 3, 2 / 3, 0.1, 0.2], [2 / 3, 1 / 3, 0.2, 0.1], [0.1, 0.2, 2 / 3, 1 / 3]]
    evals = [
        in_memory(f"{name}-{seed}", name, seed, {"t": [value + shift for value in row]})
        for name, shift in (("a", 0.1), ("b", 0.1 - 3e-17))
        for seed, row in enumerate(thirds)
    ]

    one = only(*evals)

    assert one.verdict == "not shown"
    assert one.p > 0.9
    assert one.difference.high - one.difference.low > 0.05


@pytest.mark.parametrize(("n", "right"), [(1, 1), (5, 5), (5, 0)])
def test_few_items_that_agree_have_an_interval(n: int, right: int) -> None:
    worst, all_alike = rights(n, 0), rights(n, right)

    one = only(in_memory("a", "a", 0, {"t": worst}), in_memory("b", "b", 0, {"t": all_alike}))
    shares = interval_of([Item(id=str(place), correct=0.5) for place in range(n)])

    assert one.difference.high - one.difference.low > 0.5
    assert shares.high - shares.low > 0.3


def test_two_seeds_have_a_wide_interval() -> None:
    two = only(*students("weak", 0.3, 2, own=True), *students("strong", 0.5, 2, own=True))
    four = only(*students("weak", 0.3, 4, own=True), *students("strong", 0.5, 4, own=True))

    assert two.difference.high - two.difference.low > 2 * (four.difference.high - four.difference.low)


def test_figures_over_seeds_have_their_designs_method() -> None:
    crossed = compare(students("a", 0.5)).figures[0].accuracy
    nested = compare(students("a", 0.5, own=True)).figures[0].accuracy
    alone = compare(students("a", 0.5, seeds=1)).figures[0].accuracy

    assert [each.method for each in (crossed, nested, alone)] == ["seeds x items", "t over seeds", "wilson"]
    assert all(0 <= each.low < each.value < each.high <= 1 for each in (crossed, nested, alone))


@pytest.mark.parametrize("right", [1.0, 0.0])
@pytest.mark.parametrize(("shared", "answers"), [(True, 20), (False, 5 * 20)])
def test_answers_that_are_all_alike_have_wilsons_interval(right: float, shared: bool, answers: int) -> None:
    """Those of all seeds to one item count once, those to items of their own one by one."""
    bounds = accuracy_bounds([np.full(20, right)] * 5, shared)

    assert bounds == pytest.approx(wilson(int(answers * right), answers), abs=1e-12)


def test_an_accuracy_of_few_wrong_items_is_no_narrower_than_wilsons_of_as_many_answers() -> None:
    values = np.ones((5, 20))
    values[:4, 0] = values[0, 1] = 0  # 5 of 100 answers are wrong, nearly all of them to one item

    low, high = accuracy_bounds(list(values), shared=True)
    parts = over_seeds_and_items(values, 1.0)

    as_many = 0.95 * 0.05 / float(parts.seed + parts.item)
    z = float(reach_of(parts, 0.05)) / np.sqrt(float(parts.seed + parts.item))
    assert 1 < as_many < 100
    assert low == pytest.approx(score_bounds(0.95, as_many, z).low)
    assert low < 0.95 - float(reach_of(parts, 0.05)) < 0.95 < high <= 1


def test_differences_of_few_items_are_of_no_smaller_spread_than_one_item_makes() -> None:
    none = only(*students("one", 2.0, n=300), *students("other", 2.0, n=300))
    assert none.difference.high == -none.difference.low > 0.008, "the rule of three: 3 of 300"
    assert none.detectable is not None
    assert none.detectable > 0.01


def test_a_claim_is_at_its_own_level_and_what_is_exploratory_at_five_percent() -> None:
    """Of two claims the clearer one is decided first, at half the level; both could show what half the level shows."""
    evals = [*students("weak", 0.5), *students("strong", 0.7), *students("other", 0.51)]
    clear = Claim(name="clear", arm="strong", control="weak", task="t")
    vague = Claim(name="vague", arm="other", control="weak", task="t")

    alone = only(*students("weak", 0.5), *students("strong", 0.7))
    one, two = compare(evals, claims=[clear, vague]).claims

    parts = over_seeds_and_items(values_SN(students("strong", 0.7)) - values_SN(students("weak", 0.5)), 2.0)
    assert alone.level == 0.95
    assert alone.detectable == pytest.approx(detectable_parts(parts, 0.05, 0.8))
    assert (one.level, two.level) == (0.975, 0.95)
    assert one.detectable == pytest.approx(detectable_parts(parts, 0.025, 0.8))
    assert one.difference.high - one.difference.value == pytest.approx(float(reach_of(parts, 0.025)))


def test_of_one_seed_there_is_no_seed_by_itself_and_shares_have_the_floor_of_their_span() -> None:
    same = {"t": [0.5] * 40}
    one = only(in_memory("a", "a", 0, same), in_memory("b", "b", 0, same))
    expected = ByT.of(over_items(np.zeros(40), 2.0))
    assert one.by_seed == ()
    assert (one.difference.low, one.difference.high) == pytest.approx(expected.interval())


def test_beside_one_checkpoint_that_has_hardly_an_item_wrong_equal_students_are_not_worse() -> None:
    """Each of twelve seeds has other items wrong; what one checkpoint's few mistakes are worth, no seed tells."""
    base = in_memory("base", "base", 0, {"t": [True] * 50})
    wrong = [{"t": [place not in (seed, seed + 12) for place in range(50)]} for seed in range(12)]
    seeds = [in_memory(f"a-{seed}", "a", seed, rights) for seed, rights in enumerate(wrong)]

    one = only(base, *seeds)

    assert (one.design, one.verdict) == ("one against many", "not shown")
    assert one.difference.value == pytest.approx(-0.04)
    parts = over_seeds_and_items(np.array([np.array(each["t"]) - 1.0 for each in wrong]), 2.0)
    assert p_of(parts) < 0.01, "as it would be called if the seeds' spread were all"


def test_a_figure_lists_its_seeds_where_there_are_several() -> None:
    several, single = students("a", 0.5, seeds=2), students("a", 0.5, seeds=1)
    by_seed = compare(several).figure("a", "t").by_seed
    assert [seed for seed, _ in by_seed] == [0, 1]
    assert compare(single).figure("a", "t").by_seed == ()
