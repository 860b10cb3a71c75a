"""Claims are named before, found among the arms, and corrected for one another; the rest is exploratory."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.evals.claims import Claim, read_claims, unique
from errata.evals.compare import compare
from errata.evals.comparison import Comparison
from errata.evals.recipe import EvalRecipe
from tests.evals.eval_dirs import eval_dir, rights

GAIN = Claim(name="gain", arm="b", control="a", task="x")
OTHER = Claim(name="other", arm="c", control="a", task="x")


def three(folder: Path, claims: tuple[Claim, ...] = ()) -> list[Path]:
    rates = (("a", 20, 20), ("b", 27, 26), ("c", 20, 20))
    return [eval_dir(folder, name, {"x": rights(50, x), "y": rights(50, y)}, claims=claims) for name, x, y in rates]


def the(comparison: Comparison, name: str) -> object:
    return next(each for each in comparison.claims if each.claim == name)


def test_what_is_no_claim_is_exploratory_and_uncorrected(tmp_path: Path) -> None:
    differences = compare(three(tmp_path)).differences

    assert len(differences) == 6
    assert {(each.claim, each.p_adjusted, each.level) for each in differences} == {(None, None, 0.95)}
    assert differences[0].verdict == "better"


def test_claims_are_corrected_for_one_another_alone(tmp_path: Path) -> None:
    paths = three(tmp_path)

    alone = compare(paths, claims=[GAIN])
    both = compare(paths, claims=[GAIN, OTHER])

    [single], [first, second] = alone.claims, both.claims
    assert single.p_adjusted == single.p == first.p
    assert first.p_adjusted == pytest.approx(2 * first.p)
    assert second.p_adjusted == second.p
    assert (single.level, first.level, second.level) == pytest.approx((0.95, 0.975, 0.95))
    assert first.difference.low < single.difference.low
    assert (first.detectable or 0) > (single.detectable or 0)
    assert len(both.differences) == 6
    assert [each.claim for each in both.differences if {each.arm, each.against} == {"a", "b"}] == ["gain", None]


def test_a_correction_that_takes_the_verdict_takes_the_interval_with_it(tmp_path: Path) -> None:
    claims = [GAIN, *(Claim(name=f"null {n}", arm="c", control="a", task="x") for n in range(12))]

    [first, *_] = compare(three(tmp_path), claims=claims).claims

    assert first.p < 0.05 < (first.p_adjusted or 0)
    assert first.verdict == "not shown"
    assert first.difference.low < 0 < first.difference.high


def test_a_claim_points_from_its_control_to_its_arm(tmp_path: Path) -> None:
    turned = Claim(name="turned", arm="a", control="b", task="x")

    [one] = compare(three(tmp_path), claims=[turned]).claims

    assert (one.arm, one.against) == ("a", "b")
    assert one.difference.value < 0
    assert one.only_against == 7


def test_directories_carry_the_claims_of_their_recipe(tmp_path: Path) -> None:
    comparison = compare(three(tmp_path, (GAIN, OTHER)))

    assert [each.claim for each in comparison.claims] == ["gain", "other"]
    assert compare(three(tmp_path / "again", (GAIN,)), claims=[]).claims == ()


def test_claims_that_are_not_looked_at_are_corrected_for(tmp_path: Path) -> None:
    elsewhere = Claim(name="elsewhere", arm="d", control="a", task="x")
    on_y = Claim(name="on y", arm="b", control="a", task="y")

    comparison = compare(three(tmp_path, (GAIN, elsewhere, on_y)), tasks=["x"])

    [one] = comparison.claims
    assert one.p_adjusted == pytest.approx(3 * one.p)
    assert any("no arm is called d; not looked at, but corrected for" in note for note in comparison.notes)


def test_a_part_of_the_items_is_exploratory(tmp_path: Path) -> None:
    paths = three(tmp_path, (GAIN,))

    comparison = compare(paths, where={"split": "id"})

    assert comparison.claims == ()
    assert "all is exploratory" in comparison.notes[0]
    with pytest.raises(UsageError, match="claims with where or equal"):
        compare(paths, claims=[GAIN], where={"split": "id"})


def test_a_claim_about_one_of_several_decodings_names_it(tmp_path: Path) -> None:
    paths = [
        eval_dir(tmp_path, f"{name}-{decoding}", {"x": rights(50, right)}, label=name, decoding=decoding)
        for name, right in (("a", 10), ("b", 30))
        for decoding in ("greedy", "maj5")
    ]

    [one] = compare(paths, claims=[Claim(name="vote", arm="b", control="a", decoding="maj5")]).claims

    assert (one.arm, one.against, one.task) == ("b (maj5)", "a (maj5)", "x")
    with pytest.raises(UsageError, match=r"claim gain: several arms are called b"):
        compare(paths, claims=[GAIN])


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        (Claim(name="q", arm="b", control="z", task="x"), "claim q: no arm is called z"),
        (Claim(name="q", arm="b", control="a", task="z"), "claim q: no task is called z"),
        (Claim(name="q", arm="b", control="a"), "claim q names no task"),
    ],
)
def test_a_claim_about_what_is_not_there_is_refused(tmp_path: Path, claim: Claim, found: str) -> None:
    with pytest.raises(UsageError, match=found):
        compare(three(tmp_path), claims=[claim])


def test_one_name_for_two_claims_is_refused() -> None:
    assert unique([GAIN, OTHER, GAIN]) == [GAIN, OTHER]
    with pytest.raises(UsageError, match="two claims are called gain: b against a on x, and c against a on x"):
        unique([GAIN, OTHER.model_copy(update={"name": "gain"})])


def test_claims_stand_in_a_file_of_their_own_or_beside_others(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("seeds: [0]\nclaims: [{name: gain, arm: b, control: a, task: x}]\n")

    assert read_claims(file) == [GAIN]
    file.write_text("claims: [{name: gain, arm: b, versus: a}]\n")
    with pytest.raises(UsageError, match="versus"):
        read_claims(file)
    file.write_text("seeds: [0]\n")
    with pytest.raises(UsageError, match="claims"):
        read_claims(file)


def test_a_recipes_claims_are_about_its_tasks() -> None:
    models = [{"name": "tried", "label": "b", "model": "simulated/ben"}]
    recipe = {"name": "r", "run": "r", "baseline": {"name": "a", "model": "simulated/ada"}, "models": models}
    recipe["tasks"] = ["svamp"]

    with pytest.raises(ValueError, match="claim gain: no task is called x; "):
        EvalRecipe.model_validate({**recipe, "claims": [GAIN]})
    unnamed = GAIN.model_copy(update={"task": None})
    with pytest.raises(ValueError, match="claim gain names no task, and there are svamp, multiarith"):
        EvalRecipe.model_validate({**recipe, "tasks": ["svamp", "multiarith"], "claims": [unnamed]})
    for arm in ("tried", "bb", "a2"):
        with pytest.raises(ValueError, match=f"claim gain: no model is called {arm}; "):
            EvalRecipe.model_validate({**recipe, "claims": [GAIN.model_copy(update={"task": "svamp", "arm": arm})]})
    good = GAIN.model_copy(update={"task": "svamp"})
    assert EvalRecipe.model_validate({**recipe, "claims": [good]}).claims == (good,)
    with pytest.raises(ValueError, match="two claims are called gain"):
        EvalRecipe.model_validate({**recipe, "claims": [GAIN, {**GAIN.model_dump(), "arm": "c"}]})


def test_the_claims_of_a_study_are_read_without_what_only_the_study_needs(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        "arms: {}\nclaims:\n  - {name: n, arm: a, control: b, task: t, sign: '-', source: table 2, equal: [rows]}\n"
    )
    assert read_claims(path) == [Claim(name="n", arm="a", control="b", task="t")]


def test_a_claim_holds_one_arm_with_two_decodings_against_itself(tmp_path: Path) -> None:
    rates = {"weighted": 30, "majority": 20}
    folders = [eval_dir(tmp_path, name, {"x": rights(50, n)}, label="a", decoding=name) for name, n in rates.items()]
    claim = Claim(name="ASC over SC", arm="a", control="a", decoding="weighted", control_decoding="majority")

    [one] = compare(folders, claims=[claim]).claims

    assert (one.arm, one.against) == ("a (weighted)", "a (majority)")
    assert one.difference.value == pytest.approx(0.2)
