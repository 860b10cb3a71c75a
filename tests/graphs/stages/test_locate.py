"""The stage that locates first wrong steps: its sources, what it asks, what stands in the log."""

import pytest
from pydantic import ValidationError

from errata.errors import UsageError
from errata.grading.grader import Grader
from errata.graphs.call_counts import Rates
from errata.graphs.pipeline import SHIPPED, STAGES, ShippedSettings, call_estimates
from errata.graphs.stages.dual_cot import DUAL_COT
from errata.graphs.stages.exam import EXAM
from errata.graphs.stages.locate import LOCATE, LocateSettings
from errata.graphs.stages.rationales import RATIONALES
from errata.graphs.state import transcript_of
from errata.llm.request import Request
from errata.records import Problem, Rationale, Transcript
from tests.graphs.scripts import helpful
from tests.helpers import Line, Lost, Script, agents_of, apples, pipeline_of

OPEN = apples().model_copy(update={"answer": None})
WRONG = "2 + 3 = 5\n5 * 1 = 5\n5 + 1 = 6\nThe answer is 6."
RIGHT = "2 + 3 = 5\n5 * 1 = 5\nThe answer is 5."


def script(request: Request) -> Line:
    match request.verb:
        case "solve" if request.spec.name == "sam":
            return WRONG
        case "solve" | "rectify":
            return RIGHT
        case "continue":
            return "The answer is 6." if "5 + 1 = 6" in request.messages[-1].content else "The answer is 5."
        case "first_wrong_step":
            return "It adds one for no reason.\nFirst wrong step: 3"
    return helpful(request)


async def run(
    script: Script,
    stages: tuple = (EXAM, RATIONALES, DUAL_COT, LOCATE),  # type: ignore[type-arg]
    problem: Problem | None = None,
    **settings: object,
) -> Transcript:
    own = {"locate": settings, "dual_cot": {"corrupt": False}}
    async with Grader() as grader:
        graph = pipeline_of(script, grader, settings=own, stages=stages)
        return transcript_of("lesson", await graph.ainvoke({"problem": problem or apples()}))


def mistake(transcript: Transcript) -> Rationale:
    (wrong,) = (each for each in transcript.rationales if each.role == "student")
    return wrong


async def test_without_a_call_both_free_sources_speak() -> None:
    told = await run(asked := Script(script))

    found = mistake(told).wrong_step
    assert found is not None
    assert {(vote.source, vote.step) for vote in found.votes} == {("arithmetic", None), ("rewritten", 2)}
    assert WRONG[slice(*found.span)] == "5 + 1 = 6\n"
    assert not [each for each in asked.asked if each.stage == "locate"]
    assert all(each.wrong_step is None for each in told.rationales if each.correct)


async def test_only_located_rationales_have_the_field_in_the_log() -> None:
    told = await run(Script(script))

    line = told.to_line()
    assert line.count(b'"wrong_step"') == 1
    assert Transcript.from_line(line) == told


async def test_prefixes_are_bisected_and_graded() -> None:
    told = await run(asked := Script(script), prefixes=3, arithmetic=False, rewritten=False)

    found = mistake(told).wrong_step
    assert found is not None
    (vote,) = found.votes
    assert (vote.source, vote.step) == ("prefixes", 2)
    requests = asked.requests("continue")
    assert len(requests) == 2 * 3  # 4 steps: two prefixes, three completions each
    assert {each.spec.name for each in requests} == {vote.by}
    assert {each.stage for each in requests} == {"locate"}
    assert len({each.sample for each in requests}) == 6


async def test_the_panel_names_the_step() -> None:
    told = await run(asked := Script(script), reviewers=True, arithmetic=False, rewritten=False)

    found = mistake(told).wrong_step
    assert found is not None
    assert {(vote.source, vote.by, vote.step) for vote in found.votes} == {
        ("reviewer", name, 2) for name in ("ada", "bea", "cyd")
    }
    assert found.probability > 0.9
    prompt = asked.requests("first_wrong_step")[0].messages[-1].content
    assert "[3] 5 + 1 = 6\n[4] The answer is 6." in prompt
    assert "### Correct answer\n5" in prompt


