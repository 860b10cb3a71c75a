"""What agents are told of a problem, how often they are asked, and what a request carries."""

import re

import pytest

from errata.agents.ask import PromptCall, PromptedModel
from errata.agents.parse_reply import KINDS_SCHEMA, SCORE_SCHEMA
from errata.agents.prompt_inputs import answer_form, options_of, shown_answer
from errata.agents.prompts import load_prompts
from errata.agents.reviewer import Reviewer
from errata.agents.student import Student, student_messages
from errata.agents.teacher import Teacher
from errata.grading.grader import read_answer
from errata.llm.spec import AgentSpec, Sampling
from errata.records import Call, Problem
from tests.helpers import CutOff, Lost, Script, apples

PROMPTS = load_prompts()


def voice(script: Script, model: str = "openai/ada", **spec: object) -> PromptedModel:
    return PromptedModel(AgentSpec(name="ada", model=model, **spec), script, PROMPTS, "rationales")  # type: ignore[arg-type]


def choice() -> Problem:
    return apples(kind="choice", answer="b", choices=("4", "5"))


def test_options_are_lettered_and_the_gold_letter_is_shown_with_its_text() -> None:
    assert options_of(choice()) == "A. 4\nB. 5"
    assert shown_answer(choice()) == "B. 5"
    assert (options_of(apples()), shown_answer(apples())) == ("", "5")
    assert shown_answer(apples(kind="choice", answer="D", choices=("4", "5"))) == "D"


