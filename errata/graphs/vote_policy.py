"""When one more review is worth asking for: a policy learned once from the first problems, then the same for all.

    posterior of the problem's rationales (estimated.py)
        --> of each review that may still be asked for: by how much it is expected to lower sum p (1 - p)
        --> the one that lowers it most is asked for, as long as that is at least the policy's price

The sum is the expected Brier loss (Brier 1950) of the verdicts on the judged rationales, so that a review is worth
nothing where all is decided, and most where one answer tips the scale. The price is the one at which the problems of
the warm-up, on which the whole panel has spoken, would have taken as many reviews per rationale as the recipe wants.
Of reviews that are worth the same, that of the reviewer is asked for whose scores told most in the warm-up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from errata.graphs.estimated import HIGH, SCORED_HIGH, estimates
from errata.records import Problem, Rationale, Review

TAKEN_AS_SEEN = 10.0
"""Right, and wrong, rationales taken as scored by each reviewer at the stated rates (estimated.SCORED_HIGH)."""


class VotePolicy(NamedTuple):
    """What the warm-up has taught. `price`: the least that a review must be worth; `reviewers`: most telling first."""

    price: float
    reviewers: tuple[str, ...]


class Case(NamedTuple):
    """One problem: all its rationales, their answers as numbers (equal for equivalent ones), and which are judged."""

    problem: Problem
    rationales: tuple[Rationale, ...]
    answers: tuple[int | None, ...]
    judged: frozenset[str]

    def with_review(self, place: int, review: Review) -> Case:
        """The case with one more review of the rationale at this place."""
        each = self.rationales[place]
        changed = each.model_copy(update={"reviews": (*each.reviews, review)})
        return self._replace(rationales=(*self.rationales[:place], changed, *self.rationales[place + 1 :]))

    def chances(self) -> list[float]:
        """The probability that each rationale's answer is right; one half where nothing speaks for or against it."""
        found = estimates(self.problem, self.rationales, self.answers)
        return [0.5 if chance is None else chance for chance in found]


class Ask(NamedTuple):
    """A review that may be asked for: of the rationale at this place, by this reviewer."""

    place: int
    reviewer: str


class Choice(NamedTuple):
    """The review to ask for next, and what it is worth."""

    ask: Ask
    worth: float


def best(case: Case, asks: Sequence[Ask], reviewers: Sequence[str]) -> Choice | None:
    """The review that is worth most; of equal ones that of the more telling reviewer, then of the earlier rationale.

    None where there is none to ask for. `reviewers`: most telling first; one that is not among them comes last.
    """
    if not asks:
        return None
    chances = case.chances()
    worth = {place: _worth(case, place, chances) for place in {ask.place for ask in asks}}
    rank = {name: place for place, name in enumerate(reviewers)}
    first = min(asks, key=lambda ask: (-worth[ask.place], rank.get(ask.reviewer, len(rank)), ask.place, ask.reviewer))
    return Choice(first, worth[first.place])


def _worth(case: Case, place: int, chances: Sequence[float]) -> float:
    """By how much a review of this rationale is expected to lower the loss; rounded, so that equal is equal."""
    high = sum(SCORED_HIGH[truth] * chance for truth, chance in ((True, chances[place]), (False, 1 - chances[place])))
    after = high * _loss(case.with_review(place, _imagined(5))) + (1 - high) * _loss(
        case.with_review(place, _imagined(1))
    )
    return round(_loss(case, chances) - after, 9)


def _loss(case: Case, chances: Sequence[float] | None = None) -> float:
    chances = case.chances() if chances is None else chances
    judged = (chance for each, chance in zip(case.rationales, chances, strict=True) if each.id in case.judged)
    return sum(chance * (1 - chance) for chance in judged)


def _imagined(score: int) -> Review:
    return Review(id="imagined", reviewer="", score=score, valid=True, text="")


# ---- learning --------------------------------------------------------------------------------------------------------


def learn(cases: Sequence[Case], reviews_per_rationale: float) -> VotePolicy:
    """The policy that would have asked for at most so many reviews per judged rationale on these cases.

    Args:
        cases: problems that the whole panel has reviewed. Gold verdicts, where there are some, tell how good reviewers
            are; the price goes by estimates alone, as on problems without.
    """
    reviewers = most_telling(cases)
    worths = sorted((worth for case in cases for worth in _replayed(case, reviewers)), reverse=True)
    number = int(reviews_per_rationale * sum(len(case.judged) for case in cases))
    return VotePolicy(_price(worths, number), reviewers)


def _price(worths: Sequence[float], number: int) -> float:
    """The lowest price at which at most so many of the reviews are bought; equal ones are all bought, or none."""
    if number >= len(worths):
        return min((each for each in worths if each > 0), default=0.0)
    return next((each for each in reversed(worths[:number]) if each > worths[number]), 1.0)


def _replayed(case: Case, reviewers: Sequence[str]) -> Iterator[float]:
    """Of each review, in the order in which a policy asks for them, the highest price at which it would be."""
    made = {Ask(place, review.reviewer): review for place, review in _reviews(case)}
    case = case._replace(
        rationales=tuple(
            each.model_copy(update={"reviews": ()}) if each.id in case.judged else each for each in case.rationales
        )
    )
    lowest = 1.0
    while choice := best(case, list(made), reviewers):
        lowest = min(lowest, choice.worth)
        yield lowest
        case = case.with_review(choice.ask.place, made.pop(choice.ask))


def _reviews(case: Case) -> Iterator[tuple[int, Review]]:
    for place, each in enumerate(case.rationales):
        if each.id in case.judged and case.answers[place] is not None:
            yield from ((place, review) for review in each.reviews)


def most_telling(cases: Sequence[Case]) -> tuple[str, ...]:
    """The reviewers by how much more often they score right rationales high than wrong ones."""
    high = defaultdict[tuple[str, bool], float](float)
    seen = defaultdict[tuple[str, bool], float](float)
    for case in cases:
        chances = case.chances()
        for place, review in _reviews(case):
            if review.valid and review.score is not None:
                known = case.rationales[place].correct
                chance = chances[place] if known is None else float(known)
                for truth, share in ((True, chance), (False, 1 - chance)):
                    seen[review.reviewer, truth] += share
                    high[review.reviewer, truth] += share * (review.score > HIGH)

    def rate(name: str, truth: bool) -> float:
        taken = SCORED_HIGH[truth] * TAKEN_AS_SEEN
        return (high[name, truth] + taken) / (seen[name, truth] + TAKEN_AS_SEEN)

    tells = {name: round(rate(name, True) - rate(name, False), 9) for name, _ in seen}
    return tuple(sorted(tells, key=lambda name: (-tells[name], name)))
