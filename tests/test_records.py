"""Records go to JSON and back unchanged, and ids depend on everything that identifies a thing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from errata.records import (
    SCHEMA,
    Call,
    Message,
    Outcome,
    Problem,
    Rationale,
    Review,
    Span,
    Transcript,
    canonical,
    digest,
    draw,
    to_json,
)

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=[]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


def transcript(text: str, meta: dict[str, object] | None = None) -> Transcript:
    problem = Problem(id="t:1", task="t", question=text, answer="4", kind="number", meta=meta or {})
    review = Review(id="v1", reviewer="ben", score=4, valid=True, text=text)
    rationale = Rationale(
        id="r1", problem_id="t:1", author="ada", role="teacher", text=text, answer_span=Span(0, 1), reviews=(review,)
    )
    call = Call(
        id="c1",
        agent="ada",
        verb="solve",
        prompt="teacher/solve@1",
        prompt_hash="00",
        model="simulated/ada",
        messages=(Message(role="user", content=text),),
        reply=text,
    )
    return Transcript(
        graph="lesson", problem=problem, rationales=(rationale,), calls=(call,), outcome=Outcome(status="done")
    )


@given(st.text())
def test_a_transcript_is_one_line_and_comes_back_equal(text: str) -> None:
    story = transcript(text)

    line = story.to_line()

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert Transcript.from_line(line) == story


@given(ANY_TEXT, JSON)
def test_text_that_utf8_cannot_hold_is_written_all_the_same(text: str, meta: object) -> None:
    line = transcript(text, {"raw": meta}).to_line()

    back = Transcript.from_line(line)

    assert back.to_line() == line
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert back.problem.question == text


def test_the_line_holds_what_readers_rely_on() -> None:
    line = json.loads(transcript("2 + 2 = 4").to_line())

    assert line["schema"] == SCHEMA
    assert {"problem", "rationales", "explanations", "pairs", "calls", "outcome"} <= line.keys()
    assert {"id", "author", "role", "text", "answer", "correct", "accepted", "reviews"} <= line["rationales"][0].keys()
    assert {"reviewer", "score", "valid"} <= line["rationales"][0]["reviews"][0].keys()
    assert line["outcome"] == {"status": "done", "reason": None}


def test_an_unknown_field_is_refused() -> None:
    line = json.loads(transcript("x").to_line()) | {"surprise": 1}

    with pytest.raises(ValidationError, match="surprise"):
        Transcript.from_line(json.dumps(line))


def test_ids_depend_on_every_part_and_its_place() -> None:
    ids = {digest("p", "ada", 0, 1), digest("p", "ada", 1, 0), digest("p", "ben", 0, 1), digest(["p", "ada"], 0, 1)}

    assert len(ids) == 4
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest("p", length=40).startswith(digest("p"))


@given(JSON)
def test_canonical_json_never_fails_and_is_json(value: object) -> None:
    json.loads(canonical(value))
    json.loads(to_json(value))


def test_draws_are_uniform_and_repeatable() -> None:
    draws = [draw(17, f"problem {i}", "purpose") for i in range(2000)]

    assert draws == [draw(17, f"problem {i}", "purpose") for i in range(2000)]
    assert 0.47 < sum(draws) / 2000 < 0.53
    assert max(draws) < 1
