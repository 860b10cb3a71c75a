"""How many calls a graph makes for one problem: least, expected and most.

The counts follow the graphs step by step. A step that always happens has least = expected = most, so that a graph
without branches is counted exactly; a step that depends on what models answer is bounded by never and always, and
expected at the rates. Fresh tries for unreadable replies count as soon as `unreadable` is above 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

from errata.graphs.pipeline import stages_of
from errata.llm.spec import AgentSpec
from errata.records import Verb
from errata.runs.recipe import SynthRecipe


@dataclass(frozen=True)
class Rates:
    """What the expected counts assume; each a share from 0 to 1."""

    student_right: float = 0.5
    """Student's answers that are right."""
    teacher_right: float = 0.8
    """Teachers' rationales that are right."""
    kept: float = 1.0
    """Right rationales that the length and diversity filters leave."""
    accepted: float = 0.75
    """Reviewed rationales that the panel accepts."""
    right_accepted: float = 0.9
    """The same among the right ones."""
    revised_accepted: float = 0.5
    """Revised rationales that the panel then accepts."""
    revised_right: float = 0.6
    """Revised rationales that are right."""
    rectified: float = 0.8
    """Rewrites of a wrong rationale that give a pair in the band."""
    corrupted: float = 0.8
    """The same for right ones."""
    unreadable: float = 0.0
    """Replies that cannot be read and are asked for afresh."""
    repeated: float = 0.0
    """Calls that ask the very same thing as another, as reviews of two equal texts do: they are paid once."""


RATES = tuple(field.name for field in fields(Rates))


class Range(NamedTuple):
    """Least, expected and most of something."""

    least: float
    expected: float
    most: float

    def __add__(self, other: tuple[float, ...]) -> Range:  # type: ignore[override]
        return Range(*(mine + its for mine, its in zip(self, other, strict=True)))

    def times(self, least: float, expected: float | None = None, most: float | None = None) -> Range:
        """Scaled; by one number, or by one for each."""
        scales = (least, least if expected is None else expected, least if most is None else most)
        return Range(*(mine * scale for mine, scale in zip(self, scales, strict=True)))

    def capped(self, at: int | None) -> Range:
        return self if at is None else Range(*(min(mine, at) for mine in self))


NONE = Range(0, 0, 0)


class Work(NamedTuple):
    """Calls of one verb by one agent. `drawn`: one agent of several does it, so that their most do not add up."""

    stage: str
    verb: Verb
    agent: AgentSpec
    calls: Range
    drawn: bool = False


def work_of(recipe: SynthRecipe, rates: Rates) -> list[Work]:
    """The calls for one problem, fresh tries included."""
    counted = _Counted(recipe, rates)
    for stage in stages_of(recipe.graph, recipe.settings):
        counted.work += getattr(counted, stage)()
    merged: dict[tuple[str, Verb, str], Work] = {}
    for work in counted.work:  # a reviewer scores several authors
        key = (work.stage, work.verb, work.agent.name)
        merged[key] = work._replace(calls=work.calls + merged[key].calls) if key in merged else work
    return [work._replace(calls=_once(_with_tries(work, rates.unreadable), rates.repeated)) for work in merged.values()]


def tries_of(work: Work) -> int:
    """How often one reply may be asked for."""
    if work.agent.model.startswith("recorded/"):
        return 1
    return work.agent.tries or (1 if work.stage == "exam" else 3)


def _with_tries(work: Work, unreadable: float) -> Range:
    tries = tries_of(work)
    if unreadable == 0 or tries == 1:
        return work.calls
    return work.calls.times(1, sum(unreadable**attempt for attempt in range(tries)), tries)


def _once(calls: Range, repeated: float) -> Range:
    expected = calls.expected * (1 - repeated)
    return Range(min(calls.least, expected), expected, calls.most)