@pytest.mark.parametrize(
    ("problem", "line", "answer"),
    [
        (apples(), "The answer is 5.", "5"),
        (apples(kind="latex", answer=r"\frac{1}{2}"), r"The answer is \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (choice(), "The answer is B.", "B"),
        (apples(kind="boolean", answer="yes"), "The answer is yes.", "yes"),
        (apples(kind="boolean", answer="False"), "The answer is false.", "false"),
        (apples(kind="string", answer="Paris"), "The answer is Paris.", "Paris"),
    ],
)
def test_the_line_of_the_form_can_be_read(problem: Problem, line: str, answer: str) -> None:
    form = answer_form(problem)

    assert "The answer is" in form
    assert line in form or not re.search(r"\b[A-Z]\b", form), "a letter in the answer's place is taken for the answer"
    assert (r"\boxed{" in form) == (r"\boxed{" in line)
    read = read_answer(problem.kind, f"First this.\nThen that.\n{line}", problem.choices)
    assert read.answer is not None
    assert answer.casefold() in line.casefold()


def test_the_form_of_a_boolean_does_not_depend_on_which_one_is_right() -> None:
    for one, other in (("yes", "no"), ("true", "False")):
        assert answer_form(apples(kind="boolean", answer=one)) == answer_form(apples(kind="boolean", answer=other))


async def test_training_shows_the_student_the_very_text_of_the_exam() -> None:
    script = Script(lambda request: "5")
    student = Student(voice(script, system="Be brief."))

    await student.solve(choice(), Sampling())

    assert script.asked[0].messages == student_messages(PROMPTS, choice(), "Be brief.")


async def test_a_request_carries_what_it_is_about_and_how_to_decode() -> None:
    script = Script(lambda request: "The answer is 5." if request.verb == "solve" else "[5]")
    written = await Teacher(voice(script, temperature=0.1, extra={"seed": 3})).solve(
        apples(), Sampling(temperature=0.9, top_p=0.5), sample=2
    )
    assert written.value

    review = await Reviewer(
        PromptedModel(AgentSpec(name="bea", model="openai/bea"), script, PROMPTS, "peer_review")
    ).score(apples(), written.value, Sampling(max_tokens=9))

    solve, score = script.asked
    assert dict(solve.parameters) == {"temperature": 0.1, "top_p": 0.5, "seed": 3}
    assert (solve.sample, solve.prompt, solve.stage, solve.context.about) == (2, "teacher/solve@2", "rationales", None)
    assert dict(score.parameters) == {"max_tokens": 9}
    assert (score.stage, score.context.about, score.context.author) == ("peer_review", written.value.id, "ada")
    assert review.value
    assert (review.value.score, review.value.valid, review.value.text) == (5, True, "[5]")


@pytest.mark.parametrize(
    ("spec", "sampling", "sent"),
    [
        ({}, Sampling(), {"max_tokens": 512}),
        ({}, Sampling(max_tokens=9), {"max_tokens": 9}),
        ({"max_tokens": 7}, Sampling(max_tokens=9), {"max_tokens": 7}),
        ({"max_tokens": None}, Sampling(), {}),
        ({"extra": {"max_completion_tokens": 8}}, Sampling(), {"max_completion_tokens": 8}),
    ],
)
async def test_a_prompts_limit_holds_where_the_recipe_sets_none(
    spec: dict[str, object], sampling: Sampling, sent: dict[str, int]
) -> None:
    script = Script(lambda request: "The answer is 5." if request.verb == "solve" else "Score: 4")
    rationale = (await Teacher(voice(script)).solve(apples(), Sampling())).value
    assert rationale

    await Reviewer(voice(script, **spec)).score(apples(), rationale, sampling)

    draft, review = script.asked
    assert dict(draft.parameters) == {}, "drafts are as long as they are"
    assert dict(review.parameters) == sent


@pytest.mark.parametrize(
    ("model", "spec", "tries"), [("openai/ada", {}, 3), ("openai/ada", {"tries": 5}, 5), ("local/x", {"tries": 1}, 1)]
)
async def test_tries_are_those_of_the_recipe(model: str, spec: dict, tries: int) -> None:
    script = Script(lambda request: "")

    await Teacher(voice(script, model, **spec)).solve(apples(), Sampling())

    assert [request.attempt for request in script.asked] == list(range(tries))


async def test_a_recording_has_no_fresh_try() -> None:
    script = Script(lambda request: "")
    recorded = {"solve": {"file": "x.json", "match": "q", "reply": "r"}}

    await Teacher(voice(script, "recorded/ada", recorded=recorded, tries=3)).solve(apples(), Sampling())

    assert len(script.asked) == 1


async def test_a_lost_call_is_not_tried_again() -> None:
    script = Script(lambda request: Lost("503"))

    parsed = await Teacher(voice(script)).solve(apples(), Sampling())

    assert (parsed.value, parsed.failure, len(script.asked)) == (None, "503", 1)


async def test_calls_say_why_their_replies_could_not_be_read() -> None:
    lines = ["", CutOff("First we"), "The answer is 5."]
    script = Script(lambda request: lines[request.attempt])

    parsed = await Teacher(voice(script)).solve(apples(), Sampling())

    assert [call.unreadable for call in parsed.calls] == ["empty", "cut off", None]
    assert [b'"unreadable"' in call.model_dump_json().encode() for call in parsed.calls] == [True, True, False]
    assert [Call.model_validate_json(call.model_dump_json()) for call in parsed.calls] == list(parsed.calls)


async def test_a_second_try_lost_keeps_the_first_in_the_log() -> None:
    script = Script(lambda request: Lost("503") if request.attempt else "")

    parsed = await Teacher(voice(script)).solve(apples(), Sampling())

    assert (parsed.value, parsed.failure) == (None, "503")
    assert [call.failure for call in parsed.calls] == [None, "503"]


async def test_ids_depend_on_author_sample_and_parent_and_on_nothing_else() -> None:
    teacher = Teacher(voice(Script(lambda request: f"Try {request.attempt}. The answer is {5 + request.sample}.")))
    again = Teacher(voice(Script(lambda request: "Another text. The answer is 5.")))

    first, second, same = [
        (await each.solve(apples(), Sampling(), sample=sample)).value
        for each, sample in ((teacher, 0), (teacher, 1), (again, 0))
    ]

    assert first
    assert second
    assert same
    assert first.id == same.id != second.id
    rectified = [(await teacher.rectify(apples(), each, Sampling(), 0, ())).value for each in (first, second)]
    assert len({each.id for each in rectified if each}) == 2


async def test_a_cut_off_reply_says_so() -> None:
    parsed = await Teacher(voice(Script(lambda request: CutOff("The answer is 5. And")))).solve(apples(), Sampling())

    assert parsed.value
    assert parsed.value.truncated


@pytest.mark.parametrize(
    ("reply", "score", "unreadable"),
    [
        (CutOff("All steps hold.\nScore: 4"), None, "cut off"),  # perhaps of `Score: 4/5` or `Score: 4.5`
        (CutOff("Step 4: This will give us"), None, "cut off"),
        (CutOff("Score: 4\nAll steps hold, since"), 4, None),
        ("All steps hold.\nScore: 4", 4, None),
        ("Step 4: This will give us.", None, "no score"),
    ],
)
async def test_of_a_cut_off_reply_only_whole_lines_are_read(
    reply: str | CutOff, score: int | None, unreadable: str | None
) -> None:
    script = Script(lambda request: "The answer is 5." if request.verb == "solve" else reply)
    rationale = (await Teacher(voice(script)).solve(apples(), Sampling())).value
    assert rationale

    parsed = await Reviewer(voice(script, tries=2)).score(apples(), rationale, Sampling())

    assert parsed.value
    assert (parsed.value.score, parsed.value.valid, parsed.unreadable) == (score, score is not None, unreadable)
    assert len(script.requests("score")) == (1 if score else 2)
    assert parsed.text == (reply.text if isinstance(reply, CutOff) else reply)


async def test_verdicts_are_asked_for_with_a_schema_and_read_in_either_form() -> None:
    verdicts = {
        "score": '{"review": "It holds.", "score": 4}',
        "classify": '{"mistake": "It adds.", "kinds": ["logical"]}',
    }
    script = Script(lambda request: verdicts.get(request.verb, "The answer is 6."))
    teacher = Teacher(voice(script))
    mistaken = (await teacher.solve(apples(), Sampling())).value
    assert mistaken
    review = (await Reviewer(voice(script)).score(apples(), mistaken, Sampling())).value
    explanation = (await teacher.explain(apples(), mistaken, Sampling())).value
    assert explanation
    classified = (await teacher.classify(apples(), mistaken, explanation, Sampling())).value

    assert review
    assert classified
    assert (review.score, review.text, classified.kinds) == (4, "It holds.\nScore: 4", ("logical",))
    schemas = {request.verb: request.schema for request in script.asked}
    assert schemas == {"solve": None, "explain": None, "score": SCORE_SCHEMA, "classify": KINDS_SCHEMA}


async def test_a_call_of_ones_own_may_ask_for_a_schema() -> None:
    schema = {"type": "object", "properties": {"value": {"type": "integer", "description": "a number"}}}
    script = Script(lambda request: '{"value": 7}')
    own = PromptCall("teacher/solve", {"question": "?", "options": "", "demonstrations": (), "answer_form": "."})

    parsed = await voice(script).ask(own._replace(schema=schema), apples(), Sampling(), lambda text: len(text))

    assert (parsed.value, script.asked[0].schema) == (12, schema)


async def test_kinds_in_the_line_that_breaks_off_may_have_had_more_to_come() -> None:
    script = Script(
        lambda request: CutOff("He adds.\nKinds: logical") if request.verb == "classify" else "The answer is 6."
    )
    teacher = Teacher(voice(script, tries=1))
    mistaken = (await teacher.solve(apples(), Sampling())).value
    assert mistaken
    explanation = (await teacher.explain(apples(), mistaken, Sampling())).value
    assert explanation

    parsed = await teacher.classify(apples(), mistaken, explanation, Sampling())

    assert parsed.value
    assert (parsed.value.kinds, parsed.unreadable) == ((), "cut off")


async def test_a_solution_cut_off_before_its_answer_is_recorded_as_cut_off() -> None:
    parsed = await Teacher(voice(Script(lambda request: CutOff("First we")), tries=1)).solve(apples(), Sampling())

    assert parsed.value
    assert (parsed.value.grade_rule, parsed.value.truncated) == ("unreadable: cut off", True)
