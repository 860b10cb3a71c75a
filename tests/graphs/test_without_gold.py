"""The stages on a problem without a gold answer: verdicts are estimates, and what is agreed on stands for the gold."""

from errata.grading.grader import Grader
from errata.graphs.state import transcript_of
from errata.llm.request import Request
from errata.records import Transcript
from tests.graphs.scripts import RIGHT, WRONG, helpful
from tests.helpers import Line, Script, apples, pipeline_of

OPEN = apples().model_copy(update={"answer": None})


async def lesson(script: Script) -> Transcript:
    async with Grader() as grader:
        graph = pipeline_of(script, grader)
        return transcript_of("lesson", await graph.ainvoke({"problem": OPEN}))


def at_odds(request: Request) -> Line:
    """Everyone answers otherwise, and no reviewer is content."""
    if request.verb == "solve":
        return f"The answer is {len(request.spec.name) + ord(request.spec.name[0])}."
    return "No step holds.\nScore: 1" if request.verb == "score" else helpful(request)


async def test_what_the_teachers_agree_on_stands_for_the_gold_answer() -> None:
    script = Script(helpful)
    told = await lesson(script)

    assert told.outcome.status == "done"
    assert {(each.role, each.correct, each.is_right) for each in told.rationales} == {
        ("student", None, False),
        ("teacher", None, True),
        ("rectified", None, True),
        ("corrupted", None, False),
    }
    assert {pair.origin for pair in told.pairs} == {"student", "corrupted"}
    assert all("Correct answer" not in request.messages[-1].content for request in script.requests("score"))
    for request in script.requests("explain"):
        assert f"### Correct answer\n5\n\nOne solution ends in it:\n{RIGHT}\n" in request.messages[-1].content
        assert WRONG in request.messages[-1].content
    assert all("the correct answer\n5\n" in request.messages[-1].content for request in script.requests("rectify"))


async def test_where_nothing_is_agreed_on_nobody_is_told_an_answer() -> None:
    script = Script(at_odds)
    told = await lesson(script)

    assert (told.outcome.status, told.outcome.reason) == ("rejected", "no_accepted_rationale")
    assert not told.pairs
    assert not told.explanations
    assert not any(each.is_right for each in told.rationales if each.role == "teacher")
    assert not script.requests("rectify") + script.requests("explain")


async def test_a_reply_that_cannot_be_read_is_estimated_wrong_and_not_graded() -> None:
    def mute(request: Request) -> Line:
        return "Well." if request.verb == "solve" and request.spec.name == "ada" else helpful(request)

    told = await lesson(Script(mute))
    ada = next(each for each in told.rationales if each.author == "ada" and each.role == "teacher")
    assert (ada.correct, ada.estimated, ada.is_right) == (None, 0.0, False)
    assert (ada.grade_rule or "").startswith("unreadable")
