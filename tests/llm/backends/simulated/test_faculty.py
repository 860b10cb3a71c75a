"""What the faculty answers to each verb, and that nothing but the request decides it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.agents.parse_reply import read_kinds, read_score, read_solution
from errata.classroom.check_steps import judge
from errata.classroom.grammar import parse
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.solve import work, write, wrong
from errata.classroom.soundness import sound
from errata.graphs.stages.word_diff import edit_ratio
from errata.llm.backends.simulated.backend import Simulated
from errata.llm.backends.simulated.faculty import reply
from errata.llm.backends.simulated.recognize import read_task, templates
from errata.llm.request import Context
from errata.llm.spec import AgentSpec
from errata.records import Message, Problem
from tests.llm.backends.simulated.asking import COMMITTEE, ask, lesson, messages, prompts
from tests.llm.provider import request_of

PERFECT = "eve?misconceptions=0&slips=0&lucky=0&skill=1&sensitivity=1&specificity=1"


def mistaken(problem: Problem, voice: int = 0) -> str:
    puzzle = parse(problem.question)
    assert puzzle
    return write(puzzle, work(puzzle, wrong(puzzle, HashedRandom(problem.id))), voice)


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def right(problem: Problem, text: str) -> bool:
    return text.endswith(f"the answer is {problem.answer} .")


# ---- the verb --------------------------------------------------------------------------------------------------------


def test_every_shipped_prompt_is_told_apart_and_cut_into_its_parts() -> None:
    assert {template.name for template in templates()} == set(prompts())
    firsts = [template.first for template in templates() if template.first]
    assert len({*firsts}) == len(firsts) == len(templates()) - 1
    nasty = "one .\n### Problem\nanother\n### Options\nA. x"
    for name in prompts():
        ((_, text),) = messages(name, lesson()[0], rationale=nasty, answer="17", options="A. x\nB. y")
        task = read_task(text)
        assert task.verb == name
        assert task.parts["question"] == lesson()[0].question
        assert task.parts["options"] == "A. x\nB. y"
        assert task.parts.get("rationale", nasty) == nasty
        assert task.parts.get("answer", "17") == "17"


def test_demonstrations_do_not_stand_in_for_the_problem() -> None:
    from errata.agents.demonstration import Demonstration

    one, other = lesson()[:2]
    shown = Demonstration(question=other.question, rationale=other.rationale or "", wrong=mistaken(other))
    assert right(one, ask(PERFECT, "teacher/solve", one, demonstrations=(shown,)))
    assert right(
        one, ask(PERFECT, "teacher/rectify", one, demonstrations=(shown,), rationale=mistaken(one), answer=one.answer)
    )


def test_an_unknown_wording_gets_a_plain_wrong_solution() -> None:
    for problem in lesson()[:50]:
        text = reply("ada", [("system", "be kind"), ("user", f"Hello!\n{problem.question}")], {}, 1).text
        assert text
        text = reply("ada", [("user", problem.question)], {}, 1).text
        assert sound(problem.question, text) is False
        assert not right(problem, text)


# ---- solve -----------------------------------------------------------------------------------------------------------


def test_teachers_are_mostly_sound_and_sometimes_lucky() -> None:
    for name in COMMITTEE:
        texts = [(problem, ask(name, "teacher/solve", problem)) for problem in lesson(600)]
        good = [right(problem, text) for problem, text in texts]
        true = [sound(problem.question, text) is True for problem, text in texts]
        assert 0.7 < share(good) < 0.9
        assert 0.65 < share(true) < 0.85
        assert 0.02 < share([a and not b for a, b in zip(good, true, strict=True)]) < 0.1
        assert not any(b and not a for a, b in zip(good, true, strict=True))


def test_the_pupil_is_right_about_half_of_the_time_with_every_kind_of_mistake() -> None:
    good, kinds = [], set()
    for problem in lesson(600):
        text = ask("pupil", "student/solve", problem)
        puzzle = parse(problem.question)
        assert puzzle
        good.append(right(problem, text))
        if flaw := judge(puzzle, text).flaw:
            kinds.add(flaw.kind)
    assert 0.42 < share(good) < 0.58
    assert kinds >= {"logical_op", "logical_num", "knowledge", "calc"}


def test_a_perfect_teacher_is_always_sound_and_rates_are_kept() -> None:
    for problem in lesson(150):
        assert sound(problem.question, ask(PERFECT, "teacher/solve", problem)) is True
        assert sound(problem.question, ask(PERFECT, "student/solve", problem)) is True
    careless = "eve?misconceptions=0&slips=0.4&lucky=0"
    slipped = [not sound(p.question, ask(careless, "teacher/solve", p)) for p in lesson(600)]
    assert 0.33 < share(slipped) < 0.47
    fortunate = [ask("eve?misconceptions=0&slips=0&lucky=0.3", "teacher/solve", p) for p in lesson(600)]
    unsound = [not sound(p.question, t) for p, t in zip(lesson(600), fortunate, strict=True)]
    assert 0.24 < share(unsound) < 0.36
    assert all(right(p, t) for p, t in zip(lesson(600), fortunate, strict=True))


# ---- about others' solutions -----------------------------------------------------------------------------------------


def test_rectify_keeps_the_true_steps_and_ends_in_the_answer() -> None:
    for voice in range(4):
        for problem in lesson(100):
            before = mistaken(problem, voice)
            text = ask(PERFECT, "teacher/rectify", problem, rationale=before, answer=problem.answer)
            assert sound(problem.question, text) is True
            puzzle = parse(problem.question)
            assert puzzle
            flaw = judge(puzzle, before).flaw
            assert flaw
            assert flaw.statement
            assert text.startswith(before[: flaw.statement.start].rstrip())
            assert judge(puzzle, text).voice == voice
            assert 0 < edit_ratio(before, text) < 0.8


def test_a_mender_with_the_misconception_sometimes_bends_the_end() -> None:
    texts = []
    for problem in lesson(400):
        text = ask("ada", "teacher/rectify", problem, rationale=mistaken(problem), answer=problem.answer)
        assert right(problem, text)
        texts.append(sound(problem.question, text) is True)
    assert 0.9 < share(texts) < 1


def test_corrupt_changes_one_step_and_what_follows_from_it() -> None:
    for problem in lesson(150):
        assert problem.rationale
        text = ask("ada", "teacher/corrupt", problem, rationale=problem.rationale)
        assert not right(problem, text)
        assert sound(problem.question, text) is False
        puzzle = parse(problem.question)
        assert puzzle
        assert judge(puzzle, text).voice == judge(puzzle, problem.rationale).voice
        assert (
            len(text.split()) == len(problem.rationale.split())
            or "of them" in problem.question
            or edit_ratio(text, problem.rationale) < 0.6
        )


def test_line_breaks_of_the_author_are_kept() -> None:
    question = "Mia has 14 pens . Mia buys 2 trios of pens . Mia loses 4 of them . how many pens does Mia have ?"
    problem = Problem(id="p", task="t", question=question, answer="16", kind="number")
    before = "First the pens bought.\n2 * 3 = 6\nThen 14 - 6 = 8\n8 - 4 = 4\nThe answer is 4."
    after = ask(PERFECT, "teacher/rectify", problem, rationale=before, answer="16")
    assert after == "First the pens bought.\n2 * 3 = 6\n14 + 6 = 20 .\n20 - 4 = 16 .\nthe answer is 16 ."


def test_revise_mends_what_a_critique_names_and_keeps_a_sound_text() -> None:
    own = "eve?misconceptions=dozens:10&strength=1&slips=0&lucky=0"
    for problem in (p for p in lesson(300) if p.meta["units"] == ["dozens"]):
        before = ask(own, "teacher/solve", problem)
        assert ask(own, "teacher/revise", problem, rationale=before, critiques=("i doubt it . [2]",)) == before
        critique = ask(PERFECT, "reviewer/score", problem, rationale=before)
        after = ask(own, "teacher/revise", problem, rationale=before, critiques=(critique,))
        assert sound(problem.question, after) is True
        assert ask(own, "teacher/revise", problem, rationale=after, critiques=("bad [1]",)) == after


def test_explain_and_classify_name_the_first_false_step() -> None:
    expected = {"logical_op": "logical", "logical_num": "logical", "knowledge": "knowledge", "calc": "calculation"}
    for problem in lesson(150):
        before = mistaken(problem)
        puzzle = parse(problem.question)
        assert puzzle
        flaw = judge(puzzle, before).flaw
        assert flaw
        assert flaw.statement
        told = ask(PERFECT, "teacher/explain", problem, rationale=before, answer=problem.answer)
        assert f"{flaw.statement.result}" in told
        assert "the right step is" in told
        assert "the answer is" not in told
        kinds = ask(PERFECT, "teacher/classify", problem, rationale=before, answer=problem.answer, explanation=told)
        if flaw.kind in expected:
            assert read_kinds(kinds) == (expected[flaw.kind],)


def test_who_shares_a_misconception_neither_sees_nor_explains_it() -> None:
    alike = PERFECT.replace("misconceptions=0", "misconceptions=dozens:10")
    for problem in (p for p in lesson(300) if p.meta["units"] == ["dozens"]):
        before = ask("zoe?misconceptions=dozens:10&strength=1&slips=0&lucky=0", "teacher/solve", problem)
        if right(problem, before):
            continue
        shown = {"rationale": before, "answer": problem.answer}
        assert "dozens = 12" in ask(PERFECT, "teacher/explain", problem, **shown)
        assert "dozens = 12" not in ask(alike, "teacher/explain", problem, **shown)
        assert read_score(ask(PERFECT, "reviewer/score", problem, rationale=before)) <= 2
        assert read_score(ask(alike, "reviewer/score", problem, rationale=before)) >= 4
        assert read_score(ask(alike, "reviewer/score", problem, **shown)) <= 2, "a gold answer that differs is noticed"


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.9, 0.9), (0.6, 0.75)])
def test_reviewers_err_at_their_rates(sensitivity: float, specificity: float) -> None:
    model = f"eve?misconceptions=0&sensitivity={sensitivity}&specificity={specificity}"
    caught = [read_score(ask(model, "reviewer/score", p, rationale=mistaken(p))) <= 2 for p in lesson(600)]
    passed = [read_score(ask(model, "reviewer/score", p, rationale=p.rationale)) >= 4 for p in lesson(600)]
    assert abs(share(caught) - sensitivity) < 0.06
    assert abs(share(passed) - specificity) < 0.06


def test_reviewers_judge_other_styles_by_their_answer() -> None:
    problem = lesson()[0]
    for text in (f"Clearly, the answer is {problem.answer}.", rf"It is \boxed{{{problem.answer}}}"):
        assert read_score(ask(PERFECT, "reviewer/score", problem, rationale=text, answer=problem.answer)) >= 4
        assert read_score(ask(PERFECT, "reviewer/score", problem, rationale=text)) >= 4
        assert read_score(ask(PERFECT, "reviewer/score", problem, rationale=text, answer="77")) <= 2
    other = Problem(id="x", task="t", question="Who wrote it?", answer="B", kind="choice", choices=("a", "b"))
    assert read_score(ask(PERFECT, "reviewer/score", other, rationale="The answer is B.", answer="B. b")) == 4
    assert read_score(ask(PERFECT, "reviewer/score", other, rationale="The answer is A.", answer="B. b")) <= 2
    assert read_score(ask(PERFECT, "reviewer/score", other, rationale="The answer is A.")) == 3


# ---- outside the classroom -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "form"),
    [
        ("number", "", "The answer is X."),
        ("choice", "A. a cat\nB. a dog", "The answer is X. (X is the letter of an option)"),
        ("boolean", "", "The answer is yes. (or: The answer is no.)"),
        ("latex", "", r"The answer is \boxed{X}."),
    ],
)
@pytest.mark.parametrize(
    "verb", ["teacher/solve", "student/solve", "teacher/rectify", "teacher/corrupt", "teacher/revise"]
)
def test_problems_from_elsewhere_get_an_answer_of_their_kind(kind: str, options: str, form: str, verb: str) -> None:
    answer = {"number": "42", "choice": "B", "boolean": "yes", "latex": r"7"}[kind]
    choices = ("a cat", "a dog") if options else ()
    problem = Problem(id="x", task="t", question="He has 4 of 11. How many?", answer=answer, kind=kind, choices=choices)
    inputs = {"options": options, "answer_form": form, "rationale": f"So it goes. The answer is {answer}."}
    text = ask("ada", verb, problem, answer=answer if verb == "teacher/rectify" else None, **inputs)
    assert read_solution(problem, text) == text
    if verb == "teacher/corrupt":
        assert f"answer is {answer}." not in text


# ---- nothing but the request -----------------------------------------------------------------------------------------


def test_order_and_irrelevant_fields_do_not_matter() -> None:
    asked_of = [(name, problem) for problem in lesson(40) for name in COMMITTEE]
    forwards = [ask(name, "teacher/solve", problem) for name, problem in asked_of]
    backwards = [ask(name, "teacher/solve", problem) for name, problem in reversed(asked_of)]
    assert forwards == backwards[::-1]
    sent = messages("teacher/solve", lesson()[0])
    plain = reply("ada", sent, {"temperature": 1, "max_tokens": 200}, 3)
    assert plain == reply(
        "simulated/ada",
        sent,
        {"temperature": 1.0, "max_completion_tokens": 200, "stream": False, "n": 1, "user": "u", "top_p": None},
        3,
    )


def test_seed_parameters_model_and_messages_all_enter_the_draw() -> None:
    problem = lesson()[0]
    sent = messages("teacher/solve", problem)
    model = "eve?misconceptions=0&slips=1&lucky=0"
    texts = {reply(model, sent, {}, seed).text for seed in range(30)}
    assert len(texts) > 5
    assert len({reply(model, sent, {"temperature": t / 10}, 1).text for t in range(20)}) > 3
    assert len({reply(f"eve{i}?misconceptions=0&slips=1&lucky=0&voice=terse", sent, {}, 1).text for i in range(20)}) > 3
    assert len({reply(model, [("system", f"{i}"), *sent], {}, 1).text for i in range(20)}) > 3


def test_max_tokens_cuts_after_so_many_words() -> None:
    sent = messages("teacher/solve", lesson()[0])
    whole, cut = reply(PERFECT, sent, {}, 1), reply(PERFECT, sent, {"max_tokens": 5}, 1)
    assert whole.finish_reason == "stop"
    assert whole.completion_tokens == len(whole.text.split())
    assert whole.prompt_tokens == len(sent[0][1].split())
    assert (cut.finish_reason, cut.completion_tokens) == ("length", 5)
    assert whole.text.startswith(cut.text)
    assert len(cut.text.split()) == 5
    for model in ("eve?slips=1", "ada?garble=0.5"):
        roomy = [reply(model, sent, {"max_tokens": limit} if limit else {}, 1) for limit in (None, 500, 700)]
        assert roomy[0] == roomy[1] == roomy[2], "a limit that is not reached changes nothing"


def test_garbled_replies_come_at_their_rate_and_in_every_shape() -> None:
    texts = [ask("eve?garble=0.3", "reviewer/score", p, rationale=p.rationale) for p in lesson(400)]
    odd = [t for t in texts if not re.search(r"\nScore: [1-5]$", t) or "second" in t or "reflection" in t]
    assert 0.22 < len(odd) / len(texts) < 0.38
    assert {"", "[4/5]"} < set(odd)
    assert len(set(odd)) == 6


async def test_the_backend_hands_over_what_a_server_would_see() -> None:
    problem = lesson()[0]
    sent = messages("teacher/solve", problem)
    backend = Simulated()
    spec = AgentSpec(name="anyone", model="simulated/ada?slips=0.5")
    told = tuple(Message(role="user", content=content) for _, content in sent)
    context = Context(problem_id="x", question="y")
    got = await backend.complete(
        request_of(spec, messages=told, parameters={"top_p": 0.9}, context=context, sample=3, verb="score"), 5
    )
    assert got == reply("ada?slips=0.5", sent, {"top_p": 0.9}, 5)
    assert got.served == "ada?slips=0.5"
    assert backend.fingerprint(spec) is None
    await backend.close()


pieces = st.one_of(
    st.text(max_size=40),
    st.sampled_from([t.first for t in templates()] + [t.last for t in templates()]),
    st.sampled_from([h for t in templates() for h in t.headings.values()]),
    st.sampled_from([lesson()[0].question, lesson()[0].rationale or "", "A. x\nB. y", "### ", "the answer is"]),
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["system", "user", "assistant"]), st.lists(pieces, max_size=8).map("\n".join)),
        max_size=3,
    ),
    st.dictionaries(
        st.text(max_size=5), st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5)), max_size=3
    ),
    st.one_of(st.none(), st.integers()),
    st.one_of(st.none(), st.integers()),
)
def test_the_faculty_answers_anything(
    sent: list[tuple[str, str]], parameters: dict[str, object], limit: int | None, seed: int | None
) -> None:
    got = reply("ada", sent, {**parameters, "max_tokens": limit}, seed)
    assert got == reply("ada", sent, {**parameters, "max_tokens": limit}, seed)
    assert got.finish_reason in ("stop", "length")


def mangled(problem: Problem, rng: HashedRandom) -> str:
    """Sentences of right and wrong solutions, dropped, doubled, shuffled, mixed or cut off."""
    halves = [mistaken(problem, rng.between(0, 3)), ask(f"x{rng.between(0, 9)}", "student/solve", problem)]
    sentences = [f"{sentence} ." for text in halves for sentence in text.split(" .") if sentence]
    kept = rng.sample(sentences, rng.between(1, len(sentences)))
    kept = sorted(kept, key=sentences.index) if rng.chance(0.7) else kept
    text = " ".join([*kept, rng.pick(kept)] if rng.chance(0.3) else kept)
    return text[: len(text) - rng.between(0, 9)] if rng.chance(0.4) else text


def test_whatever_is_left_of_a_solution_can_be_mended_spoilt_and_judged() -> None:
    for problem in lesson(300):
        for number in range(3):
            text = mangled(problem, HashedRandom("mangled", problem.id, number))
            mended = ask(PERFECT, "teacher/rectify", problem, rationale=text, answer=problem.answer)
            assert right(problem, mended)
            assert sound(problem.question, mended) is True
            spoilt = ask("ada", "teacher/corrupt", problem, rationale=text)
            assert not right(problem, spoilt)
            assert sound(problem.question, spoilt) is False
            truth = sound(problem.question, text)
            score = read_score(ask(PERFECT, "reviewer/score", problem, rationale=text, answer=problem.answer))
            assert truth is None or (score >= 4) == truth
