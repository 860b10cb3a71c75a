"""Recorded replies: found by id or question, by author, by sample; what is missing is named."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.llm.backends.recorded import Recorded
from errata.llm.request import Context, ProviderFailure
from errata.llm.spec import AgentSpec, Recording
from tests.llm.provider import gateway, request_of

ROWS = [
    {
        "id": 7,
        "question": "Problem:\nTwo  plus\ttwo?",
        "samples": ["4", "5"],
        "one": {"text": "four"},
        "score": {"ada": [5, 4.0], "bob": 2.5, "cat": None, "dan": True},
    },
    {"id": 8, "question": "Three plus three?", "samples": [], "one": {"text": ""}, "score": {}},
]
SOLVE = {"match": "question", "prefix": "Problem:\n", "reply": "samples"}


@pytest.fixture(params=["json", "jsonl"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / f"replies.{request.param}"
    lines = "\n\n".join(json.dumps(row) for row in ROWS) + "\n"
    path.write_text(json.dumps(ROWS, indent=1) if request.param == "json" else lines)
    return str(path)


def agent(file: str, **recordings: dict[str, Any]) -> AgentSpec:
    recorded = {verb: Recording(file=file, **recording) for verb, recording in recordings.items()}
    return AgentSpec(name="gpt", model="recorded/gpt", recorded=recorded)  # type: ignore[arg-type]


async def replayed(spec: AgentSpec, context: Context, verb: str = "solve", sample: int = 0) -> str:
    backend = Recorded()
    try:
        reply = await backend.complete(request_of(spec, context=context, sample=sample, verb=verb), 1)
        return reply.text
    finally:
        await backend.close()


TWO = Context(problem_id="7", question="Two plus two?")


async def test_by_question_or_id_and_by_sample(file: str) -> None:
    by_question = agent(file, solve=SOLVE)
    assert [await replayed(by_question, TWO, sample=n) for n in range(2)] == ["4", "5"]
    by_id = agent(file, solve={"match": "id", "by": "id", "reply": "one.text"})
    assert await replayed(by_id, TWO) == "four"
    assert await replayed(by_id, Context("8", "?")) == ""
    assert await replayed(agent(file, solve=SOLVE | {"reply": "samples.1"}), TWO) == "5"


async def test_questions_that_differ_in_white_space_alone_keep_their_own_replies(tmp_path: Path) -> None:
    rows = [{"question": "Problem:\n" + asked, "samples": [asked]} for asked in ("What is 1 1 x?", "What is 11x?")]
    (tmp_path / "twins.json").write_text(json.dumps(rows))
    twins = agent(str(tmp_path / "twins.json"), solve=SOLVE)

    for row in rows:
        assert await replayed(twins, Context("1", row["samples"][0])) == row["samples"][0]


async def test_scores_by_author_are_given_as_a_model_writes_them(file: str) -> None:
    paths = {"ada": "score.ada.0", "ada2": "score.ada", "bob": "score.bob"}
    spec = agent(file, score={"match": "question", "prefix": "Problem:", "reply": paths})
    scores = {name: await replayed(spec, Context("7", "Two plus two?", "r", name), "score") for name in paths}
    assert scores == {"ada": "[5]", "ada2": "[5]", "bob": "[2.5]"}
    assert await replayed(spec, Context("7", "Two plus two?", "r", "ada2"), "score", sample=1) == "[4]"
    templated = agent(file, score={"match": "id", "by": "id", "reply": "score.{author}"})
    assert await replayed(templated, Context("7", "?", "r", "bob"), "score") == "[2.5]"


@pytest.mark.parametrize(
    ("recording", "context", "verb", "sample", "said"),
    [
        (SOLVE, Context("9", "Unknown?"), "solve", 0, "no row whose question is the question of problem 9"),
        (SOLVE, TWO, "solve", 2, "no recorded sample 3 of 2"),
        (SOLVE | {"reply": "one.words"}, TWO, "solve", 0, "no field one.words"),
        (SOLVE | {"reply": "samples.9"}, TWO, "solve", 0, "no field samples.9"),
        (SOLVE | {"reply": "score.cat"}, TWO, "solve", 0, "no field score.cat"),
        (SOLVE | {"reply": "score.dan"}, TWO, "solve", 0, "neither text nor a number"),
        (SOLVE | {"reply": {"ada": "score.ada"}}, Context("7", "Two plus two?", "r", "eve"), "solve", 0, "author eve"),
        (SOLVE, TWO, "rectify", 0, "no recording of the verb rectify"),
    ],
)
async def test_what_is_missing_is_named(
    file: str, recording: dict[str, Any], context: Context, verb: str, sample: int, said: str
) -> None:
    with pytest.raises(ProviderFailure, match=said) as failure:
        await replayed(agent(file, solve=recording), context, verb, sample)
    assert not failure.value.transient
    assert not failure.value.fatal


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("", "is empty"),
        ('{"question": "a"}\n{"question": ', "record 2: not JSON"),
        ("[1, 2", "not JSON"),
        ('[{"question": "a"}, {"ask": "b"}]', "record 2: no field question"),
        ('["text"]', "record 1: no field question"),
    ],
)
def test_a_bad_file_is_wrong_use_before_the_first_call(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "replies.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=said) as error:
        gateway(tmp_path, agent(str(path), solve=SOLVE))
    assert "replies.json" in str(error.value)


async def test_through_the_gateway_it_is_free_and_not_stored(file: str, tmp_path: Path) -> None:
    spec = agent(file, solve=SOLVE)
    async with gateway(tmp_path, spec) as ask:
        call = await ask(request_of(spec, context=TWO))
        lost = await ask(request_of(spec, context=TWO, sample=5))
        assert (call.reply, call.price_usd, call.parameters) == ("4", 0.0, {})
        assert lost.failure == "no recorded sample 6 of 2"
        assert (ask.spent.process.paid, ask.spent.process.cached, ask.spent.process.failed) == (0, 0, 1)


def test_the_fingerprint_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text(json.dumps(ROWS[0]))
    first = Recorded().fingerprint(agent(str(path), solve=SOLVE))
    assert Recorded().fingerprint(agent(str(path), solve=SOLVE)) == first
    path.write_text(json.dumps(ROWS[1]))
    assert Recorded().fingerprint(agent(str(path), solve=SOLVE)) != first


async def test_the_released_files(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(os.environ.get("ERRATA_DATA", "data"))
    tdg = data / "tdg" / "gpt35_math.jsonl"
    if not tdg.is_file():
        pytest.skip(f"needs {tdg}; set ERRATA_DATA")
    spec = agent(str(tdg), solve=SOLVE | {"reply": "generated_answer"})
    backend = Recorded()
    began = time.perf_counter()
    backend.fingerprint(spec)
    assert time.perf_counter() - began < 5
    with (data / "tdg" / "gpt4_math.jsonl").open() as lines:
        questions = [json.loads(next(lines))["question"] for _ in range(200)]
    for question in questions:
        context = Context("x", question)
        reply = await backend.complete(request_of(spec, context=context, sample=7), 1)
        assert reply.text
    await backend.close()
