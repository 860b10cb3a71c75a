"""The estimate: exact where a graph has no branches, a bound elsewhere, near the truth at the true rates."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.text import Text

from errata.cli import cli
from errata.errors import UsageError
from errata.graphs.call_counts import Rates
from errata.runs.plan.estimate import estimate, rates_of
from errata.runs.plan.show import show
from errata.runs.progress import money
from errata.runs.runner import synthesize
from errata.runs.status import status
from errata.starter import DEMO
from tests.small_runs import lines, small

EXACT = [
    ["graph=exam", "settings={exam: {samples: 3}}"],
    ["graph=rationales", "settings={rationales: {samples: 2}}"],
    ["graph=peer_review", "settings={rationales: {samples: 2}}"],
    ["graph=lesson", "settings={}", "stages=[exam, rationales, peer_review]"],
]


@pytest.mark.parametrize("overrides", EXACT, ids=lambda overrides: overrides[0])
async def test_without_branches_the_estimate_is_exact(overrides: list[str], tmp_path: Path) -> None:
    recipe = small(tmp_path, *overrides, problems=5)
    told = estimate(recipe)["calls"]
    summary = await synthesize(recipe)

    asked = sum(len(line["calls"]) for line in lines(summary.run))
    assert told == {"least": asked, "expected": asked, "most": asked}


@pytest.mark.parametrize(
    ("overrides", "planned"),
    [
        ([], True),
        (["settings.dual_cot.review=false"], False),
        (["stages=[exam, rationales, dual_cot]"], False),
        (["stages=[exam, rationales, dual_cot]", "settings.dual_cot.review=true"], True),
    ],
)
def test_reviews_of_what_is_rectified_are_planned_where_a_panel_sits(
    overrides: list[str], planned: bool, tmp_path: Path
) -> None:
    rows = estimate(small(tmp_path, *overrides, problems=5))["rows"]
    assert any((row["stage"], row["verb"]) == ("dual_cot", "score") for row in rows) is planned


async def test_the_lesson_lies_within_its_bounds_and_near_the_truth_at_the_true_rates(tmp_path: Path) -> None:
    recipe = small(tmp_path, problems=40)
    run = (await synthesize(recipe)).run
    true = true_rates(lines(run))

    told = estimate(recipe, assume=[f"{name}={value}" for name, value in true.items()])

    asked, paid = status(run)["log"]["calls"], status(run)["calls"]["paid"]
    assert told["calls"]["least"] <= paid <= asked <= told["calls"]["most"]
    assert told["calls"]["expected"] == pytest.approx(asked, rel=0.15)
    # wrong samples of equal text are reviewed with the same words: asked twice, paid once
    true["repeated"] = 1 - paid / asked
    told = estimate(recipe, assume=[f"{name}={value}" for name, value in true.items()])
    assert told["calls"]["expected"] == pytest.approx(paid, rel=0.15)


def true_rates(log: list[dict[str, Any]]) -> dict[str, float]:
    def share(part: list[dict[str, Any]], key: str) -> float:
        return sum(bool(each[key]) for each in part) / max(len(part), 1)

    everything = [each for line in log for each in line["rationales"]]
    by_role = {role: [r for r in everything if r["role"] == role] for role in ("student", "teacher", "revised")}
    right = [r for r in by_role["teacher"] if r["correct"]]
    reviewed = [r for r in by_role["teacher"] if r["reviews"]]
    paired = {parent for line in log for pair in line["pairs"] for parent in (pair["right"], pair["wrong"])}
    rewrites = {role: [r for r in everything if r["role"] == role] for role in ("rectified", "corrupted")}
    return {
        "student_right": share(by_role["student"], "correct"),
        "teacher_right": share(by_role["teacher"], "correct"),
        "kept": 1 - share(right, "dropped"),
        "accepted": share(reviewed, "accepted"),
        "right_accepted": share([r for r in reviewed if r["correct"]], "accepted"),
        "revised_accepted": share(by_role["revised"], "accepted"),
        "revised_right": share(by_role["revised"], "correct"),
    } | {role: sum(r["id"] in paired for r in made) / max(len(made), 1) for role, made in rewrites.items()}


def test_a_pilot_measures_and_its_replies_are_not_paid_again(tmp_path: Path) -> None:
    whole = asyncio.run(synthesize(small(tmp_path / "whole", problems=36)))
    recipe = small(tmp_path, problems=36)

    told = estimate(recipe, pilot=12)

    assert not (tmp_path / "demo" / "transcripts.jsonl").exists()
    summary = asyncio.run(synthesize(recipe))
    paid, spent = whole.spent["all_runs"], summary.spent
    assert told["pilot"]["problems"] == 12
    assert told["calls"]["expected"] == pytest.approx(paid["paid"], rel=0.15)
    assert told["tokens"]["expected"] == pytest.approx(paid["prompt_tokens"] + paid["completion_tokens"], rel=0.15)
    # the pilot's payments are the run's: none is made twice, and none is missing from its figures
    assert spent["all_runs"]["paid"] == paid["paid"]
    assert spent["this_run"]["paid"] < paid["paid"] * 0.75


GARBLED = [
    *(f"agents.teachers.{place}.model=simulated/{name}?garble=0.4" for place, name in enumerate(("ada", "ben"))),
    "agents.teachers.0.price={prompt: 0, completion: 100}",
]


def test_a_pilot_measures_unreadable_replies_fresh_tries_tokens_and_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = small(tmp_path, "graph=peer_review", "settings={}", *GARBLED, problems=24)
    blind = estimate(recipe)

    told = estimate(recipe, pilot=12)

    assert any("0 unreadable replies are assumed" in note for note in blind["notes"])
    assert blind["left"]["duration_s"] is None
    rows = {(row["agent"], row["verb"]): row for row in told["pilot"]["replies"]}
    score = rows["ada", "score"]
    assert score["unreadable"] >= score["fresh_tries"] > 0
    assert 0.2 < score["unreadable"] / score["replies"] < 0.6
    assert rows["cleo", "score"]["unreadable"] == 0
    assert score["fresh_usd"] > 0 == rows["ben", "score"]["fresh_usd"]
    assert score["seconds_per_call"] > 0
    assert told["left"]["duration_s"] > 0
    paid = asyncio.run(synthesize(recipe)).spent["all_runs"]["paid"]
    assert told["calls"]["expected"] == pytest.approx(paid, rel=0.15)
    assert blind["calls"]["expected"] < 0.9 * paid
    assert told["calls"]["most"] >= blind["calls"]["most"] + blind["fresh_tries_at_most"]
    assert any("could not be read" in note for note in told["notes"])
    show(told)
    assert "Measured by the pilot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "problems"), [(["--pilot"], 5), (["--pilot", "2"], 2), (["--pilot=3"], 3), ([], None)]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_pilot_takes_a_number_or_none(
    monkeypatch: pytest.MonkeyPatch, words: list[str], problems: int | None, first: bool
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("errata.runs.plan.estimate.estimate", lambda recipe, **how: asked.append(how["pilot"]) or {})
    named = [str(DEMO), "limit=2", "--json"]

    result = CliRunner().invoke(cli, ["plan", *(words + named if first else named + words)])

    assert (result.exit_code, asked) == (0, [problems]), result.output


def test_the_most_is_a_bound_where_replies_have_a_limit(tmp_path: Path) -> None:
    price = "agents.teachers.0.price={prompt: 0, completion: 1000000}"
    told = estimate(small(tmp_path, "graph=peer_review", "settings={}", price, problems=10))

    ada = {row["verb"]: row for row in told["rows"] if row["agent"] == "ada"}
    assert ada["score"]["cost_usd"]["most"] == ada["score"]["calls"]["most"] * 512
    assert any("no max_tokens bounds the solutions of ada, ben, cleo" in note for note in told["notes"])
    limit = "settings={rationales: {sampling: {max_tokens: 300}}, peer_review: {sampling: {max_tokens: 70}}}"
    bounded = estimate(small(tmp_path, "graph=peer_review", limit, price, problems=10))
    ada = {row["verb"]: row for row in bounded["rows"] if row["agent"] == "ada"}
    of_ada = {verb: row["cost_usd"]["most"] / row["calls"]["most"] for verb, row in ada.items()}
    assert of_ada == {"solve": 300, "score": 70}
    assert not any("bounds" in note for note in bounded["notes"])


async def test_what_a_run_has_settled_is_not_left(tmp_path: Path) -> None:
    price = "agents.student.price={prompt: 0, completion: 100}"
    settings, stages = "settings={}", "stages=[exam, rationales]"
    part = await synthesize(small(tmp_path, price, settings, stages, problems=5))
    recipe = small(tmp_path, price, settings, stages, problems=20)
    assert part.exit_code == 0

    told = estimate(recipe)

    assert told["problems"] == 20
    assert told["run"]["settled"] == 5
    assert told["run"]["spent"]["paid"] == part.spent["all_runs"]["paid"]
    assert told["left"]["problems"] == 15
    for what in ("calls", "tokens", "cost_usd"):
        for name, value in told[what].items():
            assert told["left"][what][name] == pytest.approx(value * 15 / 20)
    rest = await synthesize(recipe)
    asked = rest.spent["this_run"]["paid"] + rest.spent["this_run"]["cached"]
    assert told["left"]["calls"]["expected"] == asked
    nothing = estimate(recipe)["left"]
    assert (nothing["problems"], nothing["calls"]["most"]) == (0, 0)


async def test_a_budget_that_will_not_do_is_said_before_and_on_the_way(tmp_path: Path) -> None:
    price, settings = "agents.student.price={prompt: 0, completion: 100}", "settings={}"
    stages = "stages=[exam, rationales]"
    enough = ["budget={calls: 80, stages: {exam: {usd: 1}}}"]
    short = ["budget={calls: 79, stages: {exam: {usd: 0.2}, rationales: {tokens: 10}}}"]

    assert not any(
        "expected" in note for note in estimate(small(tmp_path, price, settings, stages, *enough, problems=20))["notes"]
    )
    notes = "\n".join(estimate(small(tmp_path, price, settings, stages, *short, problems=20))["notes"])

    assert "budget.calls is 79, and 80 is expected: the run would stop on the way" in notes
    assert "budget.stages.exam.usd is 0.2, and 0.4 is expected" in notes
    assert "budget.stages.rationales.tokens is 10" in notes
    await synthesize(small(tmp_path, price, settings, stages, problems=10))
    notes = "\n".join(estimate(small(tmp_path, price, settings, stages, *short, problems=20))["notes"])
    assert "budget.calls is 79, and 80 is expected" in notes  # 40 are paid, 40 are left


async def test_a_directory_of_another_recipe_is_said(tmp_path: Path) -> None:
    await synthesize(small(tmp_path, "graph=exam", problems=2))
    notes = "\n".join(estimate(small(tmp_path, "graph=exam", "seed=3", problems=4))["notes"])
    assert "would refuse this" in notes
    assert "seed is 17 there, 3 here" in notes


def test_no_call_is_made_without_a_pilot(tmp_path: Path) -> None:
    recipe = small(tmp_path, "agents.student.model=openai/none", "agents.student.api_base=http://127.0.0.1:9/v1")
    told = estimate(recipe)
    assert told["problems"] == 12
    assert list(tmp_path.iterdir()) == []
    assert told["cost_usd"]["expected"] is None
    assert any("price of pupil is unknown" in note for note in told["notes"])


def test_prices_and_tokens(tmp_path: Path) -> None:
    price = "agents.student.price={prompt: 1, completion: 10}"
    settings = "settings={exam: {samples: 1, sampling: {max_tokens: 100}}}"

    told = estimate(small(tmp_path, "graph=exam", settings, price, problems=10))

    prompt = told["tokens"]["most"] - 10 * 100
    assert 10 * 30 < prompt < 10 * 100
    assert told["cost_usd"]["most"] == pytest.approx((prompt * 1 + 1000 * 10) / 1e6, rel=0.01)
    assert told["tokens"]["least"] < told["tokens"]["expected"] == told["tokens"]["most"]


def test_unreadable_replies_add_fresh_tries(tmp_path: Path) -> None:
    recipe = small(tmp_path, "graph=rationales", problems=10)
    plain, garbled = estimate(recipe), estimate(recipe, assume=["unreadable=0.5"])
    assert plain["calls"]["most"] == 60
    assert plain["fresh_tries_at_most"] == 120
    assert garbled["calls"] == {"least": 60, "expected": 105, "most": 180}


def test_rates_are_checked() -> None:
    assert rates_of(["teacher_right=0.5"]) == Rates(teacher_right=0.5)
    for text, said in (("teachers_right=1", "teacher_right"), ("kept=2", "share"), ("kept", "share")):
        with pytest.raises(UsageError, match=said):
            rates_of([text])


def test_the_tables_show_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(estimate(small(tmp_path)))
    out = capsys.readouterr().out
    assert all(stage in out for stage in ("exam", "rationales", "peer_review", "dual_cot", "total"))


@pytest.mark.parametrize("width", [80, 120])
def test_the_most_dollars_stand_there_at_any_width(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COLUMNS": str(width), "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    price = "agents.student.price={prompt: 100, completion: 100}"
    result = estimate(small(tmp_path, price, "settings={exam: {sampling: {max_tokens: 300}}}"))
    show(result)
    lines = [Text.from_ansi(line).plain for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    assert words.count(money(result["stages"]["exam"]["cost_usd"]["most"])) >= 2, "by stage and by agent"
    assert words.count("dollars") >= 4
