"""All votes of a log as arrays: what the model of the voters and the acceptance rules read.

    transcripts --votes--> Ballots: one row per rationale, problems with the same votes counted once in the model

Letters: N rationales · P problems · G answers (a problem's groups of equal answers) · J voters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int32]]
Bytes = np.ndarray[Any, np.dtype[np.int8]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

YES, NO, NONE = 1, -1, 0


class Voter(NamedTuple):
    """Who votes. `panel`: one of those who may err together on a text. `prior`: right and wrong votes taken as seen.

    `counted` is False for what the model reads elsewhere: it has agreement from the groups of equal answers.
    """

    name: str
    panel: bool = False
    prior: tuple[float, float] = (6.0, 3.0)
    counted: bool = True


class Ballot(NamedTuple):
    """One rationale with its votes.

    `group` numbers the answers of its problem, equal ones alike, from 0 in order of appearance; None without an answer.
    `right` is the gold verdict, None where it is not known. `reviews` counts the review calls made for it.
    """

    rationale_id: str
    author: str
    group: int | None
    votes: dict[Voter, bool]
    right: bool | None = None
    reviews: int = 0


@dataclass(frozen=True)
class Ballots:
    """The ballots of a log. Rows of one problem stand together."""

    ids: tuple[str, ...]
    authors: tuple[str, ...]
    voters: tuple[Voter, ...]
    problem_N: Ints
    author_N: Ints
    group_N: Ints
    """Numbered over the whole log; -1 where no answer was read."""
    votes_NJ: Bytes
    gold_N: Floats
    """1 right, 0 wrong, NaN unknown."""
    reviews_N: Ints

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def problems(self) -> int:
        return int(self.problem_N[-1]) + 1 if len(self) else 0

    def with_verdicts(self, gold_N: Floats) -> Ballots:
        """The same votes with these verdicts known: 1 right, 0 wrong, NaN unknown."""
        return self._with(gold_N=gold_N)

    def without_gold(self) -> Ballots:
        """The same votes with no gold verdict known."""
        return self._with(gold_N=np.full(len(self), np.nan))

    def with_votes(self, votes_NJ: Bytes, reviews_N: Ints | None = None) -> Ballots:
        """The same rationales with other votes, as where fewer reviews are asked."""
        return self._with(votes_NJ=votes_NJ, reviews_N=self.reviews_N if reviews_N is None else reviews_N)

    def counted(self) -> Ballots:
        """The ballots with the votes that the model counts alone."""
        columns = [column for column, voter in enumerate(self.voters) if voter.counted]
        return self._with(voters=tuple(self.voters[column] for column in columns), votes_NJ=self.votes_NJ[:, columns])

    def of_problems(self, problems: Sequence[int] | Ints) -> Ballots:
        """The ballots of these problems, in this order; one that stands twice counts as two problems."""
        bounds = np.searchsorted(self.problem_N, np.arange(self.problems + 1))
        rows = [np.arange(bounds[each], bounds[each + 1]) for each in problems]
        chosen = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        fresh = np.repeat(np.arange(len(rows)), [len(each) for each in rows]).astype(np.int32)
        pairs = np.stack([fresh, self.group_N[chosen]], axis=1)
        _, group_N = np.unique(pairs, axis=0, return_inverse=True)
        answered = self.group_N[chosen] >= 0
        groups = np.full(len(chosen), -1, np.int32)
        groups[answered] = np.unique(group_N.reshape(-1)[answered], return_inverse=True)[1]
        return Ballots(
            tuple(self.ids[row] for row in chosen),
            self.authors,
            self.voters,
            fresh,
            self.author_N[chosen],
            groups,
            self.votes_NJ[chosen],
            self.gold_N[chosen],
            self.reviews_N[chosen],
        )

    def _with(self, **changed: Any) -> Ballots:
        return Ballots(**{**self.__dict__, **changed})


def gather(problems: Iterable[Sequence[Ballot]]) -> Ballots:
    """The ballots of all problems as arrays. Authors and voters stand in order of name."""
    held = [each for each in problems if each]
    rows = [ballot for each in held for ballot in each]
    authors = sorted({each.author for each in rows})
    voters = sorted({voter for each in rows for voter in each.votes})
    place, column = {name: i for i, name in enumerate(authors)}, {voter: j for j, voter in enumerate(voters)}
    votes_NJ = np.zeros((len(rows), len(voters)), np.int8)
    for row, each in enumerate(rows):
        for voter, yes in each.votes.items():
            votes_NJ[row, column[voter]] = YES if yes else NO
    return Ballots(
        ids=tuple(each.rationale_id for each in rows),
        authors=tuple(authors),
        voters=tuple(voters),
        problem_N=np.repeat(np.arange(len(held)), [len(each) for each in held]).astype(np.int32),
        author_N=np.array([place[each.author] for each in rows], np.int32),
        group_N=_groups(held),
        votes_NJ=votes_NJ,
        gold_N=np.array([np.nan if each.right is None else float(each.right) for each in rows]),
        reviews_N=np.array([each.reviews for each in rows], np.int32),
    )


def _groups(problems: Sequence[Sequence[Ballot]]) -> Ints:
    numbers: list[int] = []
    first = 0
    for each in problems:
        own = [-1 if ballot.group is None else first + ballot.group for ballot in each]
        numbers += own
        first = max([first, *(number + 1 for number in own)])
    return np.array(numbers, np.int32)


class Patterns(NamedTuple):
    """Problems with equal ballots, each kind once: `ballots` of the kinds, and of which kind each problem is.

    `row_N` gives each rationale of the log its row among the ballots of the kinds.
    """

    ballots: Ballots
    kind_P: Ints
    row_N: Ints

    def counts(self, weight_P: Floats | None = None) -> Floats:
        """How many problems are of each kind; with weights, their sum."""
        weights = np.ones(len(self.kind_P)) if weight_P is None else weight_P
        return np.bincount(self.kind_P, weights=weights, minlength=self.ballots.problems).astype(float)


def patterns(ballots: Ballots) -> Patterns:
    """Collapses problems with equal ballots: a log of 100,000 rationales has some thousand kinds of problems."""
    bounds = np.searchsorted(ballots.problem_N, np.arange(ballots.problems + 1))
    known = np.nan_to_num(ballots.gold_N, nan=2.0)[:, None]
    columns = np.hstack([ballots.author_N[:, None], _local_groups(ballots)[:, None], known, ballots.votes_NJ])
    table = np.ascontiguousarray(columns.astype(np.int16))
    kinds: dict[bytes, int] = {}
    kind_P, first = np.empty(ballots.problems, np.int32), []
    for problem in range(ballots.problems):
        key = table[bounds[problem] : bounds[problem + 1]].tobytes()
        if key not in kinds:
            kinds[key] = len(kinds)
            first.append(problem)
        kind_P[problem] = kinds[key]
    collapsed = ballots.of_problems(first)
    starts = np.searchsorted(collapsed.problem_N, np.arange(len(first)))
    offsets = np.arange(len(ballots)) - bounds[ballots.problem_N]
    row_N = (starts[kind_P[ballots.problem_N]] + offsets).astype(np.int32) if len(ballots) else np.zeros(0, np.int32)
    return Patterns(collapsed, kind_P, row_N)


def _local_groups(ballots: Ballots) -> Ints:
    """Groups numbered from 0 within each problem; -1 stays."""
    first = np.full(ballots.problems, np.iinfo(np.int32).max, np.int32)
    answered = ballots.group_N >= 0
    np.minimum.at(first, ballots.problem_N[answered], ballots.group_N[answered])
    return np.where(answered, ballots.group_N - first[ballots.problem_N], -1).astype(np.int32)
