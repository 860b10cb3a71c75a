"""The faculty asked for first wrong steps and for the rest of a solution."""

from itertools import islice
from statistics import fmean

import orjson

from errata.agents.parse_reply import STEP_SCHEMA, read_step
from errata.agents.prompt_inputs import numbered
from errata.classroom import problems as classroom
from errata.classroom.check_steps import judge
from errata.classroom.grammar import Puzzle, parse
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.solve import work, write, wrong
from errata.grading.steps import step_at, steps_of
from errata.llm.backends.simulated import faculty
from errata.llm.backends.simulated.recognize import NamedPrompt

PROBLEMS = [(each.question, parse(each.question)) for each in islice(classroom.problems({}), 150)]


def mistaken(puzzle: Puzzle, question: str) -> tuple[str, int]:
    """A wrong solution, and its first wrong step as the checker knows it."""
    text = write(puzzle, work(puzzle, wrong(puzzle, HashedRandom(question))), voice=0)
    flaw = judge(puzzle, text).flaw
    assert flaw is not None
    assert flaw.statement is not None
    return text, step_at(steps_of(text), flaw.statement.start)


def ask(model: str, prompt: str, inputs: dict[str, str], seed: int = 1, **parameters: object) -> str:
    text = "\n".join(inputs.values())
    return faculty.reply(model, [("user", text)], parameters, seed, NamedPrompt(prompt, inputs)).text


def accuracy(model: str) -> float:
    hits = []
    for question, puzzle in PROBLEMS:
        assert puzzle is not None
        text, truth = mistaken(puzzle, question)
        reply = ask(model, "reviewer/first_wrong_step", {"question": question, "rationale": numbered(text)})
        hits.append(read_step(len(steps_of(text)), reply) == truth + 1)
    return fmean(hits)


def test_reviewers_mostly_name_the_step_and_err_by_their_sensitivity() -> None:
    sharp, dull = (accuracy(f"dan?misconceptions=0&sensitivity={value}") for value in (1, 0))

    assert 0.8 < sharp < 0.98
    assert 0.1 < dull < 0.5


def test_the_json_form_says_the_same() -> None:
    question, puzzle = PROBLEMS[0]
    assert puzzle is not None
    inputs = {"question": question, "rationale": numbered(mistaken(puzzle, question)[0])}
    form = {"type": "json_schema", "json_schema": {"schema": STEP_SCHEMA}}

    plain = ask("dan", "reviewer/first_wrong_step", inputs)
    reply = ask("dan", "reviewer/first_wrong_step", inputs, response_format=form)

    assert orjson.loads(reply)["first_wrong_step"] == read_step(20, plain)
    assert read_step(20, reply) == read_step(20, plain)


def test_a_right_beginning_is_finished_rightly_and_a_wrong_one_mostly_wrongly() -> None:
    right, wrong_ = [], []
    for question, puzzle in PROBLEMS:
        assert puzzle is not None
        text, truth = mistaken(puzzle, question)
        steps = steps_of(text)
        for at, answers in ((truth, right), (truth + 1, wrong_)):
            prefix = text[: steps[at - 1].end].strip() if at else ""
            rest = ask("dan?misconceptions=0", "teacher/continue", {"question": question, "rationale": prefix})
            answers.append(rest.endswith(f"the answer is {puzzle.answer} ."))

    assert fmean(right) > 0.9
    assert fmean(wrong_) < 0.4
