"""The thinking before right rationales in fewer words, written by the teacher who thought it.

START -> shorten -> END

    Rationale.reasoning, over max_words --teacher/shorten_thinking--> Rationale.short_reasoning

It is kept where it has fewer words and ends in the same answer; else the rationale stays as it was. `errata export
--reasoning short` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import Field

from errata.agents.ask import Parsed
from errata.agents.teacher import Teacher
from errata.agents.team import Team
from errata.config.base import Settings
from errata.grading.extract import read_answer
from errata.graphs.call_counts import NONE, CallEstimate, Rates
from errata.graphs.nodes import calls_of, comparison, together
from errata.graphs.stage import Counts, Pipeline, Stage, Steps, chain
from errata.graphs.state import State, rationales_of
from errata.llm.spec import Sampling
from errata.records import Problem, Rationale, ShortReasoning

TOKENS_PER_WORD = 1.4
"""Of English prose with numbers; a plan's estimate of a reply, until it is measured."""


class ShortenThinkingSettings(Settings):
    """Thinking of more than `max_words` is asked for in so many."""

    max_words: int = Field(default=300, ge=1)
    """Words between white space. What comes back may have more: it is kept where it has fewer than before."""
    sampling: Sampling = Sampling()


class Shortening(NamedTuple):
    """A rationale whose thinking is too long, and who is asked to shorten it."""

    teacher: Teacher
    rationale: Rationale


def build(team: Team, settings: ShortenThinkingSettings, pipeline: Pipeline) -> Steps:
    authors = {teacher.name: teacher for teacher in team.teachers}

    async def shorten(state: State) -> State:
        problem = state["problem"]
        tasks = [
            Shortening(authors[each.author], each)
            for each in to_shorten(state, pipeline.targets, settings.max_words)
            if each.author in authors
        ]
        replies = await together(
            each.teacher.shorten_thinking(problem, each.rationale, settings.max_words, settings.sampling)
            for each in tasks
        )
        shorter = await together(
            _replacement(team, problem, each.rationale, reply) for each, reply in zip(tasks, replies, strict=True)
        )
        return {"rationales": {each.id: each for each in shorter if each is not None}, "calls": calls_of(replies)}

    return chain(shorten=shorten)


def to_shorten(state: State, roles: tuple[str, ...], max_words: int) -> list[Rationale]:
    """The right rationales of these roles with too much thinking, those that a filter set aside left out."""
    return [each for each in rationales_of(state, *roles) if each.is_right and words(each.reasoning) > max_words]


def words(text: str | None) -> int:
    """The number of words between white space."""
    return len((text or "").split())


def is_shorter(short: str, long: str | None) -> bool:
    """Whether a text has fewer words, and no tag at which thinking would seem to begin or end."""
    return 0 < words(short) < words(long) and "<think>" not in short and "</think>" not in short


async def _replacement(team: Team, problem: Problem, right: Rationale, reply: Parsed[str]) -> Rationale | None:
    """The rationale with its shorter thinking; None where that is cut off, no shorter, or ends in another answer."""
    short = (reply.value or "").strip()
    if reply.calls[-1].finish_reason == "length" or not is_shorter(short, right.reasoning):
        return None
    if not await _ends_in_its_answer(team, problem, right, short):
        return None
    return right.model_copy(update={"short_reasoning": ShortReasoning(text=short, call_ids=reply.call_ids)})


async def _ends_in_its_answer(team: Team, problem: Problem, right: Rationale, short: str) -> bool:
    """By the gold answer where there is one: then both are right. Else by comparing the two answers."""
    if problem.answer is not None:
        return (await team.grader.grade(problem, short)).correct
    answer = read_answer(problem.kind, short, problem.choices).answer
    return answer is not None and right.answer is not None and await comparison(team, problem)(answer, right.answer)


def expected(counts: Counts, settings: ShortenThinkingSettings, rates: Rates) -> Iterator[CallEstimate]:
    """As if every right rationale had too much thinking: how much a teacher thinks is not known before."""
    number = max(1, len(counts.agents.teachers))
    tokens = round(settings.max_words * TOKENS_PER_WORD)
    avoid = "leave shorten_thinking out of `stages`"

    def inputs(problem: Problem) -> Mapping[str, str]:
        return {"reasoning": "word " * (2 * settings.max_words), "max_words": str(settings.max_words)}

    for teacher in counts.agents.teachers:
        own = sum((written for author, written in counts.others if author.name == teacher.name), NONE)
        calls = counts.right + counts.rectified.times(0, 1 / number, 1) + own
        yield CallEstimate(
            "teacher/shorten_thinking", teacher, calls.times(0, 1, 1), tokens=tokens, inputs=inputs, avoid=avoid
        )


SHORTEN_THINKING = Stage(
    name="shorten_thinking",
    settings=ShortenThinkingSettings,
    build=build,
    expected=expected,
    needs=("rationales",),
    agents=("teachers",),
)
