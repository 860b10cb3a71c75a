"""What stands in study.json beside the figures: whether a claim's sign was found, and of which seeds it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from errata.evals.compare import compare
from errata.evals.results import MANIFEST, read_eval
from errata.studies.recipe import load_study
from errata.studies.results import claim_rows, claims_of, compare_study, counts, write_results
from tests.report.planted import plant_eval, questions, right_at, training
from tests.studies.study_data import written

RATES = {"untouched": 0.2, "sft": 0.2, "more": 0.9}


def judged(
    tmp_path: Path, seeds: tuple[int, ...], tokens: dict[str, int] | None = None, **claim: Any
) -> list[dict[str, Any]]:
    """The claims of a small study whose evals are planted: every seed of the untouched student answers alike."""
    claims = [{"name": "more", "arm": "more", "control": "sft"} | claim]
    study = load_study(written(tmp_path, seeds=list(seeds), claims=claims))
    for seed in seeds:
        for name, rate in RATES.items():
            evals = study.home / f"base/seed-{seed}/evals"
            right = right_at((rate,), name if name == "untouched" else f"{name}{seed}")
            trained = None if name == "untouched" else training("sft", seed, (tokens or {}).get(name, 48_000))
            tasks = {"classroom_id": questions("id", 60)}
            path = plant_eval(
                evals, f"{name}-greedy", right, tasks=tasks, label=name, baseline=trained is None, trained=trained
            )
            manifest = orjson.loads((path / MANIFEST).read_bytes())
            (path / MANIFEST).write_bytes(orjson.dumps(manifest | {"replicate": seed}))
    rows = claim_rows(study, compare_study(study))
    assert write_results(study, compare_study(study))["claims"] == rows
    return rows


@pytest.mark.parametrize(
    ("arm", "control", "sign", "verdict", "expected"),
    [
        ("more", "sft", "+", "better", True),
        ("more", "sft", "-", "better", False),
        ("more", "sft", "0", "better", False),
        ("sft", "more", "-", "worse", True),
        ("sft", "more", "0", "worse", False),
        ("sft", "untouched", "+", "not shown", None),
        ("sft", "untouched", "0", "not shown", None),
    ],
)
def test_a_sign_is_found_or_another_or_none(
    tmp_path: Path, arm: str, control: str, sign: str, verdict: str, expected: bool | None
) -> None:
    [row] = judged(tmp_path, (0,), arm=arm, control=control, sign=sign)
    assert (row["verdict"], row["as_claimed"]) == (verdict, expected)
    words = {
        True: "1 shown as claimed, 0 shown otherwise, 0 not shown",
        False: "0 shown as claimed, 1 shown otherwise, 0 not shown",
        None: "0 shown as claimed, 0 shown otherwise, 1 not shown",
    }
    assert counts([row]) == words[expected]


@pytest.mark.parametrize("seeds", [(3,), (3, 5)])
def test_a_claim_names_its_seeds_where_it_has_one_alone_too(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    [row] = judged(tmp_path, seeds, control="untouched")
    assert row["seeds"] == list(seeds)


def test_seeds_that_repeat_another_are_not_counted_beside_an_arm(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, claims=[]))
    judged(tmp_path, (0, 1))
    arms = write_results(study, compare_study(study))["arms"]
    assert {arm["arm"]: arm["seeds"] for arm in arms} == {"untouched": [0], "sft": [0, 1], "more": [0, 1]}


def test_beside_the_claims_stand_all_other_differences_and_what_a_provider_lost(tmp_path: Path) -> None:
    judged(tmp_path, (0, 1))
    lesson = {"recipe": {"problems": {"source": "classroom"}}, "sits_exam": False, "vary": {}}
    study = load_study(written(tmp_path, claims=[], data={"l": lesson}))
    manifest = study.home / "data/l/manifest.json"
    manifest.parent.mkdir(parents=True)
    for failed, notes in (
        ({}, []),
        ({"ada: 500": 2, "ada: 503": 1}, ["lesson l: 3 of 60 problems were lost to a provider"]),
    ):
        manifest.write_bytes(orjson.dumps({"problems": {"total": 60, "failed": failed}}))
        results = write_results(study, compare_study(study))
        assert [note for note in results["notes"] if "lost" in note] == notes
    pairs = [(each["arm"], each["against"]) for each in results["exploratory"]]
    assert pairs == [("sft", "untouched"), ("more", "untouched"), ("more", "sft")]


@pytest.mark.parametrize(
    ("equal", "more", "expected"),
    [
        ("rows", 51_000, ({"rows": None}, {"target_tokens": [51_000.0, 48_000.0]})),
        ("target_tokens", 51_000, ({"target_tokens": False}, {})),
        ("target_tokens", 50_000, ({"target_tokens": True}, {})),
    ],
)
def test_sizes_are_alike_within_five_percent_and_said_where_they_are_not(
    tmp_path: Path, equal: str, more: int, expected: tuple[Any, Any]
) -> None:
    [row] = judged(tmp_path, (0,), {"sft": 48_000, "more": more}, equal=[equal])
    assert (row["equal"], row["differs"]) == expected


def test_an_arms_size_is_the_mean_of_its_seeds_and_not_known_where_one_is_not(tmp_path: Path) -> None:
    judged(tmp_path, (0, 1))
    study = load_study(written(tmp_path, claims=[]))
    file = study.home / "base/seed-1/evals/sft-greedy" / MANIFEST
    manifest = orjson.loads(file.read_bytes())
    for tokens, expected in ((52_000, 50_000.0), (None, None)):
        manifest["training"]["target_tokens"] = tokens
        file.write_bytes(orjson.dumps(manifest))
        arms = write_results(study, compare_study(study))["arms"]
        assert {arm["arm"]: arm["target_tokens"] for arm in arms} == {
            "untouched": None,
            "sft": expected,
            "more": 48_000.0,
        }


def test_claims_of_evals_alone_name_their_seed_too(tmp_path: Path) -> None:
    judged(tmp_path, (4,))
    home = tmp_path / "runs/small/base/seed-4/evals"
    claim = next(iter(claims_of(load_study(written(tmp_path))).values()))[1]
    compared = compare([read_eval(home / f"{name}-greedy") for name in ("sft", "more")], claims=[claim])
    assert [row["seeds"] for row in compared.claim_records()] == [[4]]
