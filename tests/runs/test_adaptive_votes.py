"""Adaptive votes in whole runs: the same log whatever the order, fewer reviews, and what is refused and planned."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.cli import cli
from errata.errors import UsageError
from errata.grading.grader import Grader
from errata.graphs.vote_policy import replayed, without_votes
from errata.report.sections.verdicts import reviews_saved
from errata.runs.plan.estimate import estimate
from errata.runs.recipe import SynthRecipe, load_recipe
from errata.runs.run_dir import RunDir
from errata.runs.runner import synthesize
from errata.runs.status import status
from errata.runs.warmup import cases_in, read_warmup
from tests.small_runs import lines

BASE = """
problems: {source: classroom, gold: none}
stages: [rationales, peer_review]
agents:
  teachers:
    - {name: ada, model: "simulated/ada?misconceptions=5"}
    - {name: ben, model: simulated/ben}
    - {name: cleo, model: simulated/cleo}
settings: {peer_review: {votes: adaptive, warmup: 5, reviews_per_rationale: 0.4}}
limit: 14
"""


def recipe(folder: Path, *overrides: str) -> SynthRecipe:
    folder.mkdir(exist_ok=True)
    path = folder / "plain.yaml"
    path.write_text(BASE)
    return load_recipe(path, [f"runs={folder / 'runs'}", *overrides])


def texts(run: Path) -> list[bytes]:
    return sorted((run / "transcripts.jsonl").read_bytes().splitlines())


def reviewed(run: Path, *, warmup: bool, problems: int = 5) -> float:
    """Reviews per rationale of the warm-up's problems, or of the others."""
    chosen = [line for line in lines(run) if (line["problem"]["position"] < problems) is warmup]
    rationales = [each for line in chosen for each in line["rationales"]]
    return sum(len(each["reviews"]) for each in rationales) / len(rationales)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    summary = asyncio.run(synthesize(recipe(tmp_path_factory.mktemp("whole"))))
    assert summary.exit_code == 0
    return summary.run


SAMPLED = ("settings.peer_review.more_samples=1", "settings.peer_review.sample_price=0.5")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    summary = asyncio.run(synthesize(recipe(tmp_path_factory.mktemp("sampled"), *SAMPLED)))
    assert summary.exit_code == 0
    return summary.run


def test_the_whole_panel_reviews_the_warmup_and_few_reviews_are_made_of_the_others(whole: Path) -> None:
    assert reviewed(whole, warmup=True) == 2.0
    assert 0 < reviewed(whole, warmup=False) < 1.0
    policy = json.loads((whole / "manifest.json").read_text())["votes"]
    assert policy["price"] > 0
    assert sorted(policy["reviewers"]) == ["ada", "ben", "cleo"]


def test_accepted_is_what_is_estimated_right_with_or_without_a_review(whole: Path) -> None:
    judged = [each for line in lines(whole) for each in line["rationales"]]
    assert all(each["accepted"] is (each["estimated"] > 0.5) for each in judged if each.get("estimated") is not None)
    assert any(each["accepted"] and not each["reviews"] for each in judged)


