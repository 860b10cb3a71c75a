"""What one more vote on a problem is worth: by how much it is expected to lower the loss of the verdicts.

    review of a rationale    high or low, by its probability of being right --> the posterior with that score
    sample of a teacher      the answer that it would give                  --> the posterior with that answer

The loss is the expected Brier loss (Brier 1950) of the verdicts on the judged rationales, sum p (1 - p): nothing is
gained where all is decided, most where one answer tips the scale. A teacher is taken to give the right answer at the
rate of estimated.py, else one of the likely wrong ones, and to repeat itself as its samples correlate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from errata.graphs.estimated import (
    SAME_AUTHOR,
    SCORED_HIGH,
    TEACHER_RIGHT,
    answer_chances,
    author_of,
    estimates,
    wrong_answers,
)
from errata.records import Problem, Rationale, Review


class Case(NamedTuple):
    """One problem: all its rationales, their answers as numbers (equal for equivalent ones), and which are judged."""

    problem: Problem
    rationales: tuple[Rationale, ...]
    answers: tuple[int | None, ...]
    judged: frozenset[str]
    extra: frozenset[str] = frozenset()
    """Samples beyond those that every teacher writes."""

    def with_review(self, place: int, review: Review) -> Case:
        """The case with one more review of the rationale at this place."""
        each = self.rationales[place]
        changed = each.model_copy(update={"reviews": (*each.reviews, review)})
        return self._replace(rationales=(*self.rationales[:place], changed, *self.rationales[place + 1 :]))

    def with_sample(self, sample: Rationale, answer: int | None) -> Case:
        """The case with one more rationale, which is not judged; its answer as a number, None where it has none."""
        extra = self.extra | {sample.id}
        return self._replace(rationales=(*self.rationales, sample), answers=(*self.answers, answer), extra=extra)

    def chances(self) -> list[float]:
        """The probability that each rationale's answer is right; one half where nothing speaks for or against it."""
        chances = estimates(self.problem, self.rationales, self.answers)
        return [0.5 if chance is None else chance for chance in chances]


class Ask(NamedTuple):
    """A review that may be asked for: of the rationale at this place, by this reviewer."""

    place: int
    reviewer: str


class Sample(NamedTuple):
    """One more answer that may be asked for, of this teacher."""

    teacher: str


def worth_of(case: Case, vote: Ask | Sample, chances: Sequence[float]) -> float:
    """By how much a vote is expected to lower the loss; rounded, so that equal is equal."""
    if isinstance(vote, Ask):
        after = _after_review(case, vote.place, chances[vote.place])
    else:
        after = sum(chance * _loss(_imagined(case, vote, answer)) for answer, chance in outcomes(case, vote).items())
    return round(_loss(case, chances) - after, 9)


def _after_review(case: Case, place: int, right: float) -> float:
    high = SCORED_HIGH[True] * right + SCORED_HIGH[False] * (1 - right)
    scores = ((5, high), (1, 1 - high))
    reviews = ((Review(id="imagined", reviewer="", score=score, valid=True, text=""), share) for score, share in scores)
    return sum(share * _loss(case.with_review(place, review)) for review, share in reviews)


def outcomes(case: Case, sample: Sample) -> dict[int, float]:
    """How probably a teacher's next sample gives each answer; one that nobody has given has the next number."""
    chances, wrong = answer_chances(case.problem, case.rationales, case.answers), wrong_answers(case.problem)
    fresh = {
        answer: chance * TEACHER_RIGHT + (1 - chance) * (1 - TEACHER_RIGHT) / wrong
        for answer, chance in chances.items()
    }
    fresh[max(fresh, default=-1) + 1] = max(0.0, 1 - sum(fresh.values()))
    own = [
        answer
        for each, answer in zip(case.rationales, case.answers, strict=True)
        if answer is not None and each.role == "teacher" and author_of(each) == sample.teacher
    ]
    return _mixed(fresh, {answer: own.count(answer) / len(own) for answer in own}, SAME_AUTHOR if own else 0.0)


def _mixed(fresh: Mapping[int, float], own: Mapping[int, float], repeats: float) -> dict[int, float]:
    whole = sum(fresh.values())
    return {answer: (1 - repeats) * chance / whole + repeats * own.get(answer, 0.0) for answer, chance in fresh.items()}


def _imagined(case: Case, sample: Sample, answer: int) -> Case:
    written = Rationale(
        id="imagined", problem_id=case.problem.id, author=sample.teacher, role="teacher", text="", answer=str(answer)
    )
    return case.with_sample(written, answer)


def _loss(case: Case, chances: Sequence[float] | None = None) -> float:
    chances = case.chances() if chances is None else chances
    judged = (chance for each, chance in zip(case.rationales, chances, strict=True) if each.id in case.judged)
    return sum(chance * (1 - chance) for chance in judged)
