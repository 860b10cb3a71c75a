"""Rows with shortened thinking: from a run of a teacher that thinks too long, to rows, their card and a training."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from errata import Backend, Reply, synthesize
from errata.agents.prompts import load_prompts
from errata.classroom.grammar import parse
from errata.classroom.solve import work
from errata.errors import UsageError
from errata.exports.correct_rows import MAPD, MCC_KD, MESSAGES, SFT
from errata.exports.format import Format
from errata.exports.labeled_rows import KTO, NAT, RANKER
from errata.exports.pair_rows import DPO, EDIT, PRIVILEGED
from errata.exports.thinking import completion
from errata.exports.transcript_view import LeftOut, Options, Source, TranscriptView
from errata.exports.write import export
from errata.records import Explanation, Outcome, Pair, Problem, Rationale, ShortReasoning, Span, Transcript
from tests.small_runs import lines, small

SHORT = Options(reasoning="short")
LONG = "word " * 40
RIGHT = Rationale(
    id="a",
    problem_id="p",
    author="ada",
    role="teacher",
    text="it is 2",
    reasoning=LONG,
    answer="2",
    correct=True,
    answer_span=Span(6, 7),
)
WRONG = RIGHT.model_copy(update={"id": "b", "text": "it is 3", "answer": "3", "correct": False, "role": "student"})
SHORTENED = RIGHT.model_copy(update={"short_reasoning": ShortReasoning(text="1 + 1 = 2", call_ids=("c",))})
WITHIN = WRONG.model_copy(update={"reasoning": "so guess"})


def made(form: Format, right: Rationale, wrong: Rationale) -> tuple[list[dict[str, Any]], Counter[str]]:
    transcript = Transcript(
        graph="lesson",
        problem=Problem(id="p", task="t", question="1 + 1 ?", answer="2", kind="number"),
        rationales=(
            right,
            right.model_copy(update={"id": "d", "text": "so we count up to 2", "answer_span": Span(18, 19)}),
            wrong,
        ),
        explanations=(Explanation(id="e", author="ada", rationale_id="b", text="guessed"),),
        pairs=(Pair(id="q", right="a", wrong="b", origin="natural", edit_ratio=0.2, in_band=True),),
        outcome=Outcome(status="done"),
    )
    recipe = small(Path("none"), "settings.shorten_thinking.max_words=20")
    stages = tuple((stage.name, stage.roles) for stage in recipe.pipeline)
    source = Source(recipe, load_prompts(), stages)
    every = list(form.rows(TranscriptView(transcript, source, SHORT)))
    left_out = Counter(each.reason for each in every if isinstance(each, LeftOut))
    return [each for each in every if not isinstance(each, LeftOut)], left_out


@pytest.mark.parametrize(
    "form", [SFT, MESSAGES, MAPD, MCC_KD, NAT, KTO, RANKER, EDIT, DPO, PRIVILEGED], ids=lambda form: form.name
)
def test_every_format_takes_short_thinking_and_leaves_out_what_stayed_long(form: Format) -> None:
    rows, left_out = made(form, SHORTENED, WITHIN)
    none, because = made(form, RIGHT, WRONG)

    assert rows
    assert not left_out["thinking_not_shortened"]
    assert LONG.strip() not in json.dumps(rows)
    assert not [row for row in none if row.get("task") != "mistake"]  # which quotes texts alone
    assert because["thinking_not_shortened"]


@pytest.mark.parametrize("form", [NAT, RANKER, EDIT, DPO], ids=lambda form: form.name)
def test_a_wrong_side_that_stayed_long_is_left_out_too(form: Format) -> None:
    rows, left_out = made(form, SHORTENED, WRONG)

    assert left_out["thinking_not_shortened"]
    assert not [row for row in rows if "it is 3" in json.dumps(row)]


def test_within_its_budget_thinking_is_written_as_it_was() -> None:
    assert completion(WITHIN, "short") == "<think>\nso guess\n</think>\n\nit is 3"
    assert completion(SHORTENED, "short") == "<think>\n1 + 1 = 2\n</think>\n\nit is 2"
    assert completion(SHORTENED, "keep") == f"<think>\n{LONG.strip()}\n</think>\n\nit is 2"
    assert completion(SHORTENED, "drop") == "it is 2"
    assert completion(RIGHT.model_copy(update={"reasoning": None}), "short") == "it is 2"


# ---- a run -----------------------------------------------------------------------------------------------------------


class Thinks(Backend):
    """Solves rightly after eleven words, and shortens about every other problem's thinking to three and the answer."""

    async def complete(self, request: Any, seed: int) -> Reply:
        puzzle = parse(request.context.question)
        assert puzzle is not None
        closing = f"The answer is {work(puzzle)[-1].result}."
        if request.verb == "solve":
            thinking = "first add them up , or not , well , add them"
            return Reply(f"<think>\n{thinking}\n</think>\n\nSo it is. {closing}", completion_tokens=9)
        return Reply(
            f"add them up . {closing}" if sum(map(ord, request.context.question)) % 2 else "The answer is 1000."
        )


def test_a_run_is_exported_with_what_it_shortened(tmp_path: Path) -> None:
    changes = ["stages=[rationales, shorten_thinking]", "agents.teachers.0.model=thinks/aloud"]
    recipe = small(
        tmp_path, *changes, "settings.rationales.samples=1", "settings.shorten_thinking.max_words=9", problems=6
    )
    run = synthesize(recipe, backends={"thinks": Thinks()}).run
    by_ada = [each for line in lines(run) for each in line["rationales"] if each["author"] == "ada"]
    shortened = [each for each in by_ada if "short_reasoning" in each]

    result = export([run], "sft", tmp_path / "short.jsonl", Options(reasoning="short", authors=("ada",)))

    rows = [json.loads(line) for line in (tmp_path / "short.jsonl").read_text(encoding="utf-8").splitlines()]
    assert 0 < len(rows) == len(shortened) < len(by_ada)
    assert result.tally.left_out["thinking_not_shortened"] == len(by_ada) - len(rows)
    assert all(row["completion"].startswith("<think>\nadd them up . The answer is") for row in rows)
    assert all("teacher/shorten_thinking@1" in " ".join(row["meta"]["prompts"]) for row in rows)
    assert all(len(row["meta"]["calls"]) == 2 for row in rows)
    assert "thinking_not_shortened" in result.card.read_text(encoding="utf-8")
    assert "in their own shorter words" in result.card.read_text(encoding="utf-8")


def test_a_run_that_shortened_nothing_is_refused(tmp_path: Path) -> None:
    run = synthesize(small(tmp_path, "stages=[rationales]", problems=1)).run

    with pytest.raises(UsageError, match="none of them shortens thinking"):
        export([run], "sft", tmp_path / "short.jsonl", SHORT)
