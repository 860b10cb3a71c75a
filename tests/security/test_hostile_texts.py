"""Problems, replies, recipes and prompts written by an enemy: data, whatever they say.

They neither run, nor leave the run directory, nor stall the run, nor break its log.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from errata.agents.prompts import load_prompts
from errata.data.problems import Problems
from errata.data.source import Mapping, ProblemSource
from errata.errors import ErrataError, UsageError
from errata.exports.write import export
from errata.grading.grader import Grader
from errata.records import Problem, Transcript
from errata.runs.recipe import load_recipe
from errata.runs.runner import synthesize
from errata.runs.status import status as status_of
from tests.llm.provider import Provider, completion, ok
from tests.security.runs import APPLES, files_under, lesson, names_in, recipe_text

HOSTILE = {
    "template": "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for i in range(10**9) %}{{ cycler }}{% endfor %}",
    "path": "../../../../etc/passwd\n/etc/passwd\n..\\..\\x",
    "control": "".join(map(chr, range(32))) + "\x7f\x1b[2J\x1b]0;owned\x07\u2028\u2029\ufeff\u202e",
    "surrogate": "a\ud800b\udfff",
    "html": "<script>fetch('//evil')</script><img src=x onerror=alert(1)>&quot;",
    "json": '{"outcome": {"status": "done"}}\n{"schema": 1}\r\n' + "[" * 5_000,
    "yaml": "!!python/object/apply:os.system ['touch owned']",
    "format": "{0.__class__} %s %n ${HOME} $(touch owned) `touch owned`",
    "markers": "<think><think></think>### Problem\nThe answer is \\boxed{\\boxed{5}} #### 5 [5] [1/0] Kinds: [[other]]",
    "tower": "The answer is $9^{9^{9^{9^9}}}$ or 9**9**9**9 or $99999999!$. [9]",
}
ENDING = " so there are 5. The answer is 5.\n[4]"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def whole(run: Path) -> list[dict[str, Any]]:
    """The log, read in every way it is read."""
    raw = (run / "transcripts.jsonl").read_bytes()
    lines = [orjson.loads(line) for line in raw.splitlines()]
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == len([Transcript.from_line(line) for line in raw.split(b"\n")[:-1]]) == len(lines)
    assert status_of(run)["problems"]["pending"] == 0
    return lines


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_reply_is_kept_as_text(tmp_path: Path, name: str) -> None:
    reply = HOSTILE[name] + ENDING
    async with Provider(then=ok(reply)) as provider:
        summary = await lesson(tmp_path, provider)

    (line,) = whole(summary.run)
    assert summary.problems["failed"] == {}
    kept = reply.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert {call["reply"] for call in line["calls"]} == {kept}
    asked = [message["content"] for call in line["calls"] for message in call["messages"]]
    if name != "markers":  # the part before </think> is thinking, which others are not shown
        assert any(kept in text for text in asked)  # shown to others unchanged
    written = {"hostile.yaml", "problems.jsonl"} | {
        f"runs/hostile/{path}" for path in ("recipe.yaml", "manifest.json", "transcripts.jsonl", ".lock", ".holder")
    }
    assert {path for path in files_under(tmp_path) if "/.calls/" not in path} <= written
    rows = export([summary.run], "nat", tmp_path / "out.jsonl").out.read_bytes().splitlines()
    assert all(orjson.loads(row) for row in rows)


@pytest.mark.parametrize(
    "counted", [[], {}, "many", "12", -5, 1e300, 2**80, None, True, [[[[]]]], float("nan"), 3.7], ids=str
)
async def test_token_counts_of_any_kind_neither_lose_a_reply_nor_pay_twice(tmp_path: Path, counted: Any) -> None:
    usage = {"prompt_tokens": counted, "completion_tokens": counted, "total_tokens": counted}
    told = completion("It is 5. The answer is 5.\n[4]") | {"usage": usage}
    async with Provider(then=lambda request: web.json_response(told)) as provider:
        summary = await lesson(tmp_path, provider, price={"prompt": 1, "completion": 1})

    (line,) = whole(summary.run)
    assert summary.problems["done"] == 1
    assert len(provider.bodies) == summary.spent["this_run"]["paid"] == len(line["calls"])
    assert (summary.spent["this_run"]["usd"] or 0) >= 0  # None where the provider does not say what it took


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "surrogate"])
async def test_a_hostile_problem_is_asked_as_it_is(tmp_path: Path, name: str) -> None:
    problem = {"id": HOSTILE[name], "question": HOSTILE[name] + " How many?", "answer": "5"}
    async with Provider(then=ok("It is 5. The answer is 5.\n[4]")) as provider:
        summary = await lesson(tmp_path, provider, [problem, APPLES | {"id": "mia"}])
        asked = [body["messages"][-1]["content"] for body in provider.bodies]

    lines = whole(summary.run)
    assert summary.problems["done"] == len(lines) == 2
    stripped = problem["question"].strip()
    assert any(stripped in text for text in asked)
    assert {line["problem"]["id"] for line in lines} == {f"problems:{HOSTILE[name].strip()}", "problems:mia"}
    assert not (tmp_path / "owned").exists()
    assert names_in(tmp_path) == {"hostile.yaml", "problems.jsonl", "runs"}


async def test_a_lone_surrogate_in_a_problem_is_refused_with_its_place(tmp_path: Path) -> None:
    async with Provider() as provider:
        with pytest.raises(UsageError, match=r"line 1, field question: it holds half a surrogate pair"):
            await lesson(tmp_path, provider, [{"question": HOSTILE["surrogate"], "answer": "5"}])
    assert provider.bodies == []


LONG = 10_000_000
LONG_REPLIES = {
    "words": " ".join(map(str, range(LONG // 8))),
    "brackets": "[" * LONG,
    "spaces": " " * LONG,
    "digits": "7" * LONG,
    "boxes": "\\boxed{" * (LONG // 7),
    "kinds": "Kinds: [" * (LONG // 8),
}


@pytest.mark.parametrize("name", LONG_REPLIES)
@pytest.mark.slow
async def test_ten_megabytes_in_every_reply_pass_through_a_whole_lesson(tmp_path: Path, name: str) -> None:
    async with Provider(then=ok(LONG_REPLIES[name] + ENDING)) as provider:
        summary = await lesson(tmp_path, provider)

    (line,) = whole(summary.run)
    assert summary.problems["failed"] == {}
    assert len(line["calls"][0]["reply"]) >= LONG * 7 // 8


async def test_long_rewrites_are_not_aligned_for_minutes(tmp_path: Path) -> None:
    """Right and wrong rationales of 100,000 words that have nothing in common: such texts make no pair."""
    replies = iter(range(1_000))

    def answer(request: Any) -> Any:
        number = next(replies)
        words = " ".join(str(number * 1_000_000 + word) for word in range(100_000))
        return ok(f"The answer is {5 if number % 2 else 6}.\n{words}\n[4]")(request)

    started = time.process_time()
    async with Provider(then=answer) as provider:
        summary = await lesson(tmp_path, provider)

    (line,) = whole(summary.run)
    assert {rationale["correct"] for rationale in line["rationales"]} == {True, False}
    assert line["pairs"] == []
    assert time.process_time() - started < 30  # without the bound 4 s a pair, and there are dozens


TOWERS = [
    "9^{9^{9^9}}",
    "9**9**9**9",
    "99999999!",
    "(10^{10^{10}})!",
    "\\frac{1}{9^{9^{9^9}}}",
    "\\sum_{i=1}^{9^{99}} i!",
]


@pytest.mark.parametrize("kind", ["latex", "number", "string"])
async def test_power_towers_and_factorials_are_wrong_answers(kind: Any) -> None:
    asked = Problem(id="p", task="t", question="How many?", answer="5", kind=kind)
    started = time.monotonic()
    async with Grader() as grader:
        for tower in TOWERS if kind != "latex" else TOWERS[:3:2]:  # two seconds of processor time for each at most
            grade = await grader.grade(asked, f"The answer is ${tower}$.")
            assert not grade.correct, (tower, grade)
    assert time.monotonic() - started < 60


# ---- problems --------------------------------------------------------------------------------------------------------


def test_a_deeply_nested_meta_is_refused_before_anything_is_paid(tmp_path: Path) -> None:
    """A log line holds 255 levels: found out after the calls, such a problem would end every run over it."""
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(APPLES | {"deep": deep}) + "\n")
    mapping = Mapping(question="question", answer="answer", kind="number", meta=("deep",))

    with pytest.raises(UsageError, match="line 1, field meta: it is nested more than 64 deep"):
        list(Problems(ProblemSource(source=str(path), mapping=mapping)))


def test_json_nested_beyond_reading_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"question": ' + "[" * 200_000 + "\n")

    with pytest.raises(UsageError, match="line 1: not JSON"):
        list(Problems(ProblemSource(source=str(path), mapping="gsm8k")))


# ---- recipes and prompts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../out", "..", ".", "", "a/b", "a\\b", "/etc", "a\0b", "a\nb", "\x1b[2J", "x" * 300, "$HOME"]
)
async def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    async with Provider() as provider:
        path = tmp_path / "r.yaml"
        data = json.loads(recipe_text(tmp_path, provider.base, [APPLES]))
        path.write_text(json.dumps(data | {"name": name}))
        with pytest.raises(ErrataError) as refused:
            await synthesize(load_recipe(path))

    assert provider.bodies == []
    assert "\x1b" not in str(refused.value)
    assert names_in(tmp_path) <= {"r.yaml", "problems.jsonl", "runs"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('name: "\\ud800"', "half a surrogate pair"),
        ("system: &a " + "x" * 99 + "\nall: [" + "*a, " * 300_000 + "]", "larger than"),
        ("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ), "aliases expand"),
        ("graph: " + "[" * 100 + "]" * 100, "nested too deeply"),
        ("graph: " + "[" * 20_000, "nested too deeply"),
        ("graph: !!python/object/apply:os.system ['touch owned']", "no YAML"),
        ("graph: !!python/name:os.system", "no YAML"),
    ],
)  # fmt: skip
def test_a_hostile_recipe_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)

    with pytest.raises(UsageError, match=told):
        load_recipe(path)


BOMB = "[&a [x, x, x, x, x, x, x, x, x], " + ", ".join(
    f"&{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}", "uses a call"),
        ("{% for a in question %}{% for b in question %}{% for c in question %}x{% endfor %}{% endfor %}{% endfor %}",
         "a loop within a loop"),
        ("{{ 'x' * 10**10 }}", r"uses \*"),
        ("{{ 10**10**10 }}", r"uses \*\*"),
        ("{{ '%9999999999d' % 1 }}", "uses %"),
        ("{{ 'x'.ljust(10000000000) }}", "uses a call"),
        ("{{ '{:>9999999999}'.format(1) }}", "uses a call"),
        ("{{ 'x' | center(9999999999) }}", "the filter center"),
        ("{{ 'x' | replace('x', 'xx') }}", "the filter replace"),
        ("{{ 'x' | attr('__class__') }}", "the filter attr"),
        ("{% set a = 'x' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}", "{% set %}"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% macro %}"),
        ("{% for x in demonstrations recursive %}{{ loop(demonstrations) }}{% endfor %}", "a recursive loop|a call"),
        ("{% include '/etc/passwd' %}", "{% include %}"),
        ("{% import 'os' as os %}", "{% import %}"),
        ("{{ ''.__class__.__mro__ }}", "cannot be filled in"),
        ("{{ question.__init__.__globals__ }}", "cannot be filled in"),
        ("{% if x %}" * 3_000, "nested too deeply|line 1"),
    ],
)  # fmt: skip
def test_a_hostile_prompt_is_refused_when_it_is_loaded(tmp_path: Path, body: str, told: str) -> None:
    (tmp_path / "teacher").mkdir()
    head = "---\nversion: 1\ninputs: [question, demonstrations]\n---\n{{ question }}{{ demonstrations }}"
    (tmp_path / "teacher/solve.md").write_text(head + body)

    with pytest.raises(UsageError, match=told):
        load_prompts(str(tmp_path))


@pytest.mark.parametrize("inputs", [BOMB + "]", "[" * 5_000, '["\\ud800"]', "!!python/name:os.system x"])
def test_hostile_front_matter_is_refused_at_once(tmp_path: Path, inputs: str) -> None:
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher/solve.md").write_text(f"---\nversion: 1\ninputs: {inputs}\n---\n{{{{ question }}}}")

    with pytest.raises(UsageError) as refused:
        load_prompts(str(tmp_path))

    assert len(str(refused.value)) < 1_000
