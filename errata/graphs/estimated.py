"""Estimated verdicts: the probability that a rationale's answer is right, of one problem without a gold answer.

    answers, grouped by the grader's equivalence --+
    reviewers' scores, where a panel sat ----------+--> log-odds of each answer --> of each rationale that gives it
    arithmetic of the written steps ---------------+

Exactly one answer of a problem is right: one that was given, or one that nobody gave. Each voter's answer, each score
and each checked text multiplies the odds of its answer by a fixed rate, and the odds of all answers are normed to 1.
So no two different answers of one problem can both be held right, at 0.5 or more.

Votes are what was written without sight of another's answer: by teachers, the student and a reviser whose critics were
blind. Rewrites are none; theirs is the probability of the answer they end in.

The rates are counted on the committee released with MAPD (arXiv 2410.03663; 1,161 SVAMP rationales of three teachers,
`recipes/svamp_committee.yaml`), verdicts by the gold answer. They are fixed, so that a problem's estimate depends on
nothing but its own transcript: neither on the order of problems nor on a resume. On these very rationales estimates
agree with the gold answer for 87.9 % without reviews and 94.8 % with them; the paper's panel for 84.1 %. Its reviewers
saw the gold answer: blind ones err more, and a model of the voters over a whole log tells more of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from math import exp, log
from typing import Literal

from errata.classroom.equations import equations, value_of
from errata.records import Problem, Rationale

TEACHER_RIGHT = 0.67
"""Teachers' rationales that are right: 773 of 1,161."""
STUDENT_RIGHT = 0.5
"""A student's, as plans assume (graphs.call_counts.Rates); the committee's student was chosen for its mistakes."""
WRONG_ANSWERS = 5
"""Likely wrong answers of an open question: of 209 pairs of wrong answers 41 are the same, one in five."""
SAME_AUTHOR, SAME_PANEL = 0.5, 0.29
"""Correlation of one author's samples (set, not measured), and of reviewers' mistakes about one rationale: n of them
count as n / (1 + (n - 1) r)."""
SCORED_HIGH = {True: 0.93, False: 0.38}
"""Scores over 3 that right and wrong rationales got."""
ARITHMETIC = {"refuted": {True: 0.008, False: 0.188}, "holds": {True: 0.613, False: 0.418}}
"""Right and wrong rationales with a written equation that is false, and with equations that are all true."""
HIGH = 3


def estimates(problem: Problem, rationales: Sequence[Rationale], answers: Sequence[int | None]) -> list[float | None]:
    """The probability that each rationale's answer is right; None where nothing but its own answer speaks for it.

    Args:
        problem: one without a gold answer; its kind and choices say how many answers there may be.
        rationales: all that was written on it so far, with their reviews.
        answers: each rationale's answer as a number, equal for equivalent ones; None where none could be read. Such a
            rationale is right with probability 0.
    """
    voters = [
        (each, answer) for each, answer in zip(rationales, answers, strict=True) if _votes(each) and answer is not None
    ]
    if not _is_evidence(voters):
        return [0.0 if answer is None else None for answer in answers]
    shares = _posterior(problem, voters)
    return [0.0 if answer is None else shares.get(answer, shares[None]) for answer in answers]


def answer_chances(
    problem: Problem, rationales: Sequence[Rationale], answers: Sequence[int | None]
) -> dict[int, float]:
    """The probability of each answer that a vote gives, also where but one does. Arguments as of `estimates`."""
    voters = [
        (each, answer) for each, answer in zip(rationales, answers, strict=True) if _votes(each) and answer is not None
    ]
    shares = _posterior(problem, voters) if voters else {}
    return {answer: chance for answer, chance in shares.items() if answer is not None}


def wrong_answers(problem: Problem) -> int:
    """How many wrong answers are likely."""
    if problem.choices:
        return max(1, len(problem.choices) - 1)
    return 1 if problem.kind == "boolean" else WRONG_ANSWERS


