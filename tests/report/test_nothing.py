"""Reports of runs in which nothing is right, accepted, scored or changed: no sentence is one about nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errata.exports.write import export
from errata.records import Problem
from errata.report.build import write_report
from tests.report.planted import plant_eval, questions
from tests.report.run_copies import change_log, copy_of
from tests.small_runs import lines as logged

pytestmark = pytest.mark.usefixtures("undrawn")

Json = dict[str, Any]

ABOUT_NOTHING = (
    r"\b0 of 0\b|\bof 0\b(?! %)|\bnone of\b|\bto none\b|\bfrom none\b|[+-]0\.0 points",
    r"\b(\d[\d.]*) %(?: right)?[,;]? (?:to|and|of [^.]{0,60} and) \1 %",
    r"(?:from|keeps|covers) (\d[\d.]*) %[^.]{0,80} (?:to|and|reaches) \1 %",
    r"\b(\w+) (?:drafts best|is right)[^.]{0,60}\b\1 reaches|[Ww]ithout (\w+),[^.]{0,80}without \2\b",
    r"\b0 %[^.]{0,60}, more than any other|All 1 problem",
)


def every(line: Json, **changes: Any) -> None:
    for rationale in line["rationales"]:
        rationale.update(changes)


def without_gold(line: Json) -> None:
    line["problem"]["answer"] = None
    for rationale in line["rationales"]:
        rationale.update(correct=None, estimated=0.9 if rationale["correct"] else 0.1)


def nothing_right(line: Json) -> None:
    every(line, correct=False, accepted=False)


def everything_right(line: Json) -> None:
    every(line, correct=True, accepted=True)


def nothing_scored(line: Json) -> None:
    for rationale in line["rationales"]:
        rationale["accepted"] = False if rationale["reviews"] else None
        for review in rationale["reviews"]:
            review.update(score=None, valid=False)


def all_scores_alike(line: Json) -> None:
    for rationale in line["rationales"]:
        for review in rationale["reviews"]:
            review.update(score=3, valid=True)


def no_teacher(line: Json) -> None:
    line["rationales"] = [each for each in line["rationales"] if each["role"] == "student"]
    line.update(pairs=[], explanations=[])


def nothing_at_all(line: Json) -> None:
    line.update(rationales=[], pairs=[], explanations=[], calls=[])


def no_pair_in_the_band(line: Json) -> None:
    for pair in line["pairs"]:
        pair["in_band"] = False


def sentences(page: Path) -> list[str]:
    """What the page says outside of its tables and scripts."""
    text = re.sub(r"<(script|style|details).*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = re.sub(r"<[^>]+>", "\n", text).replace("\N{NO-BREAK SPACE}", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


def about_nothing(page: Path) -> list[str]:
    return [line for line in sentences(page) if any(re.search(pattern, line) for pattern in ABOUT_NOTHING)]


@pytest.mark.parametrize(
    "change",
    [
        *(nothing_right, everything_right, nothing_scored, all_scores_alike, no_teacher, nothing_at_all),
        *(no_pair_in_the_band, without_gold),
    ],
)
def test_no_sentence_of_a_run_is_about_nothing(lesson: Path, tmp_path: Path, change: Callable[[Json], None]) -> None:
    run = copy_of(lesson, tmp_path)
    change_log(run, change)

    assert about_nothing(write_report(run).out) == []


def test_a_run_without_gold_answers_is_reported_as_estimated(lesson: Path, tmp_path: Path) -> None:
    run = copy_of(lesson, tmp_path)
    change_log(run, without_gold)
    told = sentences(write_report(run).out)

    assert any("on problems without a gold answer are estimated right." in line for line in told)
    shown = [line for line in told if re.search(r"\bright\b", line)]
    graded = [line for line in shown if re.search(r"\d %? ?(?:of [^.]* )?(?:are|is|end) (?:in the )?right", line)]
    assert not graded
    assert not any("got" in line and "wrong" in line for line in told)


def test_a_run_that_has_not_begun_is_not_summed_up(lesson: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.yaml").write_bytes((lesson / "recipe.yaml").read_bytes())
    (run / "transcripts.jsonl").touch()

    page = write_report(run).out

    assert about_nothing(page) == []
    assert not any("1 problem" in line for line in sentences(page))


@pytest.mark.parametrize(("before", "after"), [(False, False), (True, True), (True, False)])
def test_no_sentence_of_evals_is_about_nothing(tmp_path: Path, before: bool, after: bool) -> None:
    def always(right: bool) -> Callable[[Problem], bool]:
        return lambda problem: right

    tasks = {"id": questions("id", 12), "ood4": questions("ood4", 12)}
    plant_eval(tmp_path / "run/evals", "untouched", always(before), tasks=tasks, samples=3, baseline=True)
    for name in ("one", "two"):
        plant_eval(tmp_path / "run/evals", name, always(after), tasks=tasks, samples=3)

    assert about_nothing(write_report(tmp_path / "run").out) == []


def test_a_card_does_not_count_nothing(lesson: Path, tmp_path: Path) -> None:
    run = copy_of(lesson, tmp_path)

    def once(line: Json) -> None:
        line["rationales"] = [r for r in line["rationales"] if r["role"] != "teacher" or r["sample"] == 0]
        line.update(pairs=[], explanations=[])
        kept = [r for r in line["rationales"] if r["role"] == "teacher" and r["correct"] and r["accepted"]][:1]
        line["rationales"] = kept

    change_log(run, once)
    done = export([run], "sft", tmp_path / "out.jsonl")

    card = done.card.read_text(encoding="utf-8")
    assert (done.tally.duplicates, done.tally.rows > 0) == (0, True)
    assert "- near-duplicates: none\n" in card
    assert "repeat an earlier one" not in card


def test_unreadable_replies_are_told_where_there_are_any(lesson: Path, tmp_path: Path) -> None:
    run = copy_of(lesson, tmp_path)
    assert not any("could not be read" in line for line in sentences(write_report(run).out))

    def garble(line: Json) -> None:
        first = next(call for call in line["calls"] if call["verb"] == "score")
        fresh = {"attempt": 1, "prompt_tokens": 100, "completion_tokens": 20, "price_usd": 0.5}
        line["calls"].append(first | {"id": first["id"] + "again"} | fresh)
        first |= {"unreadable": "no score", "finish_reason": "length"}

    change_log(run, garble)
    calls = sum(len(line["calls"]) for line in logged(run))
    (title,) = [line for line in sentences(write_report(run).out) if "could not be read" in line]
    card = export([run], "sft", tmp_path / "out.jsonl").card.read_text(encoding="utf-8")
    of = [line for line in card.splitlines() if "could not be read" in line]

    assert title == f"24 of {calls:,} replies could not be read; 24 fresh tries took $12.00."
    assert sum(int(re.findall(r"(\d+) could not be read, (\d+) were cut off", line)[0][1]) for line in of) == 24
    assert all(
        re.fullmatch(r"- \w+, score: of \d+ replies .*; fresh tries: \d+, \d+ tokens, \$\d+\.\d{4}", x) for x in of
    )
