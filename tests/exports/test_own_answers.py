"""The student's own right answers: which of them are taught, alone and beside the teachers', from a real exam."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.exports.correct_rows import SFT, sft_rows
from errata.exports.labeled_rows import nat_rows
from errata.exports.own_answers import own_answers, reasoning_of
from errata.exports.transcript_view import LeftOut, Options, TranscriptView
from errata.records import Outcome, Problem, Rationale, Transcript
from errata.runs.runner import synthesize
from errata.training.load_rows import Where, read
from tests.exports.views import source_of
from tests.small_runs import rows_of, small

PROBLEM = Problem(id="p", task="t", question="3 boxes of 4 and 5 more?", answer="17", kind="number")


def answer(name: str, text: str, **changes: Any) -> Rationale:
    known = {"id": name, "problem_id": "p", "author": "kit", "role": "student", "text": text, "answer": "17"}
    return Rationale.model_validate({**known, "correct": True, **changes})


ANSWERS = (
    answer("a", "3 * 4 = 12, then 12 + 5 = 17."),
    answer("b", "First 4 * 3 = 12. So 5 + 12 = 17!"),
    answer("c", "5 + 12 = 17, since 3 * 4 = 12."),
    answer("d", "3 * 4 = 13, so 18.", answer="18", correct=False),
    answer("e", "3 * 4 = 12 and 12 + 5 = 17, and", truncated=True),
    answer("f", "It is 17."),
    answer("g", "it  is 17."),
    answer("h", "Seventeen: 17."),
)


def kept(*answers: Rationale, **options: Any) -> list[str]:
    return [each.id for each in own_answers(answers, ("student",), **options) if each.is_right and not each.dropped]


def test_of_answers_with_the_same_equations_in_the_same_order_the_first_is_taught() -> None:
    found = list(own_answers(ANSWERS, ("student",)))
    assert {each.role for each in found} == {"self"}
    assert [(each.id, each.dropped) for each in found if each.dropped] == [
        ("b", "same_equations"),
        ("g", "same_equations"),
    ]
    assert reasoning_of("3 * 4 = 12") == reasoning_of("Well, 4 * 3 = 12.") != reasoning_of("3 + 4 = 7")


def test_at_most_so_many_are_kept_and_a_cut_off_one_takes_no_place() -> None:
    cut = answer("z", "3 * 4 = 12 and 12 + 5 = 17, and", truncated=True)
    assert kept(cut, *ANSWERS, most=2) == ["z", "a", "c", "e"], "the cut-off ones are left out later, as cut off"
    assert kept(cut, *ANSWERS, most=2, cut_off=True) == ["z", "c"]


def test_what_was_not_written_in_the_exam_is_not_the_students() -> None:
    assert kept(answer("t", "3 * 4 = 12", role="teacher")) == []


def rows(form: Any, *roles: str) -> tuple[list[tuple[str, str]], list[str]]:
    teacher = answer("t", "12 and 5 make 17.", role="teacher", author="ada")
    transcript = Transcript(
        graph="rationales", problem=PROBLEM, rationales=(*ANSWERS, teacher), outcome=Outcome(status="done")
    )
    found = list(form(TranscriptView(transcript, source_of("exam, rationales"), Options(roles=roles))))
    made = [one for each in found if not isinstance(each, LeftOut) for one in each["meta"]["rationales"]]
    return [(each["id"], each["role"]) for each in made], sorted(e.reason for e in found if isinstance(e, LeftOut))


OWN = [("a", "self"), ("c", "self"), ("f", "self"), ("h", "self")]


def test_they_are_taught_where_they_are_asked_for_alone_and_beside_the_teachers() -> None:
    assert rows(sft_rows) == ([("t", "teacher")], [])
    assert rows(sft_rows, "self") == (OWN, ["cut_off", "same_equations", "same_equations", "wrong"])
    assert rows(sft_rows, "teacher", "self")[0] == [("t", "teacher"), *OWN]


def test_graded_formats_take_them_once() -> None:
    assert rows(nat_rows, "teacher", "self")[0] == [("t", "teacher"), *OWN]
    both, _ = rows(nat_rows, "student", "self")
    assert {role for _, role in both} == {"student"}
    assert len(both) == len({name for name, _ in both}) == 7


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that asks no teacher."""
    settings = ["graph=exam", "settings.exam.samples=4", "settings.exam.sampling.temperature=0.9"]
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs"), *settings, problems=10))).run


def test_an_exam_without_teachers_is_exported_and_learned_from(exam: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.jsonl"
    words = ["export", str(exam), "--format", "sft", "--out", str(out)]
    result = CliRunner().invoke(cli, [*words, "--roles", "self", "--json"])
    assert result.exit_code == 0, result.output
    exported = rows_of(out)
    assert exported
    texts = [(row["meta"]["problem_id"], row["completion"]) for row in exported]
    assert len({(problem, reasoning_of(text)) for problem, text in texts}) == len(texts)
    assert {one["role"] for row in exported for one in row["meta"]["rationales"]} == {"self"}
    assert orjson.loads(result.stdout)["left_out"]["wrong"] > 0
    assert f"| pupil | self | {len(exported)} |" in out.with_suffix(".md").read_text()
    loaded = read([str(exam)], Where(SFT, options=Options(roles=("self",))))
    assert len(loaded.rows) == len(exported)

    refused = CliRunner().invoke(cli, words)
    assert refused.exit_code == 2
    assert "a stage that writes rationales to learn from" in refused.output
    assert "or take the student's own right answers: --roles self" in refused.output
