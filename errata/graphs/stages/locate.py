"""The first wrong step of every wrong rationale, by all sources that the recipe names, joined to one distribution.

START -> locate -> END

    arithmetic, rewritten     no call (step_votes.py)
    prefixes                  a teacher goes on from the first k steps; by bisection the first k from which it fails
    reviewers                 the panel names the step
                              --> step_model.py --> Rationale.wrong_step

Without a gold answer what is estimated wrong is located: twins are those estimated right, completions are held against
the agreed answer, and are none where there is none; reviewers are blind.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from math import ceil, log2
from typing import NamedTuple

from pydantic import Field, field_validator

from errata.agents.ask import Parsed
from errata.agents.teacher import Teacher
from errata.agents.team import Team
from errata.config.base import Settings
from errata.errors import UsageError
from errata.grading.steps import steps_of
from errata.graphs.call_counts import NONE, CallEstimate, Rates
from errata.graphs.estimated import as_agreed
from errata.graphs.nodes import calls_of, together
from errata.graphs.stage import Counts, Pipeline, PipelineSettings, Stage, Steps, chain
from errata.graphs.stages.dual_cot import DUAL_COT
from errata.graphs.stages.review_panel import AcceptRule, check_panel
from errata.graphs.stages.step_model import RATES, VoteRates, located
from errata.graphs.stages.step_votes import free_votes
from errata.graphs.stages.word_diff import LONGEST
from errata.graphs.state import State
from errata.llm.spec import Agents, Sampling
from errata.records import Call, Problem, Rationale, StepVote, draw

ASKED_ABOUT = ("student", "teacher")
"""Roles of the rationales that calls are made about; of any other role, the free sources speak. Where a rationale was
corrupted its source tells the place."""
MOST_STEPS = 64
"""Of a text with more steps no prefix is asked about."""
USUAL_STEPS = 6


class LocateSettings(Settings):
    """Which sources say where a rationale first goes wrong, and how far each is trusted."""

    arithmetic: bool = True
    """The first written equation that does not hold. No call."""
    rewritten: bool = True
    """Where a rectified text and the wrong one part, or a corrupted one and its source. No call; needs dual_cot."""
    prefixes: int = Field(default=0, ge=0, le=32)
    """How many completions a teacher writes from each prefix that is looked at (about log2 of the steps); 0: none."""
    reviewers: bool = False
    """Every member of the panel but the author names the step."""
    blind: bool = False
    """Reviewers do not see the gold answer."""
    rates: dict[str, VoteRates] = Field(default_factory=dict)
    """By source, in place of the stated ones (step_model.RATES)."""
    sampling: Sampling = Sampling()

    @field_validator("rates")
    @classmethod
    def _names_sources(cls, rates: dict[str, VoteRates]) -> dict[str, VoteRates]:
        for name in rates:
            if name not in RATES:
                raise ValueError(f"no source is called {name}: they are {', '.join(RATES)}")
        return rates


class Votes(NamedTuple):
    """What asking has brought: votes, and the calls that they took."""

    votes: list[StepVote]
    calls: dict[str, Call]


def build(team: Team, settings: LocateSettings, pipeline: Pipeline) -> Steps:
    _refuse_too_early(pipeline, settings)

    async def votes_on(state: State, wrong: Rationale) -> Votes:
        votes = free_votes(state, wrong, arithmetic=settings.arithmetic, rewritten=settings.rewritten)
        calls: dict[str, Call] = {}
        if wrong.role in ASKED_ABOUT and len(steps_of(wrong.text)) > 1:
            problem, written = state["problem"], list(state["rationales"].values())
            answers = await together(
                [
                    _by_prefixes(team, as_agreed(problem, written), wrong, settings),
                    _by_panel(team, problem, wrong, settings),
                ]
            )
            for each in answers:
                votes, calls = votes + each.votes, calls | each.calls
        return Votes(votes, calls)

    async def locate(state: State) -> State:
        waiting = to_locate(state)
        every = await together(votes_on(state, each) for each in waiting)
        rationales = {
            each.id: each.model_copy(update={"wrong_step": located(steps_of(each.text), votes, RATES | settings.rates)})
            for each, (votes, _) in zip(waiting, every, strict=True)
            if votes
        }
        return {"rationales": rationales, "calls": {name: call for _, calls in every for name, call in calls.items()}}

    return chain(locate=locate)


def to_locate(state: State) -> list[Rationale]:
    """The wrong rationales with a readable end, those that a filter set aside left out."""
    return [
        each
        for each in state.get("rationales", {}).values()
        if each.is_right is False
        and each.dropped is None
        and each.answer is not None
        and not each.truncated
        and len(each.text) <= LONGEST
        and steps_of(each.text)
    ]


# ---- asking ----------------------------------------------------------------------------------------------------------


async def _by_panel(team: Team, problem: Problem, wrong: Rationale, settings: LocateSettings) -> Votes:
    if not settings.reviewers:
        return Votes([], {})
    panel = (each for each in team.reviewers_of(wrong.author) if each.name != wrong.stand_in)
    replies = await together(
        each.first_wrong_step(problem, wrong, settings.sampling, blind=settings.blind) for each in panel
    )
    return Votes([each.value for each in replies if each.value], calls_of(replies))


async def _by_prefixes(team: Team, problem: Problem | None, wrong: Rationale, settings: LocateSettings) -> Votes:
    """The first step after which most completions fail, by bisection: that nothing written is right, all of it wrong,
    is known. `problem` has the answer that completions are held against; without one they say nothing."""
    steps = steps_of(wrong.text)
    if problem is None or not settings.prefixes or len(steps) > MOST_STEPS:
        return Votes([], {})
    teacher = _continuer(team, wrong)
    good, bad, calls = 0, len(steps), dict[str, Call]()
    while bad - good > 1:
        middle = (good + bad) // 2
        prefix = wrong.text[: steps[middle - 1].end].rstrip()
        replies = await _completions(teacher, problem, wrong, prefix, middle, settings)
        calls |= calls_of(replies)
        if any(each.failure is not None for each in replies):
            return Votes([], calls)
        grades = await together(team.grader.grade(problem, each.value) for each in replies if each.value is not None)
        if 2 * sum(grade.correct for grade in grades) > settings.prefixes:
            good = middle
        else:
            bad = middle
    return Votes([StepVote(source="prefixes", by=teacher.name, step=bad - 1)], calls)


async def _completions(
    teacher: Teacher, problem: Problem, wrong: Rationale, prefix: str, length: int, settings: LocateSettings
) -> list[Parsed[str]]:
    """Samples of what follows a prefix of so many steps; every prefix has sample numbers of its own."""
    first = length * settings.prefixes
    samples = range(first, first + settings.prefixes)
    return await together(teacher.go_on(problem, wrong, prefix, settings.sampling, sample) for sample in samples)


def _continuer(team: Team, wrong: Rationale) -> Teacher:
    """A teacher drawn by hash, another than the author where there is one: an author believes what it wrote."""
    others = [each for each in team.teachers if each.name not in (wrong.author, wrong.stand_in)] or team.teachers
    return others[int(draw(team.seed, wrong.problem_id, "continuer", wrong.id) * len(others))]


# ---- what is known of it ---------------------------------------------------------------------------------------------


def expected(counts: Counts, settings: LocateSettings, rates: Rates) -> Iterator[CallEstimate]:
    teachers = counts.agents.teachers
    number = max(1, len(teachers))
    student = counts.agents.student
    wrong = [(teacher, counts.wrong) for teacher in teachers]
    wrong += [(student, counts.mistakes)] if student is not None else []
    if settings.prefixes:
        rounds = 0, ceil(log2(USUAL_STEPS)), ceil(log2(MOST_STEPS))
        calls = sum((each for _, each in wrong), NONE).times(settings.prefixes).times(*rounds)
        for teacher in teachers:
            avoid = "set settings.locate.prefixes=0"
            yield CallEstimate("teacher/continue", teacher, calls.times(1, 1 / number, 1), True, avoid=avoid)
    if settings.reviewers:
        for author, written in wrong:
            for reviewer in counts.agents.panel:
                if reviewer.name != author.name:
                    avoid = "set settings.locate.reviewers=false"
                    prompt = "reviewer/first_wrong_step"
                    yield CallEstimate(prompt, reviewer, written.times(0, 1, 1), tokens=150, avoid=avoid)


def check(agents: Agents, settings: LocateSettings, pipeline: PipelineSettings) -> None:
    if not any((settings.arithmetic, settings.rewritten, settings.prefixes, settings.reviewers)):
        raise UsageError(
            "settings.locate has no source",
            "nothing would be located",
            "switch one on, or leave locate out of `stages`",
        )
    if settings.prefixes and not agents.teachers:
        raise UsageError(
            "settings.locate.prefixes without a teacher",
            "a teacher goes on from them",
            "add agents.teachers, or set it to 0",
        )
    if settings.reviewers:
        check_panel(agents, AcceptRule())


def _refuse_too_early(pipeline: Pipeline, settings: LocateSettings) -> None:
    """Raises UsageError where the texts that it compares are written after it."""
    before = list(takewhile(lambda stage: stage.build is not build, pipeline.stages))
    if settings.rewritten and DUAL_COT in pipeline.stages and DUAL_COT not in before:
        raise UsageError(
            "the stage locate stands before dual_cot",
            "where a rectified text and the wrong one part is one of its sources",
            "write dual_cot before locate in `stages`, or set settings.locate.rewritten=false",
        )


LOCATE = Stage(name="locate", settings=LocateSettings, build=build, expected=expected, check=check)