def test_the_number_of_workers_changes_no_line(whole: Path, tmp_path: Path) -> None:
    other = asyncio.run(synthesize(recipe(tmp_path, "concurrency=1"))).run
    assert texts(other) == texts(whole)


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [(), SAMPLED], ids=["reviews", "reviews and samples"])
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_from_any_cut_of_the_log_the_run_ends_the_same(
    data: st.DataObject,
    overrides: tuple[str, ...],
    whole: Path,
    sampled: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """As after a kill: also with a cut within the warm-up, by which all later votes are asked for."""
    expected = sampled if overrides else whole
    log = (expected / "transcripts.jsonl").read_bytes()
    folder = tmp_path_factory.mktemp("cut")
    run = asyncio.run(synthesize(recipe(folder, "limit=1", *overrides))).run
    (run / "transcripts.jsonl").write_bytes(log[: data.draw(st.integers(0, len(log)))])

    assert texts(asyncio.run(synthesize(recipe(folder, *overrides))).run) == texts(expected)


def further(run: Path, *, warmup: bool) -> list[dict[str, Any]]:
    """Samples beyond the first, of the warm-up's problems or of the others."""
    chosen = [line for line in lines(run) if (line["problem"]["position"] < 5) is warmup]
    return [each for line in chosen for each in line["rationales"] if each["sample"] > 0]


def test_further_samples_are_all_written_in_the_warmup_and_some_where_undecided(sampled: Path) -> None:
    assert len(further(sampled, warmup=True)) == 5 * 3
    assert 0 < len(further(sampled, warmup=False)) < 9 * 3
    every = further(sampled, warmup=True) + further(sampled, warmup=False)
    assert not any(each["reviews"] for each in every)
    assert all(each["accepted"] is (None if each["dropped"] else each["estimated"] > 0.5) for each in every)
    assert any(each["accepted"] for each in every)


def test_order_and_number_of_workers_change_no_further_sample(sampled: Path, tmp_path: Path) -> None:
    other = asyncio.run(synthesize(recipe(tmp_path, "concurrency=1", *SAMPLED))).run
    assert texts(other) == texts(sampled)


async def test_a_run_asks_for_what_a_replay_over_all_votes_asks_for(sampled: Path, tmp_path: Path) -> None:
    """As benchmarks/further_votes.py has it."""
    every = recipe(tmp_path, "settings.peer_review.warmup=14", *SAMPLED)
    log = RunDir((await synthesize(every)).run).log
    async with Grader() as grader:
        cases = await cases_in(every, read_warmup(log, {line["problem"]["id"] for line in lines(sampled)}), grader)
    price, reviewers = json.loads((sampled / "manifest.json").read_text())["votes"].values()
    asked = {line["problem"]["id"]: votes_in(line["rationales"]) for line in lines(sampled)}
    later = [case for case in cases if case.problem.position >= 5]
    assert len(later) == 9
    for case in later:
        *_, last = without_votes(case), *(vote.case for vote in replayed(case, reviewers, 0.5) if vote.worth >= price)
        assert asked[case.problem.id] == votes_in([each.model_dump() for each in last.rationales])


def votes_in(rationales: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """The samples, and by whom each is reviewed."""
    samples = {(each["id"], "") for each in rationales}
    return samples | {(each["id"], review["reviewer"]) for each in rationales for review in each["reviews"]}


def test_further_samples_stand_in_plan_status_report_and_comparison(sampled: Path, tmp_path: Path) -> None:
    number = len(further(sampled, warmup=True)) + len(further(sampled, warmup=False))
    for shown in (["status", str(sampled)], ["accept", str(sampled), "--compare"]):
        assert f"further samples asked for: {number}" in " ".join(CliRunner().invoke(cli, shown).output.split())
        figures = json.loads(CliRunner().invoke(cli, [*shown, "--json"]).stdout)["reviews"]
        assert figures["samples"] == number
        assert figures["rationales"] == 14 * 3
    figure = reviews_saved(status(sampled))
    assert figure is not None
    assert ["further samples", number] in figure.table.rows
    rows = [row["calls"] for row in estimate(recipe(tmp_path, *SAMPLED))["rows"] if row["verb"] == "solve"]
    counted = {name: sum(row[name] for row in rows) - 14 * 3 for name in ("least", "expected", "most")}
    assert counted == pytest.approx({"least": 15, "expected": 15 + 9 * 3 * 0.4, "most": 14 * 3})


def test_a_run_that_goes_on_to_a_larger_limit_ends_the_same(whole: Path, tmp_path: Path) -> None:
    for limit in (3, 14):
        run = asyncio.run(synthesize(recipe(tmp_path, f"limit={limit}"))).run
    assert texts(run) == texts(whole)


def refused(folder: Path, *overrides: str) -> str:
    with pytest.raises(UsageError) as caught:
        recipe(folder, *overrides)
    return str(caught.value)


def test_what_has_no_meaning_is_refused(tmp_path: Path) -> None:
    assert "every problem has a gold answer" in refused(tmp_path, "problems.gold=all")
    assert "leave accept out" in refused(tmp_path, "settings.peer_review.accept={rule: min}")
    recipe(tmp_path, "problems.gold=some")
    assert "beside votes: all" in refused(tmp_path, "settings.peer_review.votes=all", SAMPLED[0])
    assert "would repeat the first" in refused(tmp_path, "settings.rationales.sampling.temperature=0", *SAMPLED)


def scores(plan: dict[str, Any]) -> dict[str, float]:
    rows = [row["calls"] for row in plan["rows"] if row["verb"] == "score"]
    return {name: sum(row[name] for row in rows) for name in ("least", "expected", "most")}


def test_the_plan_counts_the_warmup_whole_and_the_others_as_the_recipe_wants(whole: Path, tmp_path: Path) -> None:
    made = recipe(tmp_path)
    told = estimate(made)
    warmup, others = 5 * 3 * 2, 9 * 3
    assert scores(told) == pytest.approx(
        {"least": warmup, "expected": warmup + 0.4 * others, "most": warmup + 2 * others}
    )
    assert any("votes are adaptive" in note for note in told["notes"])
    asked = sum(call["verb"] == "score" for line in lines(whole) for call in line["calls"])
    assert warmup <= asked <= warmup + 2 * others

    piloted = estimate(made, pilot=2)
    assert scores(piloted)["expected"] == pytest.approx(warmup + 0.4 * others)


def test_what_was_saved_is_shown_by_status_and_comparison(whole: Path) -> None:
    for shown in (["status", str(whole)], ["accept", str(whole), "--compare"]):
        assert "fewer than by the whole panel on each" in " ".join(CliRunner().invoke(cli, shown).output.split())
        figures = json.loads(CliRunner().invoke(cli, [*shown, "--json"]).stdout)["reviews"]
        assert figures["per_rationale"] + figures["saved_per_rationale"] == pytest.approx(2.0)
