"""The runner on real graphs and the simulated faculty: accounting, resuming, stopping, exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errata.errors import AgentRefused, BudgetExhausted, UsageError
from errata.exports.write import export
from errata.llm.backends.simulated.server import Faults, serving
from errata.llm.request import Context, Request
from errata.llm.spec import AgentSpec
from errata.records import Call, Message, Outcome, Problem, Transcript
from errata.runs.counters import Snapshot, StopSignal
from errata.runs.run_problem import remembering, run_problem
from errata.runs.runner import Summary, synthesize
from errata.runs.status import status
from errata.runs.warmup import read_warmup
from tests.small_runs import free_port, lines, over_http, small


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def rows(run: Path) -> bytes:
    """The run's export, for comparison."""
    return export([run], "sft", run / "out.jsonl").out.read_bytes()


def settled(summary: Summary) -> int:
    return int(summary.problems["total"] - summary.problems["pending"])


async def test_every_problem_ends_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    first = await synthesize(small(tmp_path))

    assert first.exit_code == 0
    assert first.problems["total"] == 12 == settled(first)
    assert [line["problem"]["id"] for line in lines(first.run)] != []
    assert first.spent["this_run"]["paid"] > 100
    before = (first.run / "transcripts.jsonl").read_bytes()

    second = await synthesize(small(tmp_path))

    assert second.exit_code == 0
    assert second.settled_before == 12
    assert second.spent["this_run"]["paid"] == second.spent["this_run"]["cached"] == 0
    assert second.spent["all_runs"]["paid"] == first.spent["all_runs"]["paid"]
    assert (first.run / "transcripts.jsonl").read_bytes() == before


async def test_two_runs_of_one_recipe_give_the_same_lines(tmp_path: Path) -> None:
    one = await synthesize(small(tmp_path / "one", "concurrency=1"))
    many = await synthesize(small(tmp_path / "many", "concurrency=64"))

    assert sorted(map(str, lines(one.run))) == sorted(map(str, lines(many.run)))
    assert rows(one.run) == rows(many.run)


async def test_a_smaller_limit_goes_on_to_a_larger_one(tmp_path: Path) -> None:
    whole = await synthesize(small(tmp_path / "whole"))
    part = await synthesize(small(tmp_path / "part", problems=2))
    assert part.problems["total"] == 2
    rest = await synthesize(small(tmp_path / "part"))

    assert rest.problems["total"] == 12
    assert rest.settled_before == 2
    assert rows(rest.run) == rows(whole.run)

    again = await synthesize(small(tmp_path / "part", problems=1))
    assert again.problems["total"] == 12  # what the log holds beyond the limit is still accounted for
    assert again.problems["pending"] == 0


async def test_a_torn_log_is_repaired_and_ends_the_same(tmp_path: Path) -> None:
    whole = await synthesize(small(tmp_path))
    expected, log = rows(whole.run), whole.run / "transcripts.jsonl"
    log.write_bytes(log.read_bytes()[:-7])

    resumed = await synthesize(small(tmp_path))

    assert resumed.torn_bytes > 100
    assert resumed.settled_before == 11
    assert resumed.spent["this_run"]["paid"] == 0
    assert rows(resumed.run) == expected


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a run of six problems and the store of its replies."""
    folder = tmp_path_factory.mktemp("six")
    asyncio.run(synthesize(small(folder, problems=6)))
    return folder


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_from_any_cut_of_the_log_the_run_ends_the_same(
    data: st.DataObject, six: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also with a cut within the warm-up, whose pairs all later problems are shown."""
    expected, text = rows(six / "demo"), (six / "demo" / "transcripts.jsonl").read_bytes()
    folder = shutil.copytree(six, tmp_path_factory.mktemp("cut") / "copy")
    recipe = small(folder, problems=6)
    (folder / "demo" / "transcripts.jsonl").write_bytes(text[: data.draw(st.integers(0, len(text)))])

    resumed = asyncio.run(synthesize(recipe))

    assert resumed.spent["this_run"]["paid"] == 0
    assert settled(resumed) == 6
    assert rows(resumed.run) == expected


async def test_a_spent_budget_leaves_the_rest_pending_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    whole = await synthesize(small(tmp_path / "whole"))

    short = await synthesize(small(tmp_path / "short", "budget.calls=60"))

    assert short.exit_code == 4
    assert isinstance(short.error, BudgetExhausted)
    assert short.problems["pending"] > 0
    assert short.spent["all_runs"]["paid"] <= 60
    assert short.problems["failed"] == {}

    rest = await synthesize(small(tmp_path / "short"))

    assert rest.exit_code == 0
    assert rest.spent["all_runs"]["paid"] == whole.spent["all_runs"]["paid"]
    assert rows(rest.run) == rows(whole.run)


