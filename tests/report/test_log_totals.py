"""The report's sums against slow counts of the same log."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

import krippendorff
import numpy as np
import pytest

from errata.report.log_totals import LogTotals, difficulty
from errata.report.sections.reviewers import curve, precision, recall
from errata.report.sections.scores import pair_alpha
from errata.report.sections.teachers import WORKS, best_sets, marginal
from errata.runs.status import status

Log = list[dict[str, Any]]


def judged(log: Log, author: str | None = None) -> Log:
    return [
        each
        for line in log
        for each in line["rationales"]
        if each["role"] in ("teacher", "revised") and each["reviews"] and author in (None, each["author"])
    ]


def reviewed(log: Log) -> Log:
    """What the panel scored: beside what is judged, the texts that were rectified."""
    return [each for line in log for each in line["rationales"] if each["reviews"]]


def score(each: dict[str, Any]) -> float:
    return mean(review["score"] for review in each["reviews"] if review["valid"])


def covering(log: Log, key: str) -> dict[str, set[str]]:
    """By teacher, the problems with a rationale of it for which `key` is true."""
    result: dict[str, set[str]] = {}
    for line in log:
        for each in line["rationales"]:
            if each["role"] in ("teacher", "revised"):
                result.setdefault(each["author"], set()).update([line["problem"]["id"]] if each[key] is True else [])
    return result


@pytest.mark.parametrize("truth", ["correct", "sound"])
@pytest.mark.parametrize("author", [None, "ada", "ben", "cleo"])
def test_the_curve_is_what_counting_at_each_threshold_gives(
    totals: LogTotals, log: Log, truth: str, author: str | None
) -> None:
    counted = [(each, n) for each, n in totals.scored.items() if author in (None, each.author)]

    result = curve(counted, truth)

    everything = judged(log, author)
    assert [threshold for threshold, _, _ in result] == [0.5, *sorted({score(each) for each in everything})[:-1]]
    for threshold, right, recalled in result:
        accepted = [each for each in everything if score(each) > threshold]
        true = [each for each in everything if each[truth]]
        assert right.value == mean(bool(each[truth]) for each in accepted)
        assert recalled.value == sum(each in accepted for each in true) / len(true)


def test_at_the_recipes_threshold_the_curve_is_the_panels_own_verdict(totals: LogTotals, lesson: Path) -> None:
    figures = status(lesson)["acceptance"]
    counted = list(totals.scored.items())

    at_three = precision(counted, "correct", 300).value, recall(counted, "correct", 300).value

    assert at_three == (figures["answer"]["precision"], figures["answer"]["recall"])
    assert precision(counted, "sound").value == figures["sound"]["precision"]
    assert recall(counted, "sound").value == figures["sound"]["recall"]


@pytest.mark.parametrize(("name", "key"), [("accepted", "accepted"), ("right", "correct")])
def test_leave_one_out_by_sets(totals: LogTotals, log: Log, name: str, key: str) -> None:
    sets = covering(log, key)

    result = marginal(totals, name)

    for teacher, covered in sets.items():
        others = set().union(*(each for other, each in sets.items() if other != teacher))
        assert result[teacher] == (len(covered), len(covered - others))


def test_the_best_set_of_each_size_by_trying_all(totals: LogTotals, log: Log) -> None:
    sets = covering(log, "accepted")

    result = best_sets(totals, "accepted")

    for size, (chosen, covered) in enumerate(result, 1):
        unions = [len(set().union(*(sets[name] for name in names))) for names in combinations(sorted(sets), size)]
        assert len(chosen) == size
        assert covered == max(unions) == len(set().union(*(sets[name] for name in chosen)))


def test_every_call_is_charged_once(totals: LogTotals, lesson: Path, log: Log) -> None:
    figures = status(lesson)["log"]
    authors = {each["id"]: each["author"] for line in log for each in line["rationales"]}
    calls = [call for line in log for call in line["calls"]]

    assert sum(counted["calls"] for counted in totals.spend.values()) == figures["calls"]
    assert sum(n["tokens"] for n in totals.spend.values()) == figures["prompt_tokens"] + figures["completion_tokens"]
    reviews_of_ada = [call for call in calls if call["verb"] == "score" and authors[call["about"]] == "ada"]
    assert totals.spend["ada", "being reviewed"]["calls"] == len(reviews_of_ada) > 0
    assert {work for _, work in totals.spend} == {*WORKS, "other"}


def test_agreement_of_two_reviewers_is_krippendorffs(totals: LogTotals, log: Log) -> None:
    units = [{r["reviewer"]: r["score"] for r in each["reviews"] if r["valid"]} for each in reviewed(log)]
    pairs = [(unit["ada"], unit["cleo"]) for unit in units if {"ada", "cleo"} <= set(unit)]

    result = pair_alpha(totals.score_pairs["ada", "cleo"])

    data = np.array(pairs, float).T
    assert len(pairs) > 10
    assert result == pytest.approx(krippendorff.alpha(reliability_data=data, level_of_measurement="ordinal"))


def test_leniency_is_the_mean_distance_to_the_co_reviewers(totals: LogTotals, log: Log) -> None:
    apart = []
    for each in reviewed(log):
        scores = {r["reviewer"]: r["score"] for r in each["reviews"] if r["valid"]}
        if "ben" in scores and len(scores) > 1:
            apart.append(scores["ben"] - mean(s for name, s in scores.items() if name != "ben"))

    value, low, high = totals.offsets["ben"].interval()

    assert value == pytest.approx(mean(apart))
    half = 1.96 * float(np.std(apart, ddof=1)) / len(apart) ** 0.5
    assert (low, high) == (pytest.approx(value - half), pytest.approx(value + half))


def test_a_revision_is_a_rescue_where_its_draft_was_rejected(totals: LogTotals, log: Log) -> None:
    for teacher, counted in totals.drafts.items():
        revised = [
            (each, next(d for d in line["rationales"] if d["id"] == each["parent_id"]))
            for line in log
            for each in line["rationales"]
            if each["role"] == "revised" and each["author"] == teacher
        ]
        assert counted["revised"] == len(revised)
        assert counted["rescued"] == sum(each["accepted"] is True for each, draft in revised if not draft["accepted"])


def test_levels_count_every_problem_once(totals: LogTotals, log: Log) -> None:
    counted = totals.levels["steps"]

    assert sum(each["problems"] for each in counted.values()) == len(log)
    for steps, each in counted.items():
        here = [line for line in log if len(line["problem"]["meta"]["steps"]) == steps]
        answers = [r for line in here for r in line["rationales"] if r["role"] == "student"]
        assert each["student_right"] == sum(r["correct"] for r in answers)


@pytest.mark.parametrize(
    ("meta", "result"),
    [
        ({"steps": ["a", "b"], "level": 2}, {"steps": 2}),
        (
            {"steps": 3, "level": "Level 5", "subject": "Algebra"},
            {"steps": 3, "level": "Level 5", "subject": "Algebra"},
        ),
        ({"level": True, "subject": ""}, {}),
        ({}, {}),
    ],
)
def test_difficulty_reads_what_data_sets_have(meta: dict[str, Any], result: dict[str, Any]) -> None:
    assert difficulty(meta) == result
