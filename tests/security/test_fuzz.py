"""Anything at all, given to whatever reads what strangers write: reply parsers, recipes, logs, grading.

Each property is tried on 100 inputs by default, on 3,000 with `--hypothesis-profile long`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from errata.agents.parse_reply import (
    Unreadable,
    is_refusal,
    read_kinds,
    read_prose,
    read_score,
    read_solution,
    split_thinking,
)
from errata.config.yaml_file import parse_yaml
from errata.data.problems import Problems
from errata.data.source import ProblemSource
from errata.errors import UsageError
from errata.exports.logs import Log, open_logs
from errata.grading.grader import Grader, read_answer
from errata.grading.latex import alike, normal
from errata.grading.normalize import canonical
from errata.llm.backends.failures import completion_of, failure_of_response, retry_after_of
from errata.llm.backends.openai import OpenAI, ReasoningChat
from errata.llm.request import ProviderFailure
from errata.llm.spec import AgentSpec
from errata.llm.stored_reply import cleaned, result_of, row_of
from errata.records import Problem
from errata.runs.mend_log import repair
from errata.runs.recipe import load_recipe
from errata.runs.run_dir import RunDir, index_log
from errata.runs.runner import synthesize
from errata.runs.status import status
from errata.starter import DEMO
from tests.small_runs import small

fuzz = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS: tuple[Any, ...] = ("number", "latex", "choice", "boolean", "string")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        *("[", "]", "{", "}", "\\boxed{", "####", "The answer is", " ", "\n", "5", "-", "/", "1,000", ".", "\\frac"),
        *("<think>", "</think>", "Kinds:", "logical", "sorry", "I cannot", "out of", "$", "(A)", "true", "not", "^"),
        *("9^{9^9}", "e99", "\\sqrt", "_", "=", "therefore", "\0", "²", "٣", "𝟗", "A)", "Question:", "\\text{", "!"),
        *("\ud800", "10^"),
    ]
)
TEXTS = st.text(max_size=200) | st.lists(PIECES, max_size=40).map("".join) | st.lists(PIECES, max_size=40).map(" ".join)


# ---- reply parsers ---------------------------------------------------------------------------------------------------


def problem_of(kind: Any, answer: str = "5") -> Problem:
    return Problem(id="p", task="t", question="How many?", answer=answer, kind=kind, choices=("red", "a blue one"))


@fuzz
@given(TEXTS, st.none() | TEXTS, st.sampled_from(KINDS))
def test_every_reply_is_read_or_unreadable(text: str, reasoning: str | None, kind: Any) -> None:
    thought = split_thinking(text, reasoning)
    problem = problem_of(kind)
    readers: list[Callable[[str], Any]] = [
        read_prose,
        read_score,
        read_kinds,
        lambda said: read_solution(problem, said),
    ]
    for read in readers:
        with suppress(Unreadable):
            read(thought.text)
    is_refusal(text)
    reading = read_answer(kind, text, problem.choices)
    assert (reading.answer is None) == (reading.rule == "none")


def completion(message: Any, usage: Any, finish: Any, more: Any) -> dict[str, Any]:
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return {"id": "x", "model": more, "choices": choices, "usage": usage, "created": 1, "object": "chat.completion"}


MESSAGES = JSON | st.fixed_dictionaries(
    {"content": JSON}, optional={"role": JSON, "reasoning_content": JSON, "refusal": JSON, "tool_calls": JSON}
)
USAGES = JSON | st.fixed_dictionaries(
    {"prompt_tokens": JSON, "completion_tokens": JSON}, optional={"prompt_tokens_details": JSON, "total_tokens": JSON}
)
BODIES = (
    st.binary(max_size=80)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.builds(completion, MESSAGES, USAGES, JSON, JSON).map(lambda value: json.dumps(value).encode())
)


class _Canned:
    """An HTTP session that answers with one body."""

    status = 200
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, body: bytes) -> None:
        self._body = body

    @property
    def content(self) -> _Canned:
        return self

    def post(self, *_: Any, **__: Any) -> _Canned:
        return self

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._body

    async def __aenter__(self) -> _Canned:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def chat() -> ReasoningChat:
    async def connected() -> ReasoningChat:
        backend = OpenAI()
        made = backend._connect(AgentSpec(name="ada", model="openai/x", api_base="http://127.0.0.1:9/v1"))
        await backend.close()
        return made

    return asyncio.run(connected())


@fuzz
@given(body=BODIES)
def test_every_body_is_a_reply_that_can_be_stored_or_a_provider_failure(chat: ReasoningChat, body: bytes) -> None:
    chat._session = _Canned(body)
    try:
        reply = cleaned(asyncio.run(chat.complete([], {})))
    except ProviderFailure:
        return

    row = orjson.loads(orjson.dumps(row_of(reply, 0.5)))

    answer = result_of(row)
    assert answer is not None
    assert answer.reply == reply


@fuzz
@given(st.integers(400, 599), st.dictionaries(st.just("retry-after"), st.text(max_size=30)), st.binary() | BODIES)
def test_every_error_response_is_a_provider_failure(status_: int, headers: dict[str, str], body: bytes) -> None:
    failure = failure_of_response(status_, headers, body)

    assert len(failure.message) < 2_100
    wait = retry_after_of(headers)
    assert wait is None or 0 <= wait < float("inf")
    with pytest.raises(ProviderFailure):
        completion_of(b"[" + body)


# ---- recipes ---------------------------------------------------------------------------------------------------------

YAML = st.text(max_size=120) | st.lists(
    st.sampled_from(
        [
            *(
                "graph",
                "name",
                "agents",
                ":",
                " ",
                "\n",
                "- ",
                "[",
                "]",
                "{",
                "}",
                "&a",
                "*a",
                "!!",
                "!!python/name:os",
            ),
            *("<<: ", "? ", "'", '"', "\\ud800", "2026-13-45", "0x", "0b", "1e999", ".inf", "null", "%YAML 9.9\n"),
            *(
                "problems",
                "source",
                "teachers",
                "settings",
                "#",
                "\t",
                "~",
                "!!binary ",
                "!!int ",
                "!!set {a}",
                "---\n",
            ),
            *("!!omap ", "|", "!!python/name:os", "---\n"),
        ]
    ),
    max_size=40,
).map("".join)


@fuzz
@given(text=YAML)
def test_every_text_is_a_recipe_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(UsageError):
        load_recipe(path)


@fuzz
@given(text=YAML)
def test_every_yaml_can_be_logged_or_is_refused(text: str) -> None:
    try:
        value = parse_yaml(text, "text")
    except UsageError:
        return
    json.dumps(value, default=str, skipkeys=True).encode()  # no half surrogates, no end without end


SHAPE = json.loads(json.dumps(parse_yaml(DEMO.read_text(), "demo")))


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in items for deeper in paths_of(item, (*path, key)))]


def with_at(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = with_at(value[path[0]], path[1:], new)
    return changed


@fuzz
@given(path=st.sampled_from(paths_of(SHAPE)), value=JSON)
def test_the_demos_recipe_with_anything_anywhere_is_taken_or_refused(
    path: tuple[Any, ...], value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "changed.yaml"
    file.write_text(json.dumps(with_at(SHAPE, path, value)), encoding="utf-8")
    with suppress(UsageError):
        load_recipe(file)


# ---- problems --------------------------------------------------------------------------------------------------------


@fuzz
@given(rows=st.lists(st.dictionaries(st.sampled_from(["question", "answer", "id", "meta"]), JSON), max_size=3),
       kind=st.sampled_from(KINDS), junk=st.binary(max_size=30))  # fmt: skip
def test_every_file_is_problems_that_can_be_logged_or_refused(
    rows: list[Any], kind: Any, junk: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "rows.jsonl"
    file.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows) + junk)
    mapping = {"question": "question", "answer": "answer", "kind": kind, "id": "id", "meta": ("meta",)}
    try:
        read = list(Problems(ProblemSource.model_validate({"source": str(file), "mapping": mapping})))
    except UsageError:
        return
    assert read
    for problem in read:
        assert "\n" not in problem.model_dump_json()


# ---- logs ------------------------------------------------------------------------------------------------------------

LINES = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()) | st.builds(
    lambda identity, position, status_, reason: json.dumps(
        {"problem": {"id": identity, "position": position}, "outcome": {"status": status_, "reason": reason}}
    ).encode(),
    JSON, JSON | st.integers(-5, 2**40), st.sampled_from(["done", "rejected", "failed", "else"]) | JSON, JSON,
)  # fmt: skip


@fuzz
@given(lines=st.lists(LINES, max_size=8), torn=st.binary(max_size=20))
def test_every_log_is_repaired_and_counted(
    lines: list[bytes], torn: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.getbasetemp() / "fuzzed.jsonl"
    whole = b"".join(line + b"\n" for line in lines)
    log.write_bytes(whole + torn)

    cut = repair(log)

    assert log.read_bytes() == (whole + torn)[: len(whole + torn) - cut]
    assert cut == len((whole + torn).rpartition(b"\n")[2])
    index = index_log(log)
    assert index.lines == (whole + torn).count(b"\n")
    assert index.torn == 0
    assert len(index) <= index.lines - len(index.damaged)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, bytes]:
    """A real run of one problem, and its line."""
    run = asyncio.run(synthesize(small(tmp_path_factory.mktemp("run"), problems=1))).run
    return open_logs([run], "nat")[0], RunDir(run).log.read_bytes()


@fuzz
@given(data=st.data(), value=JSON)
def test_a_log_with_anything_anywhere_is_read_or_refused(
    data: st.DataObject, value: Any, finished: tuple[Log, bytes]
) -> None:
    """One value of a real transcript changed: figures and transcripts come, or the log is refused as such."""
    log, line = finished
    story = orjson.loads(line)
    path = data.draw(st.sampled_from(paths_of(story)))
    log.run.log.write_bytes(json.dumps(with_at(story, path, value)).encode() + b"\n")

    with suppress(UsageError):
        assert status(log.run.path)["problems"]["total"] == 1
    with suppress(UsageError):
        assert len([*replace(log, index=index_log(log.run.log)).transcripts()]) <= 1


# ---- grading ---------------------------------------------------------------------------------------------------------


@fuzz
@given(TEXTS, TEXTS, st.sampled_from(KINDS))
def test_every_two_answers_are_compared_alike_both_ways(gold: str, answer: str, kind: Any) -> None:
    assert canonical(kind, answer, ("red", "blue")) is not None
    assert alike(gold, answer) == alike(answer, gold)
    assert alike(gold, gold)[0] is bool(normal(gold))


@fuzz
@given(TEXTS, TEXTS, st.sampled_from([kind for kind in KINDS if kind != "latex"]))
def test_every_text_is_graded(gold: str, text: str, kind: Any) -> None:
    assume(gold.strip())
    grade = asyncio.run(Grader().grade(problem_of(kind, gold), text))  # of these kinds none needs a worker

    assert grade.correct in (True, False)
    assert grade.span is None or 0 <= grade.span.start <= grade.span.end <= len(text)


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    grader = Grader()
    yield grader
    asyncio.run(grader.close())


@settings(fuzz, max_examples=fuzz.max_examples // 5)  # a formula without end takes two seconds
@given(text=TEXTS)
def test_every_formula_is_graded_in_time(text: str, grader: Grader) -> None:
    started = time.monotonic()
    grade = asyncio.run(grader.grade(problem_of("latex", "\\frac{x+1}{2}"), f"The answer is ${text}$."))

    assert grade.rule
    assert time.monotonic() - started < 60  # two seconds of processor time, on a machine that may be busy