async def test_status_says_what_the_resumes_have_saved(tmp_path: Path) -> None:
    price = "agents.student.price={prompt: 1, completion: 1}"
    first = await synthesize(small(tmp_path, price, "budget.calls=60"))
    second = await synthesize(small(tmp_path, price, "budget.calls=90"))

    whole = await synthesize(small(tmp_path, price))
    nothing_left = await synthesize(small(tmp_path, price))

    paid = [summary.spent["all_runs"] for summary in (first, second)]
    resumes = status(nothing_left.run)["resumes"]
    assert resumes["count"] == 2
    assert resumes["calls_saved"] == paid[0]["paid"] + paid[1]["paid"] == 150
    assert resumes["tokens_saved"] == sum(each["prompt_tokens"] + each["completion_tokens"] for each in paid)
    assert resumes["usd_saved"] == pytest.approx(paid[0]["usd"] + paid[1]["usd"])
    assert resumes["usd_saved"] > 0
    assert status(whole.run)["resumes"] == resumes


async def test_a_refusal_drains_and_names_the_agent(tmp_path: Path) -> None:
    async with serving(Faults(refuse_after=40)) as url:
        summary = await synthesize(small(tmp_path, *over_http(url)))

    assert summary.exit_code == 1
    assert isinstance(summary.error, AgentRefused)
    assert summary.error.agent in {"ada", "ben", "cleo", "pupil"}
    assert f"agent {summary.error.agent}" in str(summary.error)
    assert summary.problems["pending"] > 0


async def test_failed_problems_are_tried_again_for_what_was_lost_alone(tmp_path: Path) -> None:
    port = free_port()
    recipe = small(tmp_path, *over_http(f"http://127.0.0.1:{port}/v1"))
    async with serving(Faults(rate=0.02, kinds=("500",)), port=port):
        first = await synthesize(recipe)

    assert first.exit_code == 3
    failed = sum(first.problems["failed"].values())
    assert failed > 0
    assert all(reason.startswith("provider: ") for reason in first.problems["failed"])
    before = len(lines(first.run))

    async with serving(port=port):
        second = await synthesize(recipe)

    assert second.exit_code == 0
    assert second.settled_before == 12 - failed
    assert second.problems["failed"] == {}
    counted = status(second.run)
    assert counted["problems"]["total"] == 12
    assert len(lines(second.run)) == before + failed
    assert counted["log"]["failed"] == 0


async def test_at_a_first_stop_it_drains(tmp_path: Path) -> None:
    stop = StopSignal()

    def watch(snapshot: Snapshot) -> None:
        if snapshot.settled and not stop.requests:
            stop.request()

    async with serving(latency=0.02) as url:
        summary = await synthesize(small(tmp_path, *over_http(url), "concurrency=2"), stop=stop, watch=watch)

        assert summary.exit_code == 130
        assert 0 < settled(summary) < 12
        calls = summary.spent["this_run"]
        logged = status(summary.run)["log"]["calls"]
        assert calls["paid"] + calls["cached"] == logged  # those in flight have ended: nothing is pending half-way


async def test_at_a_second_stop_it_ends_and_keeps_what_was_paid(tmp_path: Path) -> None:
    whole = await synthesize(small(tmp_path / "whole"))
    port = free_port()
    recipe = small(tmp_path, *over_http(f"http://127.0.0.1:{port}/v1"))
    stop = StopSignal()

    def watch(snapshot: Snapshot) -> None:
        if snapshot.spent["this_run"]["paid"] and not stop.requests:
            stop.request()
            stop.request()

    async with serving(latency=0.3, port=port):
        stopped = await synthesize(recipe, stop=stop, watch=watch)
    assert stopped.exit_code == 130
    assert stopped.problems["pending"] == 12
    assert stopped.spent["this_run"]["paid"] > 0

    async with serving(port=port):
        rest = await synthesize(recipe)

    assert rest.exit_code == 0
    assert rest.spent["all_runs"]["paid"] == whole.spent["all_runs"]["paid"]