def agreed_answer(rationales: Sequence[Rationale]) -> str | None:
    """The answer of teachers held right, in the form in which most of them write it; None where none is."""
    forms = Counter(each.answer for each in _taught(rationales) if each.answer is not None)
    return min(forms, key=lambda form: (-forms[form], form), default=None)


def agreed_solution(rationales: Sequence[Rationale]) -> str | None:
    """A teacher's text that is held right, one that no panel rejected if there is one; None where none is."""
    best = min(
        _taught(rationales), key=lambda each: (each.accepted is False, -(each.estimated or 0.0), each.id), default=None
    )
    return best.text if best else None


def _taught(rationales: Sequence[Rationale]) -> list[Rationale]:
    """Teachers' votes held right: nobody is shown an answer for which only the student's word stands."""
    return [each for each in rationales if _votes(each) and each.is_right and each.role != "student"]


def as_agreed(problem: Problem, rationales: Sequence[Rationale]) -> Problem | None:
    """The problem with an answer to show: its gold answer, else the agreed one. None where there is neither."""
    if problem.answer is not None:
        return problem
    agreed = agreed_answer(rationales)
    return None if agreed is None else problem.model_copy(update={"answer": agreed})


@lru_cache(maxsize=4096)
def arithmetic(text: str) -> Literal["refuted", "holds", "none"]:
    """What the equations of a text say of it: one is false, all are true, or there are none."""
    checked = [value_of(each) == each.result for each in equations(text)]
    return "none" if not checked else "holds" if all(checked) else "refuted"


# ---- the odds --------------------------------------------------------------------------------------------------------

Voter = tuple[Rationale, int]
"""A rationale with the number of its answer."""


def _votes(rationale: Rationale) -> bool:
    return not rationale.saw_answer and (rationale.parent_id is None or rationale.role == "revised")


def _is_evidence(voters: Sequence[Voter]) -> bool:
    """Whether anything is known beside one answer: another one, a score, or a false equation."""
    return len(voters) > 1 or any(_scores(each) or arithmetic(each.text) == "refuted" for each, _ in voters)


def _posterior(problem: Problem, voters: Sequence[Voter]) -> dict[int | None, float]:
    """The probability of each answer that was given, and under None that of any one that was not."""
    wrong = wrong_answers(problem)
    written = Counter(author_of(each) for each, _ in voters)
    given, odds = 0.0, defaultdict[int, float](float)
    for each, answer in voters:
        rate = STUDENT_RIGHT if each.role == "student" else TEACHER_RIGHT
        weight = _effective(written[author_of(each)], SAME_AUTHOR)
        odds[answer] += weight * log(rate / ((1 - rate) / wrong)) + _of_scores(each) + _of_arithmetic(each)
        given = max(given, odds[answer])
    closed = bool(problem.choices) or problem.kind == "boolean"
    others = max(0 if closed else 1, wrong + 1 - len(odds))
    weights = {answer: exp(each - given) for answer, each in odds.items()}
    total = sum(weights.values()) + others * exp(-given)
    return {**{answer: weight / total for answer, weight in weights.items()}, None: exp(-given) / total}


def author_of(rationale: Rationale) -> str:
    """Who has really written it."""
    return rationale.stand_in or rationale.author


def _effective(number: int, correlation: float) -> float:
    """What each of so many correlated votes counts."""
    return 1 / (1 + (number - 1) * correlation)


def _scores(rationale: Rationale) -> list[int]:
    return [review.score for review in rationale.reviews if review.valid and review.score is not None]


def _of_scores(rationale: Rationale) -> float:
    scores = _scores(rationale)
    high = log(SCORED_HIGH[True] / SCORED_HIGH[False])
    low = log((1 - SCORED_HIGH[True]) / (1 - SCORED_HIGH[False]))
    return sum(high if score > HIGH else low for score in scores) * _effective(len(scores), SAME_PANEL)


def _of_arithmetic(rationale: Rationale) -> float:
    rates = ARITHMETIC.get(arithmetic(rationale.text))
    return log(rates[True] / rates[False]) if rates else 0.0
