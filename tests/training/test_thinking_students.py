"""A lesson of a teacher that thinks aloud: its thinking in the log, in rows, in a student, and in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from errata import Backend, Reply, synthesize
from errata.classroom.grammar import parse
from errata.classroom.solve import work
from errata.errors import UsageError
from errata.exports.correct_rows import SFT
from errata.exports.transcript_view import Options
from errata.exports.write import export
from errata.records import Transcript
from errata.report.log_totals import LogTotals
from errata.report.sections.teachers import _thinking
from errata.training.checkpoints import manifest_of
from errata.training.load_rows import Where, read
from tests.small_runs import lines, small
from tests.training.trainings import go


class Thinks(Backend):
    """Solves by thinking first, as a chat template with `<think>` has it: longer, where it will be wrong."""

    async def complete(self, request: Any, seed: int) -> Reply:
        right = request.sample % 2 == 0
        puzzle = parse(request.context.question)
        assert puzzle is not None
        answer = work(puzzle)[-1].result if right else 1000
        thinking = "add them up" if right else "add them up or not , who can say"
        return Reply(f"<think>\n{thinking}\n</think>\n\nSo it is {answer}. The answer is {answer}.")


@pytest.fixture(scope="module")
def thought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes = ["stages=[rationales]", "settings.rationales.samples=2", "agents.teachers.0.model=thinks/aloud"]
    recipe = small(tmp_path_factory.mktemp("runs"), *changes, problems=4)
    return synthesize(recipe, backends={"thinks": Thinks()}).run


def test_a_student_learns_to_think_first(thought: Path, tmp_path: Path) -> None:
    (first, *_) = read([str(thought)], Where(SFT, options=Options(reasoning="keep", authors=("ada",)))).rows
    counts = {}
    for name, flags in {
        "keep": ["--reasoning", "keep"],
        "drop": [],
    }.items():
        assert go("sft", thought, tmp_path / name, *flags, "--authors", "ada", "--max_steps", "1") == 0
        counts[name] = manifest_of(tmp_path / name)

    assert first.row.data["completion"].startswith("<think>\nadd them up\n</think>\n\nSo it is")
    assert counts["keep"]["target_tokens_an_epoch"] > counts["drop"]["target_tokens_an_epoch"] > 0
    assert counts["keep"]["sequences"] == counts["drop"]["sequences"]
    with pytest.raises(UsageError, match="thinking too long"):
        go("sft", thought, tmp_path / "short", "--reasoning", "keep", "--max_reasoning_tokens", "3", "--authors", "ada")


def test_an_export_has_it_where_it_is_asked_for(thought: Path, tmp_path: Path) -> None:
    exported = {}
    for reasoning in ("keep", "drop"):
        exported[reasoning] = export(
            [thought], "sft", tmp_path / f"{reasoning}.jsonl", Options(reasoning=reasoning, authors=("ada",))
        )  # type: ignore[arg-type]
    kept, dropped = (
        [json.loads(line)["completion"] for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        for name in ("keep", "drop")
    )

    assert [text.split("</think>\n\n")[1] for text in kept] == dropped
    assert "in <think> tags" in exported["keep"].card.read_text()
    assert "<think>" not in exported["drop"].card.read_text()


def test_the_report_says_how_long_each_thinks_right_and_wrong(thought: Path) -> None:
    totals = LogTotals()
    for line in lines(thought):
        totals.add(Transcript.model_validate(line))
    figure = _thinking(totals)
    wrong = [
        each for line in lines(thought) for each in line["rationales"] if each["correct"] is False and each["reasoning"]
    ]

    assert figure is not None
    assert figure.title == "ada thinks longest: 9 words before wrong texts."
    assert figure.table.rows == [["ada", "right", 4, "3", 3], ["ada", "wrong", len(wrong), "9", 9]]
    assert _thinking(LogTotals()) is None
