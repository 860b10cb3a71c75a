"""Comparisons are paired, say how sure they are, and refuse what does not belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest

from errata.errors import UsageError
from errata.evals.compare import compare
from tests.evals.eval_dirs import eval_dir, rights


def test_where_nothing_differs_the_smallest_difference_that_would_show_is_told(tmp_path: Path) -> None:
    paths = [eval_dir(tmp_path, name, {"t": rights(40, 20)}) for name in ("a", "b")]

    comparison = compare(paths).differences[0]

    assert comparison.verdict == "not shown"
    assert comparison.p == 1.0
    assert comparison.detectable is not None
    assert 0.1 < comparison.detectable < 0.3


def test_differences_to_one_arm_point_away_from_it(tmp_path: Path) -> None:
    paths = [eval_dir(tmp_path, name, {"t": rights(20, right)}) for name, right in (("a", 5), ("b", 9), ("c", 14))]

    comparison = compare(paths, against="b").differences

    assert [(each.arm, each.against) for each in comparison] == [("a", "b"), ("c", "b")]
    assert [each.difference.value for each in comparison] == pytest.approx([-0.2, 0.25])
    assert comparison[0].difference.low < -0.2
    assert (comparison[0].only_arm, comparison[0].only_against) == (0, 4)


# ---- item sets -------------------------------------------------------------------------------------------------------


def test_item_sets_that_differ_are_refused_with_the_first_missing_ids(tmp_path: Path) -> None:
    paths = [eval_dir(tmp_path, "all", {"t": rights(9, 4)}), eval_dir(tmp_path, "some", {"t": rights(5, 4)})]

    with pytest.raises(UsageError) as raised:
        compare(paths)

    assert "lacks 4 items" in raised.value.found
    assert "t-5, t-6, t-7, ..." in raised.value.found
    assert raised.value.exit_code == 2


def test_a_task_that_one_lacks_is_refused_unless_left_out(tmp_path: Path) -> None:
    paths = [
        eval_dir(tmp_path, "two", {"x": rights(9, 4), "y": rights(9, 4)}, baseline=True),
        eval_dir(tmp_path, "one", {"x": rights(9, 5)}),
    ]

    with pytest.raises(UsageError, match="one has no item of y: y-0, y-1, y-2"):
        compare(paths)
    comparison = compare(paths, tasks=["x"])
    assert comparison.tasks == ("x",)
    assert comparison.mistakes() == []
    with pytest.raises(UsageError, match="no task is called z"):
        compare(paths, tasks=["z"])


def test_another_gold_answer_is_refused(tmp_path: Path) -> None:
    paths = [eval_dir(tmp_path, name, {"t": rights(9, 4)}) for name in ("a", "b")]
    items = paths[1] / "items.jsonl"
    items.write_text(items.read_text().replace('"gold":"4"', '"gold":"5"', 1))

    with pytest.raises(UsageError, match="t-0: the gold answer is '5' in"):
        compare(paths)


def test_results_of_other_tools_stand_beside_ours(tmp_path: Path) -> None:
    ours = eval_dir(tmp_path, "ours", {"t": rights(20, 8)})
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text("".join(f'{{"id": "t-{n}", "correct": {int(n < 15)}}}\n' for n in reversed(range(20))))

    comparison = compare([ours, theirs])

    assert comparison.tasks == ("t",)
    assert comparison.differences[0].difference.value == pytest.approx(7 / 20)
    assert comparison.differences[0].difference.method == "paired score"
    assert comparison.figure("theirs", "t").accuracy.method == "wilson"


# ---- seeds -----------------------------------------------------------------------------------------------------------


def seeded(folder: Path, label: str, chance: float, seeds: range, n: int = 200, own_items: bool = False) -> list[Path]:
    hardness = np.random.default_rng(99).random(n)
    paths = []
    for seed in seeds:
        task = "t"
        dice = np.random.default_rng([seed, round(1000 * chance)])
        values = [bool(x) for x in hardness + dice.normal(0, 0.1, n) < chance]
        path = eval_dir(folder, f"{label}-{seed}", {task: values}, seed=seed, label=label)
        if own_items:
            file = path / "items.jsonl"
            file.write_text(file.read_text().replace('"id":"t-', f'"id":"s{seed}-'))
        paths.append(path)
    return paths


@pytest.mark.parametrize("own_items", [False, True])
def test_seeds_of_a_label_are_one_arm_and_are_compared_seed_by_seed(tmp_path: Path, own_items: bool) -> None:
    seeds = range(4)
    paths = seeded(tmp_path, "weak", 0.4, seeds, own_items=own_items)
    paths += seeded(tmp_path, "strong", 0.6, seeds, own_items=own_items)

    comparison = compare(paths)

    difference = comparison.differences[0]
    assert [arm.name for arm in comparison.arms] == ["weak", "strong"]
    assert [seed for seed, _ in difference.by_seed] == [0, 1, 2, 3]
    assert difference.verdict == "better"
    assert difference.design == ("nested" if own_items else "crossed")
    assert difference.difference.value == pytest.approx(np.mean([one.value for _, one in difference.by_seed]))
    figure = comparison.figure("weak", "t")
    assert figure.accuracy.low < figure.accuracy.value < figure.accuracy.high


def test_one_untouched_student_stands_beside_every_seed(tmp_path: Path) -> None:
    untouched = eval_dir(tmp_path, "untouched", {"t": rights(200, 60)}, baseline=True)

    comparison = compare([*seeded(tmp_path, "sft", 0.6, range(3)), untouched])

    assert [arm.name for arm in comparison.arms] == ["untouched", "sft"]
    assert len(comparison.differences[0].by_seed) == 3
    assert comparison.differences[0].against == "untouched"


def test_two_seeds_are_told_with_what_they_cannot_tell(tmp_path: Path) -> None:
    paths = seeded(tmp_path, "weak", 0.3, range(2)) + seeded(tmp_path, "strong", 0.6, range(2))

    comparison = compare(paths)

    assert len(comparison.differences[0].by_seed) == 2
    assert "weak: two seeds hardly tell how far seeds differ" in comparison.notes[0]


def test_an_arm_without_seeds_is_one_draw_and_said_so(tmp_path: Path) -> None:
    paths = seeded(tmp_path, "sft", 0.6, range(3)) + seeded(tmp_path, "plain", 0.4, range(1))

    comparison = compare(paths)

    assert "plain: one result is one draw; what is said of it is about this checkpoint" in comparison.notes


def test_arms_of_different_seeds_are_refused(tmp_path: Path) -> None:
    paths = seeded(tmp_path, "weak", 0.4, range(3)) + seeded(tmp_path, "strong", 0.6, range(1, 4))

    with pytest.raises(UsageError, match="strong has the seeds 1, 2, 3, weak has 0, 1, 2"):
        compare(paths)


def test_a_seed_that_stands_twice_is_refused(tmp_path: Path) -> None:
    paths = seeded(tmp_path / "one", "sft", 0.4, range(2)) + seeded(tmp_path / "two", "sft", 0.6, range(1))

    with pytest.raises(UsageError, match="2 directories of seed 0"):
        compare(paths)


def test_mistakes_cured_and_introduced_are_added_up_over_seeds(tmp_path: Path) -> None:
    untouched = eval_dir(tmp_path, "untouched", {"t": [False, False, True, True]}, baseline=True)
    sft = [
        eval_dir(tmp_path, f"sft-{seed}", {"t": [True, False, True, seed == 0]}, seed=seed, label="sft")
        for seed in (0, 1)
    ]
    for path in (untouched, *sft):
        items = path / "items.jsonl"
        items.write_text(items.read_text().replace('"split":"id"', '"split":"id","mistake":"calc"'))

    comparison = compare([untouched, *sft]).mistakes()

    assert comparison == [
        {"arm": "sft", "task": "t", "kind": "calc", "before": 4, "after": 3, "cured": 2, "introduced": 1, "moved": 0}
    ]


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_trainings_of_equal_size_are_told(tmp_path: Path) -> None:
    values = {"t": rights(20, 5)}
    paths = [
        eval_dir(tmp_path, "a", values, seed=0, target_tokens=1000, cost_usd=1.0),
        eval_dir(tmp_path, "b", values, seed=0, target_tokens=1030, cost_usd=2.0),
        eval_dir(tmp_path, "c", values),
    ]

    comparison = compare(paths)

    output = {(each.against, each.arm): (each.equal_tokens, each.equal_cost) for each in comparison.differences}
    assert output == {("a", "b"): (True, False), ("a", "c"): (None, None), ("b", "c"): (None, None)}


def test_only_trainings_of_equal_size_are_compared_where_asked(tmp_path: Path) -> None:
    values = {"t": rights(20, 5)}
    eval_dir(tmp_path, "base", values, baseline=True)
    for name, tokens, cost in (("a", 1000, 1.0), ("b", 1030, 2.0), ("c", 3000, 2.05)):
        eval_dir(tmp_path, name, values, seed=0, target_tokens=tokens, cost_usd=cost)
    paths = [tmp_path / name for name in ("base", "a", "b", "c")]

    comparison = {size: compare(paths, equal=size) for size in ("tokens", "cost")}

    output = {size: [(each.against, each.arm) for each in one.differences] for size, one in comparison.items()}
    assert output == {"tokens": [("a", "b")], "cost": [("b", "c")]}
    assert [arm.name for arm in comparison["tokens"].arms] == ["base", "a", "b"]
    assert {each.arm for each in comparison["cost"].figures} == {"base", "b", "c"}
    assert "equal cost" in comparison["cost"].notes[0]
    with pytest.raises(UsageError, match=r"no two arms of equal tokens: a 1,000, c 3,000, in target tokens"):
        compare([tmp_path / "a", tmp_path / "c"], equal="tokens")


def test_pandas_takes_the_records(tmp_path: Path) -> None:
    paths = [eval_dir(tmp_path, name, {"t": rights(20, right)}) for name, right in (("a", 5), ("b", 9))]
    comparison = compare(paths)

    differences, figures = pandas.DataFrame(comparison.records()), pandas.DataFrame(comparison.figure_records())

    assert differences.loc[0, "difference"] == pytest.approx(0.2)
    assert list(figures["accuracy"]) == [0.25, 0.45]
    assert {"low", "high", "p", "p_adjusted", "detectable", "claim", "design", "method"} <= set(differences.columns)


def test_decodings_of_one_model_are_told_apart(tmp_path: Path) -> None:
    paths = [
        eval_dir(tmp_path, "sft-greedy", {"t": rights(20, 5)}, label="sft"),
        eval_dir(tmp_path, "sft-maj5", {"t": rights(20, 9)}, label="sft", decoding="maj5"),
    ]

    assert [arm.name for arm in compare(paths).arms] == ["sft (greedy)", "sft (maj5)"]