async def test_blind_reviewers_do_not_see_the_answer() -> None:
    await run(asked := Script(script), reviewers=True, blind=True)

    assert all("Correct answer" not in each.messages[-1].content for each in asked.requests("first_wrong_step"))


@pytest.mark.parametrize(
    ("settings", "vote"),
    [
        ({"arithmetic": True}, ("arithmetic", None)),
        ({"rewritten": True}, ("rewritten", 2)),
        ({"prefixes": 3}, ("prefixes", 2)),
        ({"reviewers": True}, ("reviewer", 2)),
    ],
    ids=lambda each: str(each),
)
async def test_without_a_gold_answer_each_source_speaks_of_what_is_estimated_wrong(
    settings: dict[str, object], vote: tuple[str, int | None]
) -> None:
    none = {"arithmetic": False, "rewritten": False}
    told = await run(asked := Script(script), problem=OPEN, **none | settings)

    wrong = mistake(told)
    assert (wrong.correct, wrong.is_right) == (None, False)
    assert wrong.wrong_step is not None
    assert {(each.source, each.step) for each in wrong.wrong_step.votes} == {vote}
    assert all(each.wrong_step is None for each in told.rationales if each.is_right)
    assert all("Correct answer" not in each.messages[-1].content for each in asked.requests("first_wrong_step"))


async def test_without_an_agreed_answer_no_completion_is_asked_for() -> None:
    def at_odds(request: Request) -> Line:
        number = 10 + ord(request.spec.name[0])
        return f"1 + 1 = {number}\nThe answer is {number}." if request.verb == "solve" else script(request)

    told = await run(asked := Script(at_odds), stages=(RATIONALES, LOCATE), problem=OPEN, prefixes=3, rewritten=False)

    found = [each.wrong_step for each in told.rationales]
    assert not asked.requests("continue")
    assert [[vote.source for vote in each.votes] for each in found if each] == [["arithmetic"]] * 3


async def test_a_lost_call_makes_the_problem_failed() -> None:
    def losing(request: Request) -> Line:
        return Lost() if request.verb == "continue" else script(request)

    told = await run(Script(losing), prefixes=1)

    assert told.outcome.status == "failed"


async def test_a_plan_counts_what_the_stage_asks() -> None:
    settings = ShippedSettings.model_validate({"locate": {"prefixes": 3, "reviewers": True}})
    estimates = call_estimates((EXAM, RATIONALES, LOCATE), agents_of(), settings, Rates())

    counted = {verb: [each for each in estimates if each.verb == verb] for verb in ("continue", "first_wrong_step")}
    assert {each.agent.name for each in counted["continue"]} == {"ada", "bea", "cyd"}
    assert all(each.calls.least == 0 < each.calls.expected < each.calls.most for each in counted["continue"])
    # Each of them judges the student's mistake, and those of the two other teachers.
    assert [each.calls.most for each in counted["first_wrong_step"]] == [3, 3, 3]
    free = call_estimates((EXAM, RATIONALES, LOCATE), agents_of(), ShippedSettings(), Rates())
    assert not [each for each in free if each.stage == "locate"]


async def test_it_runs_only_where_it_is_named_and_after_what_it_compares() -> None:
    assert LOCATE in SHIPPED
    assert LOCATE not in STAGES
    with pytest.raises(UsageError, match="stands before dual_cot"):
        await run(Script(script), stages=(EXAM, RATIONALES, LOCATE, DUAL_COT))


async def test_settings_that_locate_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="no source"):
        await run(Script(script), arithmetic=False, rewritten=False)
    with pytest.raises(ValidationError, match="no source is called oracle"):
        LocateSettings.model_validate({"rates": {"oracle": {"hit": 0.7, "early": 0.1, "late": 0.1, "none": 0.1}}})
