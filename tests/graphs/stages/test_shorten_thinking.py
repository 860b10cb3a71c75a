"""The stage that shortens thinking: whose it asks about, whom it asks, and what it keeps."""

import pytest

from errata.grading.grader import Grader
from errata.graphs.call_counts import Rates
from errata.graphs.pipeline import SHIPPED, STAGES, ShippedSettings, call_estimates
from errata.graphs.stages.dual_cot import DUAL_COT
from errata.graphs.stages.exam import EXAM
from errata.graphs.stages.rationales import RATIONALES
from errata.graphs.stages.shorten_thinking import SHORTEN_THINKING, is_shorter
from errata.graphs.state import transcript_of
from errata.llm.request import Request
from errata.records import Rationale, Transcript
from tests.graphs.scripts import helpful
from tests.helpers import CutOff, Line, Lost, Script, agents_of, apples, pipeline_of

LONG = "so she has 2 , then 3 more . or is it less ? no , more . 2 + 3 = 5 . let me see again : 5 ."
SHORT = "2 + 3 = 5 .\nThe answer is 5."


def thinking(shortened: Line) -> Script:
    """ada thinks long and right, bea long and wrong, cyd within 6 words; sam, the student, long and wrong."""
    solved = {
        "ada": f"<think>{LONG}</think>2 + 3 = 5\nThe answer is 5.",
        "bea": f"<think>{LONG}</think>2 * 3 = 6\nThe answer is 6.",
        "cyd": "<think>2 + 3 = 5</think>It is 5. The answer is 5.",
        "sam": f"<think>{LONG}</think>The answer is 6.",
    }

    def line(request: Request) -> Line:
        if request.verb == "shorten_thinking":
            return shortened
        return solved[request.spec.name] if request.verb == "solve" else helpful(request)

    return Script(line)


async def run(script: Script, gold: str | None = "5") -> Transcript:
    stages = (EXAM, RATIONALES, SHORTEN_THINKING)
    async with Grader() as grader:
        graph = pipeline_of(script, grader, settings={"shorten_thinking": {"max_words": 6}}, stages=stages)
        return transcript_of("lesson", await graph.ainvoke({"problem": apples().model_copy(update={"answer": gold})}))


def of(author: str, told: Transcript) -> Rationale:
    (one,) = (each for each in told.rationales if each.author == author)
    return one


async def test_its_author_shortens_the_long_thinking_of_a_right_rationale() -> None:
    told = await run(asked := thinking(SHORT))

    (request,) = asked.requests("shorten_thinking")
    assert (request.spec.name, request.stage, request.context.about) == (
        "ada",
        "shorten_thinking",
        of("ada", told).id,
    )
    prompt = request.messages[-1].content
    assert "at most 6 words" in prompt
    assert f"### Thinking\n{LONG}\n" in prompt
    short = of("ada", told).short_reasoning
    assert short is not None
    assert short.text == SHORT
    assert [call.verb for call in told.calls if call.id in short.call_ids] == ["shorten_thinking"]
    assert of("ada", told).reasoning == LONG


async def test_only_shortened_rationales_have_the_field_in_the_log() -> None:
    told = await run(thinking(SHORT))

    assert told.to_line().count(b'"short_reasoning"') == 1
    assert Transcript.from_line(told.to_line()) == told


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("2 + 3 = 6 .\nThe answer is 6.", id="another answer"),
        pytest.param(LONG + " The answer is 5.", id="longer"),
        pytest.param(CutOff(SHORT), id="cut off"),
        pytest.param("2 and 3 make it", id="no answer"),
        pytest.param("I cannot help with that.", id="refusal"),
        pytest.param("2 + 3 = 5 <think> The answer is 5.", id="a tag"),
    ],
)
async def test_what_is_no_shorter_or_ends_otherwise_is_not_kept(reply: Line) -> None:
    told = await run(asked := thinking(reply))

    assert asked.requests("shorten_thinking")
    assert all(each.short_reasoning is None for each in told.rationales)
    assert told.outcome.status == "done"


async def test_without_a_gold_answer_the_two_answers_are_compared() -> None:
    kept = await run(thinking(SHORT.replace("is 5.", "is 5.0.")), gold=None)
    other = await run(thinking("2 + 3 = 7 .\nThe answer is 7."), gold=None)

    assert of("ada", kept).is_right
    assert of("ada", kept).short_reasoning is not None
    assert of("ada", other).short_reasoning is None


async def test_a_lost_call_makes_the_problem_failed() -> None:
    assert (await run(thinking(Lost()))).outcome.status == "failed"


def test_a_tag_is_never_part_of_what_is_kept() -> None:
    assert is_shorter("one two", "one two three")
    assert not is_shorter("one two three", "one two three")
    assert not is_shorter("", "one")
    assert not is_shorter("one <think> two", "one two three four")
    assert not is_shorter("one", None)


async def test_a_plan_counts_every_right_rationale_that_may_be_long() -> None:
    settings = ShippedSettings.model_validate({"rationales": {"samples": 2}})

    def asked(*stages: object) -> dict[str, object]:
        every = call_estimates(stages, agents_of(), settings, Rates(teacher_right=0.5))  # type: ignore[arg-type]
        return {each.agent.name: each.calls for each in every if each.verb == "shorten_thinking"}

    alone, rewritten = asked(EXAM, RATIONALES, SHORTEN_THINKING), asked(EXAM, RATIONALES, DUAL_COT, SHORTEN_THINKING)
    assert set(alone) == set(rewritten) == {"ada", "bea", "cyd"}
    assert alone["ada"] == (0, 1, 2)  # two samples, of which half may be right
    assert rewritten["ada"][1:] > alone["ada"][1:]  # type: ignore[index]
    assert not asked(EXAM, RATIONALES, DUAL_COT)


def test_it_runs_only_where_it_is_named() -> None:
    assert SHORTEN_THINKING in SHIPPED
    assert SHORTEN_THINKING not in STAGES