async def test_another_recipe_and_other_prompts_are_refused(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts" / "student"
    prompts.mkdir(parents=True)
    (prompts / "solve.md").write_text("---\nversion: 2\ninputs: [question]\n---\n{{ question }}\n", encoding="utf-8")
    recipe = small(tmp_path, f"prompts={tmp_path / 'prompts'}", problems=1)
    await synthesize(recipe)

    with pytest.raises(UsageError, match=r"seed is 17 there, 3 here"):
        await synthesize(small(tmp_path, f"prompts={tmp_path / 'prompts'}", "seed=3", problems=1))
    (prompts / "solve.md").write_text("---\nversion: 3\ninputs: [question]\n---\nQ: {{ question }}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"other texts of student/solve@2, student/solve@3"):
        await synthesize(recipe)


async def test_a_prompt_that_came_with_a_later_version_leaves_a_run_as_it_is(tmp_path: Path) -> None:
    recipe = small(tmp_path, problems=1)
    done = await synthesize(recipe)
    manifest = json.loads((done.run / "manifest.json").read_text(encoding="utf-8"))
    del manifest["prompts"]["reviewer/first_wrong_step@1"]
    (done.run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    assert (await synthesize(recipe)).exit_code == 0


async def test_a_bad_record_is_found_before_the_first_call(tmp_path: Path) -> None:
    data = tmp_path / "problems.jsonl"
    data.write_text('{"q": "1 + 1 ?", "a": "2"}\n{"q": "2 + 2 ?"}\n', encoding="utf-8")
    mapping = "{question: q, answer: a, kind: number}"
    recipe = small(tmp_path, f"problems={{source: '{data}', mapping: {mapping}}}")

    with pytest.raises(UsageError, match="line 2"):
        await synthesize(recipe)

    assert not (tmp_path / "demo").exists()
    assert not (tmp_path / ".calls").exists()


async def test_a_log_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    """Files may not grow past a limit that the store's larger needs are kept out of."""
    recipe = small(tmp_path, f"store={tmp_path / 'store'}")
    await synthesize(recipe)
    shutil.rmtree(tmp_path / "demo")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        summary = await synthesize(recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)

    assert summary.exit_code == 1


# ---- one problem -----------------------------------------------------------------------------------------------------

PROBLEM = Problem(id="p", task="t", question="1 + 1 ?", answer="2", kind="number")


class Broken:
    """A graph that asks once and then breaks."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.ask = remembering(self._reply)

    async def _reply(self, request: Request) -> Call:
        return Call(id="c", agent="ada", verb="solve", prompt="p", prompt_hash="h", model="m", messages=(), reply="2")

    async def ainvoke(self, story: Any) -> Any:
        spec = AgentSpec(name="ada", model="simulated/ada")
        message = Message(role="user", content="1 + 1 ?")
        request = Request(spec, "solve", "rationales", Context("p", "q"), "p", "h", (message,), {})
        await asyncio.create_task(self._nested(request))  # LangGraph runs nodes as tasks of their own
        raise self.error

    async def _nested(self, request: Request) -> None:
        await self.ask(request)


async def test_an_error_of_our_own_fails_one_problem_and_keeps_its_calls() -> None:
    transcript = await run_problem(Broken(ZeroDivisionError("no")), "exam", PROBLEM)

    assert transcript.outcome.status == "failed"
    assert re.fullmatch(r"error: ZeroDivisionError: no \(test_runner\.py:\d+\)", transcript.outcome.reason or "")
    assert [call.id for call in transcript.calls] == ["c"]


async def test_an_error_that_concerns_the_run_is_raised() -> None:
    with pytest.raises(BudgetExhausted):
        await run_problem(Broken(BudgetExhausted("spent")), "exam", PROBLEM)


async def test_the_warmup_is_read_as_it_stood_when_another_was_settled(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def line(name: str, reason: str) -> bytes:
        problem = PROBLEM.model_copy(update={"id": name, "position": {"a": 1, "b": 0, "c": 2}[name]})
        return (await run_problem(Broken(RuntimeError(reason)), "exam", problem)).to_line()

    texts = [await line("a", "first"), await line("b", "only"), await line("c", "failed"), await line("a", "again")]
    done = Transcript(graph="exam", problem=PROBLEM.model_copy(update={"id": "c"}), outcome=Outcome(status="done"))
    log.write_bytes(b"".join([*texts, done.to_line(), await line("a", "too late")]))

    warmup = read_warmup(log, {"a", "b"})

    assert [each.problem.id for each in warmup] == ["b", "a"]
    assert (warmup[1].outcome.reason or "").startswith("error: RuntimeError: again (test_runner.py:")


async def test_the_warmup_shows_its_natural_pairs_to_later_problems(tmp_path: Path) -> None:
    summary = await synthesize(small(tmp_path, problems=16))

    resumes = sorted(lines(summary.run), key=lambda line: line["problem"]["position"])
    natural = [
        line["problem"]["question"] for line in resumes[:4] for pair in line["pairs"] if pair["origin"] == "natural"
    ]
    assert natural
    prompts = [
        call["messages"][-1]["content"] for line in resumes[4:] for call in line["calls"] if call["verb"] == "corrupt"
    ]
    assert prompts
    assert all(natural[0] in text for text in prompts)
