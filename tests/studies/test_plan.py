"""What a claim could show is what simulated studies of that size do show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from errata.errors import UsageError
from errata.steps.record import Finish, append
from errata.studies.plan import Assumptions, assumptions_of, could_show, plan_study, seeds_for
from errata.studies.recipe import load_study
from errata.studies.steps import steps_of
from tests.studies.study_data import written


@pytest.fixture(autouse=True)
def _rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the study's arms learn from."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").touch()


BASE = {"base": {"model": "somewhere/student"}}


@pytest.mark.parametrize(("seeds", "items", "claims"), [(3, 200, 1), (5, 1000, 4), (12, 500, 12)])
def test_a_difference_that_could_show_shows_with_a_power_of_80(seeds: int, items: int, claims: int) -> None:
    from scipy.stats import t

    assumed = Assumptions(seed_sd=0.02, discordant=0.2)
    difference = could_show(seeds, items, claims, False, assumed)
    random = np.random.default_rng(3)
    spread = np.sqrt(assumed.seed_sd**2 + assumed.discordant / items)
    means = difference + spread * random.standard_normal((20_000, seeds))
    statistic = means.mean(1) / (means.std(1, ddof=1) / np.sqrt(seeds))
    power = (2 * t.sf(np.abs(statistic), seeds - 1) < 0.05 / claims).mean()
    assert power == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize(("seeds", "items", "claims"), [(3, 300, 3), (2, 300, 3), (5, 200, 12)])
def test_on_shared_items_it_shows_by_the_method_by_which_claims_are_judged(seeds: int, items: int, claims: int) -> None:
    from errata.evals.estimate import over_seeds_and_items
    from errata.evals.two_parts import p_of

    assumed = Assumptions(seed_sd=0.02, discordant=0.2, lasting=0.4)
    difference = could_show(seeds, items, claims, True, assumed)
    random = np.random.default_rng(4)
    lasting, rest = np.sqrt(assumed.discordant * np.array([assumed.lasting, 1 - assumed.lasting]))
    values_XSN = (
        difference
        + assumed.seed_sd * random.standard_normal((2000, seeds, 1))
        + lasting * random.standard_normal((2000, 1, items))
        + rest * random.standard_normal((2000, seeds, items))
    )
    power = (p_of(over_seeds_and_items(values_XSN, 2.0)) < 0.05 / claims).mean()
    assert power == pytest.approx(0.8, abs=0.03)


def test_more_seeds_claims_and_shared_items_change_it_as_they_should() -> None:
    plain = could_show(5, 500, 1, False, Assumptions())
    assert could_show(10, 500, 1, False, Assumptions()) < plain
    assert could_show(5, 500, 10, False, Assumptions()) > plain
    assert could_show(50, 500, 1, True, Assumptions()) > could_show(50, 500, 1, False, Assumptions())
    found = seeds_for(0.02, 1000, 12, False, Assumptions())
    assert found is not None
    assert (
        could_show(found, 1000, 12, False, Assumptions())
        <= 0.02
        < could_show(found - 1, 1000, 12, False, Assumptions())
    )
    assert seeds_for(0.001, 100, 12, True, Assumptions(lasting=1.0)) is None


def test_a_plan_counts_steps_items_and_claims_and_makes_nothing(tmp_path: Path) -> None:
    planned = plan_study(load_study(written(tmp_path)), ["seed_sd=0.01"])
    assert planned["steps"] == {"train": {"all": 4, "done": 0}, "eval": {"all": 2, "done": 0}}
    assert planned["items"] == {"classroom_id": 8}
    assert [claim["name"] for claim in planned["claims"]] == ["more is better"]
    assert planned["hours"]["left"] is None
    assert (planned["answers"], planned["optimizer_steps"], planned["cost_usd"]) == (8 * 3 * 2, 2 * 2 * 2, 0)
    assert not (tmp_path / "runs").exists()
    assert planned["notes"] == []
    (tmp_path / "rows.jsonl").rename(tmp_path / "row.jsonl")
    (note,) = plan_study(load_study(written(tmp_path)))["notes"]
    assert note == "data.rows.paths: nothing is at rows.jsonl; did you mean row.jsonl?"


def test_the_claims_of_several_students_are_one_family(tmp_path: Path) -> None:
    students = {name: {"model": name} for name in ("small", "large")}
    one, two = (plan_study(load_study(written(tmp_path, **more)))["claims"] for more in ({}, {"students": students}))
    assert [claim["name"] for claim in two] == ["more is better, small", "more is better, large"]
    assert (two[0]["arm"], two[0]["control"]) == ("small:more", "small:sft")
    assert [claim["could_show"] for claim in (*one, *two)] == [None, None, None], "two seeds of 8 items show nothing"
    plans = (
        plan_study(load_study(written(tmp_path, seeds=list(range(9)), students=each))) for each in (BASE, students)
    )
    expected = [could_show(9, 8, claims, True, Assumptions()) for claims in (1, 2)]
    assert [plan["claims"][0]["could_show"] for plan in plans] == expected
    assert expected[0] < expected[1] < 1


def test_a_plan_counts_what_is_done_its_time_and_what_lessons_cost(tmp_path: Path) -> None:
    lesson = {
        "problems": {"source": "classroom", "options": {"count": 3}},
        "stages": ["rationales"],
        "agents": {"teachers": [{"name": "ada", "model": "simulated/ada", "price": {"prompt": 0, "completion": 1e6}}]},
        "settings": {"rationales": {"samples": 1, "sampling": {"max_tokens": 10}}},
    }
    study = load_study(written(tmp_path, data={"l": {"recipe": lesson, "sits_exam": False}}))
    first = plan_study(study)
    assert first["steps"]["lesson"] == {"all": 2, "done": 0}
    (row,) = first["lessons"]
    assert row["runs"] == 2
    assert first["cost_usd"] == pytest.approx(2 * row["cost_usd"])
    assert first["cost_usd"] > 0

    steps = steps_of(study)
    for name in [name for name in steps if "seed-0" in name]:
        for place in (steps[name].out, *(steps[name].out / each for each in steps[name].leaves)):
            place.mkdir(parents=True, exist_ok=True)
        append(study.home, Finish(name, steps[name].inputs, 0, 900.0, 1.0, 7200.0))
    half = plan_study(study)
    assert half["steps"] == {
        "lesson": {"all": 2, "done": 1},
        "train": {"all": 4, "done": 2},
        "eval": {"all": 2, "done": 1},
    }
    assert (half["hours"]["spent"], half["hours"]["left"]) == (2.0, 4 * 900 / 3600 / half["together"])
    open_price = {"name": "ada", "model": "openai/nobody-knows-this", "api_base": "http://127.0.0.1:1/v1"}
    lesson["agents"] = {"teachers": [open_price]}
    (tmp_path / "other").mkdir()
    assert plan_study(load_study(written(tmp_path / "other", data={"l": {"recipe": lesson}})))["cost_usd"] is None


def test_decodings_that_draw_alike_decode_once_and_open_lengths_are_not_counted(tmp_path: Path) -> None:
    drawn = {"samples": 4, "temperature": 0.7}
    evals = {
        "tasks": {"classroom_id": {"options": {"count": 8}}},
        "decodings": {"share": drawn, "majority": drawn | {"vote": "majority"}, "greedy": {}},
    }
    arms = {"sft": {"method": "sft", "flags": {"max_steps": -1}}}
    planned = plan_study(load_study(written(tmp_path, evals=evals, arms=arms, claims=[])))
    assert planned["answers"] == 8 * (4 + 1) * 2 * 2
    assert planned["optimizer_steps"] is None


@pytest.mark.parametrize("text", ["seedsd=1", "seed_sd=x", "discordant=2"])
def test_an_assumption_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="known: seed_sd, discordant, lasting"):
        assumptions_of([text])


def test_one_seed_shows_what_its_items_show_and_what_never_varies_is_always_shown() -> None:
    from scipy.stats import norm

    known = (norm.isf(0.05 / 3 / 2) + norm.isf(0.2)) * np.sqrt(0.2 / 3000)
    for shared in (True, False):
        assert could_show(1, 3000, 3, shared, Assumptions()) == pytest.approx(known, rel=2e-3)
        still = Assumptions(seed_sd=0.0, discordant=0.0)
        assert could_show(5, 100, 3, shared, still) == 0.0
        assert seeds_for(0.02, 100, 3, shared, still) == 2


def test_the_work_of_several_students_adds_up(tmp_path: Path) -> None:
    students = {name: {"model": name} for name in ("small", "large")}
    one, two = (plan_study(load_study(written(tmp_path, **more))) for more in ({}, {"students": students}))
    for name in ("answers", "optimizer_steps"):
        assert two[name] == 2 * one[name] > 0
