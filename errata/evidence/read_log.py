"""The evidence of a run: its ballots from the log, and with them each rationale's reviews.

transcripts.jsonl --case_of--> equal answers --votes--> Evidence
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from errata.evidence.ballots import Ballot, Ballots, Floats, Patterns, Voter, gather, patterns
from errata.evidence.layout import Layout
from errata.evidence.voters_model import Fit, fit
from errata.evidence.votes import VOTES, Case, Same, Vote, case_of
from errata.grading.grader import Grader
from errata.records import Review, Transcript
from errata.runs.marks import Marks, marks_in
from errata.runs.ran_stages import judged_roles
from errata.runs.review_counts import further_samples
from errata.runs.run_dir import RunDir
from errata.runs.transcripts import read_transcripts


@dataclass(frozen=True)
class Evidence:
    """All votes on a log's rationales. `gold` are the ballots with the gold verdicts, `ballots` what the model sees."""

    gold: Ballots
    ballots: Ballots
    reviews: tuple[tuple[Review, ...], ...]
    """Of each rationale, without their texts."""
    before: Evidence | None = None
    """The same before a person marked any of it; None where nobody did."""
    further: frozenset[str] = frozenset()
    """Rationales that adaptive votes asked for, beside those that every teacher writes."""

    def with_marks(self, marks: Mapping[str, bool]) -> Evidence:
        """The same where a person's marks anchor the model as gold verdicts do; where gold is known to it, gold does.

        Args:
            marks: right or not, by rationale id; of other rationales they say nothing.
        """
        marked_N = np.array([float(marks[each]) if each in marks else np.nan for each in self.ballots.ids])
        seen_N = np.where(np.isnan(self.ballots.gold_N), marked_N, self.ballots.gold_N)
        if np.array_equal(seen_N, self.ballots.gold_N, equal_nan=True):
            return self
        return Evidence(self.gold, self.ballots.with_verdicts(seen_N), self.reviews, self, self.further)

    @property
    def anchored(self) -> Ballots:
        """The ballots with what the model knows by gold alone."""
        return self.ballots if self.before is None else self.before.ballots

    @cached_property
    def kinds(self) -> Patterns:
        return patterns(self.ballots.counted())

    @cached_property
    def layout(self) -> Layout:
        return Layout.of(self.kinds.ballots)

    @cached_property
    def model(self) -> Fit:
        """The fitted model, of the kinds of problems."""
        return fit(self.layout, self.kinds.counts())

    @cached_property
    def right_N(self) -> Floats:
        """Probability of being right, by rationale."""
        right: Floats = self.model.right_N[self.kinds.row_N] if len(self.ballots) else np.zeros(0)
        return right

    @cached_property
    def flawed_N(self) -> Floats:
        """Probability that flawed steps led to the answer, given that it is right; 0 where a person marked it right."""
        flawed: Floats = self.model.flawed_N[self.kinds.row_N] if len(self.ballots) else np.zeros(0)
        marked_N = np.isnan(self.anchored.gold_N) & (self.ballots.gold_N == 1)
        return np.where(marked_N, 0.0, flawed)

    @property
    def sound_N(self) -> Floats:
        """Probability of being right by sound steps, by rationale."""
        return self.right_N * (1 - self.flawed_N)


def read_evidence(
    run: RunDir, votes: Sequence[Vote] = VOTES, *, hide_gold: bool = False, marks: Marks | None = None
) -> Evidence:
    """The evidence of a run directory with the marks that it holds; no call is made. `marks` go before those.

    Answers are equal by the shipped grader's rules, whatever grader the run had: reading a run loads no code of its
    recipe. Raises UsageError where the log cannot be read.
    """
    transcripts = read_transcripts(run.log, run.index().in_input_order())
    evidence = asyncio.run(_read(transcripts, judged_roles(run.manifest()), votes, hide_gold))
    every = {**marks_in(run), **(marks or {})}
    return evidence.with_marks({name: mark.right for name, mark in every.items()})


async def _read(
    transcripts: Iterable[Transcript], roles: Sequence[str], votes: Sequence[Vote], hide_gold: bool
) -> Evidence:
    async with Grader() as grader:
        return await evidence_of(transcripts, roles, votes, grader.same, hide_gold=hide_gold)


async def evidence_of(
    transcripts: Iterable[Transcript],
    roles: Sequence[str],
    votes: Sequence[Vote],
    same: Same,
    *,
    hide_gold: bool = False,
) -> Evidence:
    """The evidence in transcripts, of the rationales in these roles."""
    problems, reviews, further = [], [], set[str]()
    for transcript in transcripts:
        case = await case_of(transcript, roles, same)
        problems.append(ballots_of(case, votes))
        further |= further_samples(transcript)
        reviews += [tuple(one.model_copy(update={"text": ""}) for one in each.reviews) for each in case.judged]
    gold = gather(problems)
    visible = gold.without_gold() if hide_gold else gold
    return Evidence(gold, visible, tuple(reviews), further=frozenset(further))


def ballots_of(case: Case, votes: Sequence[Vote]) -> list[Ballot]:
    """One ballot for each judged rationale of a problem."""
    cast: dict[str, dict[Voter, bool]] = {each.id: {} for each in case.judged}
    for vote in votes:
        for rationale_id, voter, yes in vote.of(case):
            cast[rationale_id][voter] = yes
    return [
        Ballot(
            each.id,
            each.author if each.role == "teacher" else f"{each.author} ({each.role})",
            case.group[each.id],
            cast[each.id],
            each.correct,
            len(each.reviews),
        )
        for each in case.judged
    ]
