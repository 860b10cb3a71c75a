"""Options by which methods come nearer to their papers, on a lesson."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from errata.errors import NothingToLearn, UsageError
from errata.exports.transcript_view import Options
from errata.exports.write import export
from errata.models.ranker import load_ranker
from errata.runs.runner import synthesize
from errata.training.checkpoints import manifest_of
from errata.training.mistaken import RIGHT
from tests.small_runs import lines, small
from tests.training.trainings import go

ONE = ("--max_steps", "1")
BASE = ("--from_base", "true")


def test_mapd_takes_the_problems_that_the_student_got_wrong(run: Path, tmp_path: Path) -> None:
    mistaken = {
        line["problem"]["id"]
        for line in lines(run)
        if any(each["role"] == "student" and not each["correct"] for each in line["rationales"])
    }

    assert go("mapd", run, tmp_path / "out", *ONE, "--mistaken_by", "exam") == 0

    manifest = manifest_of(tmp_path / "out")
    assert manifest["rows"] == len(mistaken) < len(lines(run))
    assert manifest["left_out"][RIGHT] > 0


def test_an_eval_of_other_problems_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": "gsm8k:1", "correct": false}\n')

    with pytest.raises(NothingToLearn, match="no row is left") as error:
        go("mapd", run, tmp_path / "out", *ONE, "--mistaken_by", str(tmp_path))

    assert "classroom-" in error.value.why
    assert not (tmp_path / "out").exists()


def test_edits_rate_is_a_share_of_the_first_steps(run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "sft", tmp_path / "edit"
    go("sft", run, first, *ONE)

    assert go("edit", run, second, *ONE, "--model_name_or_path", str(first), "--rate_ratio", "0.025") == 0

    assert manifest_of(second)["config"]["training"]["learning_rate"] == pytest.approx(0.025 * 3e-3)
    with pytest.raises(UsageError, match="--rate_ratio from tiny"):
        go("edit", run, tmp_path / "other", *ONE, *BASE, "--rate_ratio", "0.025")


def test_edit_is_anchored_and_reads_the_first_divergence(run: Path, tmp_path: Path) -> None:
    more = ("--anchor", "0.5", "--align", "first_divergence")

    assert go("edit", run, tmp_path / "out", *ONE, *BASE, *more) == 0

    assert [(term["term"], term["weight"]) for term in manifest_of(tmp_path / "out")["objective"]] == [
        ("key-steps", 1.0),
        ("likelihood", 0.5),
    ]


@pytest.mark.parametrize(("flag", "value"), [("--sound_only", "true"), ("--control", "grader_only")])
def test_edit_trains_on_the_pairs_that_an_export_takes(flag: str, value: str, run: Path, tmp_path: Path) -> None:
    option: dict[str, bool] = {"sound_only" if flag == "--sound_only" else "grader_only": True}
    rows = export([run], "edit", tmp_path / "rows.jsonl", Options(**option)).tally.rows

    assert go("edit", run, tmp_path / "out", *ONE, *BASE, flag, value) == 0

    assert manifest_of(tmp_path / "out")["data"][0]["rows"] == rows


def test_a_ranker_goes_on_from_another(run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "teachers", tmp_path / "student"
    still = ("--learning_rate", "0", "--seed", "7")
    go("ranker", run, first, *ONE, "--learning_rate", "1e-3", "--roles", "teacher")
    base = ("--model_name_or_path", str(first))

    assert go("ranker", run, second, *ONE, *base, *still, "--from_ranker", str(first)) == 0

    scores = [load_ranker(folder, device="cpu").score(["how many ?"], ["3 + 4 = 7 ."]) for folder in (first, second)]
    assert scores[0] == scores[1]
    go("ranker", run, tmp_path / "fresh", *ONE, *base, *still)
    assert load_ranker(tmp_path / "fresh", device="cpu").score(["how many ?"], ["3 + 4 = 7 ."]) != scores[0]


# ---- from the first wrong step on ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def located(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stages = "stages=[exam,rationales,dual_cot,locate]"
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("located"), stages, problems=4))).run


@pytest.mark.slow  # three trainings each
@pytest.mark.parametrize(("method", "flags"), [("nat", ("--variant", "ul")), ("edit", BASE)])
def test_wrong_rationales_are_learned_from_their_first_wrong_step_on(
    method: str, flags: tuple[str, ...], located: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    late = Options(wrong_from="first_wrong_step", min_step_probability=0.6)
    whole, exported = export([located], method, tmp_path / "whole.jsonl"), export([located], method, rows, late)
    met = [each.rows + each.left_out.total() + each.duplicates for each in (exported.tally, whole.tally)]
    assert met[0] == met[1]
    assert (exported.tally.left_out["first_wrong_step_unsure"] > 0) is (method == "nat")

    of_run = ("--wrong_from", "first_wrong_step", "--min_step_probability", "0.6")
    assert go(method, located, tmp_path / "run", *ONE, *flags, *of_run) == 0
    assert go(method, rows, tmp_path / "file", *ONE, *flags) == 0
    assert go(method, located, tmp_path / "whole", *ONE, *flags) == 0

    targets = [manifest_of(tmp_path / name)["target_tokens_an_epoch"] for name in ("run", "file", "whole")]
    assert targets[0] == targets[1] < targets[2]
    assert manifest_of(tmp_path / "run")["data"][0]["rows"] == exported.tally.rows


@pytest.mark.parametrize(
    ("method", "flags", "found"),
    [
        ("sft", ("--wrong_from", "first_wrong_step"), "--wrong_from first_wrong_step with sft"),
        ("kto", ("--wrong_from", "first_wrong_step"), "--wrong_from first_wrong_step with kto"),
        ("nat", ("--min_step_probability", "0.6"), "--min_step_probability without"),
    ],
)
def test_a_start_that_would_change_nothing_is_refused(
    method: str, flags: tuple[str, ...], found: str, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=found):
        go(method, run, tmp_path / "out", *ONE, *flags)
