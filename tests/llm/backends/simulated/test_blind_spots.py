"""Errors of personas correlate as set: the reviewers', and the teachers' who then agree on a wrong answer."""

import json
from itertools import combinations, permutations
from statistics import correlation

import pytest

from errata.agents.parse_reply import read_score
from errata.classroom.grammar import parse
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.solve import work, write, wrong
from errata.grading.grader import Grader
from errata.llm.backends.simulated.blind_spots import SHARED
from errata.llm.backends.simulated.persona import persona
from errata.records import Problem
from tests.llm.backends.simulated.asking import COMMITTEE, ask, lesson
from tests.released_data import DATA

ERRING = "misconceptions=0&lucky=0&sensitivity=0.85&specificity=0.85"


def mistaken(problem: Problem) -> str:
    puzzle = parse(problem.question)
    assert puzzle
    return write(puzzle, work(puzzle, wrong(puzzle, HashedRandom(problem.id))), 0)


def realised(names: tuple[str, ...], problems: int) -> float:
    """The correlation of two reviewers' errors about one solution, over a sound and a wrong one of each problem."""
    one: list[float] = []
    other: list[float] = []
    for problem in lesson(problems):
        for text, flawed in ((problem.rationale, False), (mistaken(problem), True)):
            erred = [(read_score(ask(name, "reviewer/score", problem, rationale=text)) > 3) == flawed for name in names]
            for a, b in permutations(erred, 2):
                one.append(a)
                other.append(b)
    return correlation(one, other)


@pytest.mark.parametrize("shared", [0, SHARED, 0.7])
def test_errors_of_reviewers_correlate_as_set(shared: float) -> None:
    panel = tuple(f"{name}?{ERRING}&shared={shared}" for name in COMMITTEE)
    assert realised(panel, 400) == pytest.approx(shared, abs=0.06)  # 3,200 reviews


def test_two_of_different_values_correlate_by_their_root_of_the_product() -> None:
    pair = (f"ada?{ERRING}&shared=0", f"ben?{ERRING}&shared=1")
    assert realised(pair, 400) == pytest.approx(0, abs=0.07)


def test_a_persona_errs_with_others_as_real_reviewers_do_unless_told_otherwise() -> None:
    assert persona("ada").shared == SHARED == 0.29
    assert persona("ada?shared=0").shared == 0


def agreeing_when_wrong(query: str, problems: int) -> float:
    """How often another teacher reaches the same answer where one's is wrong."""
    agreed: list[bool] = []
    for problem in lesson(problems):
        answers = [ask(f"{name}{query}", "teacher/solve", problem).rpartition(" is ")[2] for name in COMMITTEE]
        for one, other in combinations(answers, 2):
            for answer in (one, other):
                if answer != f"{problem.answer} .":
                    agreed.append(one == other)
    return sum(agreed) / len(agreed)


def test_teachers_agree_on_a_wrong_answer_nearly_as_often_as_real_ones() -> None:
    """The released committee: 10.6 % (82 of 776)."""
    apart, together = agreeing_when_wrong("?shared=0", 600), agreeing_when_wrong("", 600)
    assert apart < 0.05
    assert 0.07 < together < 0.14


def test_what_is_misremembered_in_common_is_the_same_wrong_number() -> None:
    known: dict[str, set[int]] = {}
    for name in COMMITTEE:
        for unit, number in persona(f"{name}?misconceptions=8&shared=1").facts.items():
            known.setdefault(unit, set()).add(number)
    assert all(len(numbers) == 1 for numbers in known.values())
    own = [persona(f"{name}?misconceptions=8&shared=0").facts for name in COMMITTEE]
    assert any(own[0][unit] != own[1][unit] for unit in own[0].keys() & own[1].keys())


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the released committee (ERRATA_DATA)")
async def test_the_default_is_the_correlation_of_the_released_committee() -> None:
    file = DATA / "learn_from_committee/Llama-2-7b-chat-hf_svamp_rationale_round0.json"
    one: list[float] = []
    other: list[float] = []
    async with Grader() as grader:
        for row in json.loads(file.read_text(encoding="utf-8")):
            problem = Problem(id=str(row["id"]), task="t", question="?", answer=row["gold_answer"], kind="number")
            for name in ("gpt", "gemini", "mistral"):
                text, *scores = row[f"{name}_rationale"]
                right = (await grader.grade(problem, text)).correct
                if all(1 <= score <= 5 for score in scores):
                    erred = [(score > 3) != right for score in scores]
                    one += erred
                    other += erred[::-1]
    assert len(one) == 2 * 1159
    assert correlation(one, other) == pytest.approx(SHARED, abs=0.01)
