"""Thinking in rows: every format keeps it before its texts where asked, and spans mark the same characters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.exports.correct_rows import MAPD, MCC_KD, MESSAGES, SFT
from errata.exports.format import Format
from errata.exports.labeled_rows import KTO, NAT, RANKER
from errata.exports.pair_rows import DPO, EDIT
from errata.exports.sequences import LabeledSequence
from errata.exports.thinking import apart, completion, span_in_completion
from errata.exports.transcript_view import LeftOut, Options, TranscriptView
from errata.records import Outcome, Pair, Problem, Rationale, Span, Transcript
from tests.exports.views import source_of

PROBLEM = Problem(id="p", task="t", question="1 + 1 ?", answer="2", kind="number")
KEEP = Options(reasoning="keep")


def written(name: str, text: str, answer: str, reasoning: str | None) -> Rationale:
    span = Span(text.rindex(answer), text.rindex(answer) + len(answer))
    found = {"answer": answer, "correct": answer == "2", "answer_span": span, "reasoning": reasoning}
    return Rationale(id=name, problem_id="p", author="ada", role="teacher", text=text, **found)


RIGHT = written("a", "one and one make 2", "2", "the user wants a sum\nso add")
OTHER = written("b", "count up from one to 2", "2", None)
WRONG = written("c", "one and one make 3", "3", "so guess")
PAIR = Pair(
    id="q",
    right="a",
    wrong="c",
    origin="natural",
    edit_ratio=0.2,
    in_band=True,
    right_spans=(Span(17, 18),),
    wrong_spans=(Span(17, 18),),
)


def rows(form: Format, options: Options = KEEP) -> list[dict[str, Any]]:
    transcript = Transcript(
        graph="lesson",
        problem=PROBLEM,
        rationales=(RIGHT, OTHER, WRONG),
        pairs=(PAIR,),
        outcome=Outcome(status="done"),
    )
    view = TranscriptView(transcript, source_of(""), options)
    return [row for row in form.rows(view) if not isinstance(row, LeftOut)]


def texts(row: dict[str, Any]) -> list[str]:
    turns = [turn["content"] for turn in row.get("messages", ()) if turn["role"] == "assistant"]
    columns = [row[column] for column in ("completion", "chosen", "rejected") if column in row]
    return [*turns, *columns, *row.get("completions", ())]


@pytest.mark.parametrize("form", [SFT, MESSAGES, MAPD, MCC_KD, NAT, KTO, RANKER, EDIT, DPO], ids=lambda form: form.name)
def test_thinking_is_left_out_unless_it_is_asked_for(form: Format) -> None:
    kept = [text for row in rows(form) for text in texts(row)]
    dropped = [text for row in rows(form, Options()) for text in texts(row)]

    assert "<think>\nthe user wants a sum\nso add\n</think>\n\none and one make 2" in kept
    assert [apart(text).text for text in kept] == dropped
    assert not any("think" in text for text in dropped)
    assert "reasoning" in form.options


def test_spans_mark_the_same_characters() -> None:
    (group,) = rows(MCC_KD)
    marked = [text[slice(*span)] for text, span in zip(group["completions"], group["answer_spans"], strict=True)]
    (pair,) = rows(EDIT)

    assert marked == ["2", "2"]
    assert [pair[side][slice(*pair["spans"][side][0])] for side in ("chosen", "rejected")] == ["2", "3"]


thoughts = st.text(min_size=1).filter(lambda text: text.strip() and "</think>" not in text and "<think>" not in text)


@given(thoughts, st.text(min_size=1).filter(lambda text: text.strip() and text == text.lstrip()))
def test_thinking_and_text_come_apart_as_they_were(reasoning: str, text: str) -> None:
    one = RIGHT.model_copy(update={"reasoning": reasoning, "text": text})
    whole = completion(one, "keep")
    start, end = span_in_completion(one, Span(0, len(text)), "keep")

    assert apart(whole) == (reasoning.strip(), text, len(whole) - len(text))
    assert whole[start:end] == text
    parted = LabeledSequence("right", (), whole, span=Span(start, end)).parted
    assert (parted.reasoning, parted.text, parted.span) == (reasoning.strip(), text, (0, len(text)))


@pytest.mark.parametrize(
    "text",
    ["no tags", "first <think> then </think> 2", "<think>never closed", "<think></think> 2", "<think>only</think>"],
)
def test_a_text_without_thinking_and_text_stays_as_it_is(text: str) -> None:
    assert apart(text) == (None, text, 0)
    one = LabeledSequence("right", (), text)
    assert one.parted is one
