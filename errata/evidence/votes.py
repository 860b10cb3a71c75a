"""A vote: one function from a transcript, and which of its answers are equal, to yes or no per rationale and voter.

    reviews of ben: 5   ->  review:ben      yes
    ada and ben reach the same answer  ->  agrees:ben on ada's rationale yes, agrees:ada on ben's yes
    12 * 3 = 35         ->  arithmetic      no

A voter that has nothing to say of a rationale abstains. One's own is a Vote in a file, `my_votes.py:VOTE`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from errata.classroom.check_steps import read
from errata.classroom.equations import Equation, equations
from errata.classroom.grammar import UNITS as COUNTED_IN
from errata.config.code import Loader, is_reference
from errata.errors import UsageError
from errata.evidence.ballots import Voter
from errata.records import AnswerKind, Rationale, Transcript

ACCEPTABLE = 3
"""A review says yes with a score above it (MAPD's threshold)."""

Same = Callable[[AnswerKind, str, str, Sequence[str]], Awaitable[bool]]
"""Whether two answers are equal: `Grader.same`."""


class Verdict(NamedTuple):
    """What one voter says of one rationale."""

    rationale_id: str
    voter: str
    yes: bool


@dataclass(frozen=True)
class Case:
    """One transcript as votes see it: the rationales that are judged, and by id the group of each one's answer.

    Equal answers are in one group, numbered from 0 in order of appearance; a rationale without an answer has None.
    """

    transcript: Transcript
    judged: tuple[Rationale, ...]
    group: Mapping[str, int | None]

    def same(self, one: Rationale, other: Rationale) -> bool | None:
        """Whether both reach the same answer; None where one of them has none."""
        left, right = self.group.get(one.id), self.group.get(other.id)
        return None if left is None or right is None else left == right


@dataclass(frozen=True)
class Vote:
    """A kind of vote. `panel`, `prior`, `counted`: as of its voters (errata.evidence.ballots.Voter)."""

    name: str
    cast: Callable[[Case], Iterable[Verdict]]
    panel: bool = False
    prior: tuple[float, float] = (6.0, 3.0)
    counted: bool = True

    def of(self, case: Case) -> Iterator[tuple[str, Voter, bool]]:
        """(rationale id, voter, yes) for every verdict."""
        for verdict in self.cast(case):
            name = f"{self.name}:{verdict.voter}" if verdict.voter else self.name
            yield verdict.rationale_id, Voter(name, self.panel, self.prior, self.counted), verdict.yes


async def case_of(transcript: Transcript, roles: Sequence[str], same: Same) -> Case:
    """The transcript with the answers of the rationales in these roles sorted into groups of equal ones."""
    judged = tuple(each for each in transcript.rationales if each.role in roles)
    problem = transcript.problem
    first: list[str] = []
    group: dict[str, int | None] = {}
    for each in judged:
        group[each.id] = None
        if each.answer is None:
            continue
        for number, answer in enumerate(first):
            if answer == each.answer or await same(problem.kind, answer, each.answer, problem.choices):
                group[each.id] = number
                break
        else:
            group[each.id] = len(first)
            first.append(each.answer)
    return Case(transcript, judged, group)


# ---- the shipped votes -----------------------------------------------------------------------------------------------


def reviews(case: Case) -> Iterator[Verdict]:
    """Every reviewer's verdict: yes where the score is above 3. An unreadable or lost review abstains."""
    for each in case.judged:
        for review in each.reviews:
            if review.valid and review.score is not None:
                yield Verdict(each.id, review.reviewer, review.score > ACCEPTABLE)


def agreement(case: Case) -> Iterator[Verdict]:
    """Whether another author reached the same answer in any sample. An author without an answer abstains."""
    authors = dict.fromkeys(each.author for each in case.judged)
    for each in case.judged:
        for author in authors:
            others = [other for other in case.judged if other.author == author != each.author]
            matches = [same for other in others if (same := case.same(each, other)) is not None]
            if matches:
                yield Verdict(each.id, author, any(matches))


def own_samples(case: Case) -> Iterator[Verdict]:
    """Whether at least half of its author's other samples reach the same answer. A single sample abstains."""
    for each in case.judged:
        others = [other for other in case.judged if other.author == each.author and other.id != each.id]
        matches = [same for other in others if (same := case.same(each, other)) is not None]
        if matches:
            yield Verdict(each.id, "", 2 * sum(matches) >= len(matches))


def arithmetic(case: Case) -> Iterator[Verdict]:
    """Whether all written equations hold. A text without one abstains."""
    for each in case.judged:
        written = equations(each.text)
        if written:
            yield Verdict(each.id, "", all(map(_holds, written)))


def _holds(equation: Equation) -> bool:
    left, right = equation.left, equation.right
    match equation.op:
        case "+":
            return left + right == equation.result
        case "-":
            return left - right == equation.result
        case "*":
            return left * right == equation.result
    return left == equation.result * right


def units(case: Case) -> Iterator[Verdict]:
    """Whether all stated unit facts hold (`a dozen is 12`). A text without one abstains."""
    for each in case.judged:
        facts = [one for one in read(each.text) if one.what == "fact"]
        if facts:
            yield Verdict(each.id, "", all(COUNTED_IN[fact.unit] == fact.result for fact in facts))


def revision(case: Case) -> Iterator[Verdict]:
    """Whether a revision kept the answer of the rationale that it revises."""
    by_id = {each.id: each for each in case.judged}
    for each in case.judged:
        parent = by_id.get(each.parent_id or "")
        if parent is not None and each.role == "revised" and (same := case.same(parent, each)) is not None:
            yield Verdict(parent.id, "", same)


VOTES = (
    Vote("review", reviews, panel=True),
    Vote("agrees", agreement, counted=False),
    Vote("own_samples", own_samples, counted=False),
    Vote("arithmetic", arithmetic),
    Vote("units", units),
    Vote("revision", revision),
)


# ---- votes of one's own ----------------------------------------------------------------------------------------------


def votes_of(names: Sequence[str], loader: Loader | None = None, votes: Sequence[Vote] = VOTES) -> tuple[Vote, ...]:
    """The shipped votes and those of one's own that are named as `my_votes.py:VOTE`. Raises UsageError."""
    loader = loader or Loader(Path.cwd(), anywhere=True)
    for name in names:
        if not is_reference(name):
            raise UsageError(f"no vote is called {name}", "the shipped ones always count", "write my_votes.py:VOTE")
    return (*votes, *(loader.load_value(name, Vote, "VOTE = Vote(name=..., cast=...)") for name in names))
