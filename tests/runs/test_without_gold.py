"""A run without gold answers: what is refused before the first call, and how its verdicts compare with the truth."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from errata.classroom import problems as classroom
from errata.errors import UsageError
from errata.exports.logs import open_logs
from errata.exports.transcript_view import Options
from errata.exports.write import export
from errata.graphs.pipeline import STAGES
from errata.graphs.stage import Stage
from errata.graphs.stages.rationales import RATIONALES
from errata.records import Transcript
from errata.runs.recipe import SynthRecipe, load_recipe
from errata.runs.runner import synthesize
from errata.runs.status import status
from tests.small_runs import rows_of

BASE = """
problems: {source: classroom, gold: none}
agents:
  teachers: [{name: ada, model: simulated/ada}, {name: ben, model: simulated/ben}, {name: cleo, model: simulated/cleo}]
  student: {name: pupil, model: simulated/pupil}
settings: {rationales: {samples: 2}, peer_review: {revise_rounds: 1}}
"""


def recipe(folder: Path, *overrides: str, **more: Any) -> SynthRecipe:
    path = folder / "plain.yaml"
    path.write_text(BASE)
    return load_recipe(path, [f"runs={folder / 'runs'}", *overrides], **more)


def refused(folder: Path, *overrides: str, **more: Any) -> UsageError:
    recipe(folder, "problems.gold=all", *overrides, **more)  # nothing else is wrong with it
    with pytest.raises(UsageError) as caught:
        recipe(folder, *overrides, **more)
    assert caught.value.exit_code == 2
    assert caught.value.why
    assert caught.value.do
    return caught.value


def test_what_needs_gold_answers_is_refused_before_the_first_call(tmp_path: Path) -> None:
    assert "stages: [rationales, exam, peer_review" in str(refused(tmp_path, "settings.only_mistakes=true"))
    recipe(tmp_path, "settings.only_mistakes=true", "stages=[rationales, exam, mistake_explanation]")

    early = str(refused(tmp_path, "graph=mistake_explanation"))
    assert "stages: [exam, rationales, mistake_explanation]" in early
    one = (
        "stages=[rationales]",
        "settings.rationales.samples=1",
        "agents.teachers=[{name: ada, model: simulated/ada}]",
    )
    assert "settings.rationales.samples=4" in str(refused(tmp_path, *one))
    recipe(tmp_path, *one, "settings.rationales.samples=2")

    grader = lambda problem, text: None  # noqa: E731
    assert "leave grader out" in str(refused(tmp_path, grader=grader))
    needy = Stage("needy", RATIONALES.settings, RATIONALES.build, RATIONALES.expected, needs_gold=True)
    assert "leave needy out" in str(refused(tmp_path, stages=(*STAGES, needy)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("without_gold")
    made = recipe(folder, "limit=16")
    assert asyncio.run(synthesize(made)).exit_code == 0
    return folder / "runs" / "plain"


@pytest.fixture(scope="module")
def log(run: Path) -> list[Transcript]:
    return [Transcript.from_line(line) for line in (run / "transcripts.jsonl").read_bytes().splitlines()]


def test_nothing_is_graded_and_reviewers_are_blind(log: list[Transcript]) -> None:
    rationales = [each for transcript in log for each in transcript.rationales]
    assert all(transcript.problem.answer is None for transcript in log)
    assert all(each.correct is None for each in rationales)
    assert all(review.blind for each in rationales for review in each.reviews)
    assert {pair.origin for transcript in log for pair in transcript.pairs} >= {"rectified", "corrupted", "student"}
    assert any(transcript.explanations for transcript in log)


def test_estimated_verdicts_against_the_hidden_truth(log: list[Transcript]) -> None:
    truth = {each.id: each.answer for each in islice(classroom.problems({}), 16)}
    verdicts = [
        (each.is_right, each.answer == truth[transcript.problem.id])
        for transcript in log
        for each in transcript.rationales
        if each.role in ("teacher", "student") and each.is_right is not None
    ]
    assert len(verdicts) > 100
    assert sum(estimated == true for estimated, true in verdicts) / len(verdicts) > 0.9


def test_what_the_teachers_are_shown_is_the_agreed_answer(log: list[Transcript]) -> None:
    for transcript in log:
        by_id = {each.id: each for each in transcript.rationales}
        agreed = {each.answer for each in transcript.rationales if each.is_right}
        assert len(agreed) <= 1
        for call in transcript.calls:
            if call.verb in ("rectify", "explain"):
                (answer,) = agreed
                assert f"correct answer\n{answer}\n" in call.messages[-1].content.replace("Correct", "correct")
                assert by_id[call.about or ""].is_right is False


def test_no_estimate_is_shown_as_a_grade(run: Path, tmp_path: Path) -> None:
    figures = status(run)
    assert figures["rationales"]["correct"] == 0
    assert figures["estimated"]["right"] > 50
    assert figures["acceptance"]["answer"] == {"precision": None, "recall": None}
    assert figures["input"]["without_gold"] == 16

    for name in ("sft", "mapd", "edit", "mcc-kd", "nat", "ranker", "dpo", "privileged"):
        written = export([run], name, tmp_path / f"{name}.jsonl")
        assert written.tally.rows
        for row in rows_of(tmp_path / f"{name}.jsonl"):
            assert row["meta"]["answer_by"] == "estimate"
            assert all(each["right_by"] == "estimate" for each in row["meta"]["rationales"])
            assert all("correct" not in each for each in row["meta"]["rationales"])
    card = (tmp_path / "sft.md").read_text()
    assert "0 right by a gold answer" in card
    assert "- estimated, not graded: 16 problems have no gold answer" in card

    with pytest.raises(UsageError, match="without a gold answer there is no grade"):
        open_logs([run], "sft", Options(grader_only=True))