class _Counted:
    """The counts as the graph goes on; each stage reads what the ones before it have left."""

    def __init__(self, recipe: SynthRecipe, rates: Rates) -> None:
        self.agents, self.settings, self.rates = recipe.agents, recipe.settings, rates
        self.work: list[Work] = []
        self.attending = Range(1, 1, 1)
        """Share of problems that go on after the exam."""
        self.mistakes = NONE
        """The student's wrong answers, of one problem on average."""
        self.right = self.wrong = NONE
        """Rationales of one teacher and problem that may be corrupted and rectified."""

    def exam(self) -> Iterator[Work]:
        student, samples = self.agents.student, self.settings.exam.samples
        if student is None:
            return
        self.mistakes = Range(0, samples * (1 - self.rates.student_right), samples)
        if self.settings.only_mistakes:
            self.attending = Range(0, 1 - self.rates.student_right**samples, 1)
        yield Work("exam", "solve", student, Range(samples, samples, samples))

    def rationales(self) -> Iterator[Work]:
        written = self.attending.times(self.settings.rationales.samples)
        self.right = written.times(0, self.rates.teacher_right * self.rates.kept, 1)
        self.wrong = written.times(0, 1 - self.rates.teacher_right, 1)
        for teacher in self.agents.teachers:
            yield Work("rationales", "solve", teacher, written)

    def peer_review(self) -> Iterator[Work]:
        rules, rates = self.settings.peer_review, self.rates
        filtered = self.settings.rationales.max_chars is not None or self.settings.rationales.diversity is not None
        written = self.attending.times(self.settings.rationales.samples)
        sure = 0.0 if rules.only_correct or filtered else 1.0
        share = self.rates.teacher_right * rates.kept + (0 if rules.only_correct else 1 - rates.teacher_right)
        reviewed = written.times(sure, share, 1)
        accepted = rates.right_accepted if rules.only_correct else rates.accepted
        revisions, waiting = NONE, reviewed.times(0, 1 - accepted, 1)
        self.right = self.right.times(1, rates.right_accepted, 1)
        for _ in range(rules.revise_rounds):
            revisions += waiting
            again = waiting.times(0 if rules.only_correct else 1, rates.revised_right if rules.only_correct else 1, 1)
            reviewed += again
            self.right += waiting.times(0, min(rates.revised_right, rates.revised_accepted), 1)
            waiting = again.times(0, 1 - rates.revised_accepted, 1)
        for teacher in self.agents.teachers:
            yield from self._reviews("peer_review", teacher, reviewed)
            if rules.revise_rounds:
                yield Work("peer_review", "revise", teacher, revisions)

    def _reviews(self, stage: str, author: AgentSpec, reviewed: Range) -> Iterator[Work]:
        for reviewer in self.agents.panel:
            if reviewer.name != author.name:
                yield Work(stage, "score", reviewer, reviewed)

    def mistake_explanation(self) -> Iterator[Work]:
        rules, teachers = self.settings.mistake_explanation, self.agents.teachers
        explained = self.mistakes.capped(rules.max_mistakes)
        drawn = rules.explainers == "one"
        each = explained.times(1, 1 / len(teachers), 1) if drawn else explained
        for teacher in teachers:
            yield Work("mistake_explanation", "explain", teacher, each, drawn)
            if rules.classify:
                yield Work("mistake_explanation", "classify", teacher, each, drawn)

    def dual_cot(self) -> Iterator[Work]:
        rules, teachers = self.settings.dual_cot, self.agents.teachers
        number = len(teachers)
        mistakes = self.mistakes if rules.student else NONE
        wrong = (self.wrong.times(number) + mistakes).capped(rules.max_per_problem)
        right = self.right.times(number).capped(rules.max_per_problem)
        rewrites = {
            "rectify": self._tries(wrong, self.rates.rectified) if rules.rectify else NONE,
            "corrupt": self._tries(right, self.rates.corrupted) if rules.corrupt else NONE,
        }
        for teacher in teachers:
            for verb, calls in rewrites.items():
                if calls != NONE:
                    each = calls.times(1, 1 / number, 1)
                    yield Work("dual_cot", "rectify" if verb == "rectify" else "corrupt", teacher, each, drawn=True)
            if rules.review:
                share = 1 if not self.settings.peer_review.only_correct else self.rates.rectified
                rectified = rewrites["rectify"].times(0, share / number, 1 / number)
                yield from self._reviews("dual_cot", teacher, rectified)

    def _tries(self, sources: Range, success: float) -> Range:
        tries = self.settings.dual_cot.tries
        return sources.times(1, sum((1 - success) ** attempt for attempt in range(tries)), tries)
