"""When one more vote is worth asking for: a policy learned once from the first problems, then the same for all.

    posterior of the problem's rationales (estimated.py)
        --> what each review or sample that may still be asked for is worth (vote_worth.py), per price
        --> the one that is worth most is asked for, as long as that is at least the policy's price

The price is the one at which the problems of the warm-up, on which every vote has been made, would have taken as many
reviews per rationale as the recipe wants; a sample counts as so many as it costs. Of reviews that are worth the same,
that of the reviewer is asked for whose scores told most in the warm-up; of samples, that of a teacher drawn by hash.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from errata.graphs.estimated import HIGH, SCORED_HIGH
from errata.graphs.vote_worth import Ask, Case, Sample, worth_of
from errata.records import Rationale, Review, draw

TAKEN_AS_SEEN = 10.0
"""Right, and wrong, rationales taken as scored by each reviewer at the stated rates (estimated.SCORED_HIGH)."""


class VotePolicy(NamedTuple):
    """What the warm-up has taught. `price`: the least that a review must be worth; `reviewers`: most telling first."""

    price: float
    reviewers: tuple[str, ...]


class Choice(NamedTuple):
    """The vote to ask for next, and what it is worth per review that it costs."""

    vote: Ask | Sample
    worth: float


def best(
    case: Case, votes: Sequence[Ask | Sample], reviewers: Sequence[str], sample_price: float = 1.0
) -> Choice | None:
    """The vote that is worth most per price; None where there is none to ask for.

    Of equal ones a review goes before a sample, the more telling reviewer's first, then that of the earlier rationale.

    Args:
        reviewers: most telling first; one that is not among them comes last.
        sample_price: of a sample, in reviews.
    """
    if not votes:
        return None
    chances, known = case.chances(), dict[int | str, float]()
    rank = {name: place for place, name in enumerate(reviewers)}

    def worth(vote: Ask | Sample) -> float:
        about = vote.place if isinstance(vote, Ask) else vote.teacher
        if about not in known:
            cost = 1.0 if isinstance(vote, Ask) else sample_price
            known[about] = round(worth_of(case, vote, chances) / cost, 9)
        return known[about]

    def order(vote: Ask | Sample) -> tuple[float, int, float, int, str]:
        if isinstance(vote, Ask):
            return -worth(vote), 0, rank.get(vote.reviewer, len(rank)), vote.place, vote.reviewer
        return -worth(vote), 1, draw(case.problem.id, "sampled", vote.teacher), 0, vote.teacher

    first = min(votes, key=order)
    return Choice(first, worth(first))


# ---- learning --------------------------------------------------------------------------------------------------------


class Bought(NamedTuple):
    """A vote that was made: the highest price at which a policy asks for it, what it costs in reviews, and the case
    with it."""

    worth: float
    cost: float
    case: Case


def learn(cases: Sequence[Case], reviews_per_rationale: float, sample_price: float = 1.0) -> VotePolicy:
    """The policy that would have asked for at most so many reviews per judged rationale on these cases.

    Args:
        cases: problems that the whole panel has reviewed, and of which every teacher has written what further samples
            it may be asked for. Gold verdicts, where there are some, tell how good reviewers are; the price goes by
            estimates alone, as on problems without.
        sample_price: of a sample, in reviews.
    """
    reviewers = most_telling(cases)
    bought = [each for case in cases for each in replayed(case, reviewers, sample_price)]
    budget = reviews_per_rationale * sum(len(case.judged) for case in cases)
    return VotePolicy(_price(bought, budget), reviewers)


def _price(bought: Sequence[Bought], budget: float) -> float:
    """The lowest price at which at most so much is spent; votes that are worth the same are all bought, or none."""
    costs = defaultdict[float, float](float)
    for each in bought:
        costs[each.worth] += each.cost
    price, spent = 1.0, 0.0
    for worth in sorted(costs, reverse=True):
        spent += costs[worth]
        if spent > budget + 1e-9:
            return price
        price = worth if worth > 0 else price
    return price if any(worth > 0 for worth in costs) else 0.0


def without_votes(case: Case) -> Case:
    """The case before any review of what is judged and any further sample."""
    _, case = _without_samples(case)
    judged = case.judged
    bare = (each.model_copy(update={"reviews": ()}) if each.id in judged else each for each in case.rationales)
    return case._replace(rationales=tuple(bare))


def replayed(case: Case, reviewers: Sequence[str], sample_price: float = 1.0) -> Iterator[Bought]:
    """Each vote that a case holds, in the order in which a policy asks for them."""
    samples, written = _without_samples(case)
    reviews = {Ask(place, review.reviewer): review for place, review in _reviews(written)}
    case, lowest = without_votes(case), 1.0
    while choice := best(case, [*reviews, *map(Sample, samples)], reviewers, sample_price):
        lowest = min(lowest, choice.worth)
        if isinstance(choice.vote, Ask):
            case = case.with_review(choice.vote.place, reviews.pop(choice.vote))
            yield Bought(lowest, 1.0, case)
            continue
        waiting = samples[choice.vote.teacher]
        case = case.with_sample(*waiting.pop(0))
        if not waiting:
            del samples[choice.vote.teacher]
        yield Bought(lowest, sample_price, case)


def _without_samples(case: Case) -> tuple[dict[str, list[tuple[Rationale, int | None]]], Case]:
    """Every teacher's further samples with their answers, in order, and the case without them."""
    samples = defaultdict[str, list[tuple[Rationale, int | None]]](list)
    both = list(zip(case.rationales, case.answers, strict=True))
    for each, answer in sorted(both, key=lambda one: one[0].sample):
        if each.id in case.extra:
            samples[each.author].append((each, answer))
    rest = [one for one in both if one[0].id not in case.extra]
    rationales, answers = tuple(each for each, _ in rest), tuple(answer for _, answer in rest)
    return dict(samples), Case(case.problem, rationales, answers, case.judged)


def _reviews(case: Case) -> Iterator[tuple[int, Review]]:
    for place, each in enumerate(case.rationales):
        if each.id in case.judged and case.answers[place] is not None:
            yield from ((place, review) for review in each.reviews)


def most_telling(cases: Sequence[Case]) -> tuple[str, ...]:
    """The reviewers by how much more often they score right rationales high than wrong ones."""
    high = defaultdict[tuple[str, bool], float](float)
    totals = defaultdict[tuple[str, bool], float](float)
    for case in cases:
        chances = case.chances()
        for place, review in _reviews(case):
            if review.valid and review.score is not None:
                known = case.rationales[place].correct
                chance = chances[place] if known is None else float(known)
                for truth, share in ((True, chance), (False, 1 - chance)):
                    totals[review.reviewer, truth] += share
                    high[review.reviewer, truth] += share * (review.score > HIGH)

    def rate(name: str, truth: bool) -> float:
        taken = SCORED_HIGH[truth] * TAKEN_AS_SEEN
        return (high[name, truth] + taken) / (totals[name, truth] + TAKEN_AS_SEEN)

    tells = {name: round(rate(name, True) - rate(name, False), 9) for name, _ in totals}
    return tuple(sorted(tells, key=lambda name: (-tells[name], name)))
