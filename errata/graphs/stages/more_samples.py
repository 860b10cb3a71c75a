"""Further samples of teachers as votes: answers beside those that every teacher writes, asked for where they tell most.

Each is a rationale like others: its answer is read, it is set aside where the filter of the stage rationales says so,
and accepted where its answer is held right. No panel reviews it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from errata.agents.ask import Parsed
from errata.agents.demonstration import others_than
from errata.agents.team import Team
from errata.graphs.nodes import add_rationales, together, with_answer
from errata.graphs.stages.rationales import RationalesSettings, unkept
from errata.graphs.state import State
from errata.records import Problem, Rationale


class MoreSamples(NamedTuple):
    """So many further samples per teacher at most, each at a price in reviews; the others are written as of `usual`."""

    most: int
    price: float
    usual: RationalesSettings

    @property
    def numbers(self) -> range:
        """The numbers of the further samples."""
        return range(self.usual.samples, self.usual.samples + self.most)


def is_further(rationale: Rationale, usual: RationalesSettings) -> bool:
    """Whether it is a sample beyond those that every teacher writes."""
    return rationale.role == "teacher" and rationale.sample >= usual.samples


def still_to_ask(team: Team, written: Sequence[Rationale], more: MoreSamples) -> dict[str, list[int]]:
    """The numbers of the further samples that each teacher has not written yet, teachers without any left out."""
    there = {(each.author, each.sample) for each in written if is_further(each, more.usual)}
    waiting = {
        teacher.name: [number for number in more.numbers if (teacher.name, number) not in there]
        for teacher in team.teachers
    }
    return {name: numbers for name, numbers in waiting.items() if numbers}


async def one_sample(team: Team, problem: Problem, teacher: str, number: int, more: MoreSamples) -> Parsed[Rationale]:
    """A further sample of a teacher with its answer read; none where the provider failed."""
    author = next(each for each in team.teachers if each.name == teacher)
    examples = others_than(problem, more.usual.demonstrations)
    reply = await author.solve(problem, more.usual.sampling, number, examples)
    return reply if reply.value is None else reply.with_value(with_answer(problem, reply.value))


async def all_samples(team: Team, state: State, more: MoreSamples) -> State:
    """Every further sample that is still to be written, sample by sample."""
    waiting = still_to_ask(team, list(state.get("rationales", {}).values()), more)
    turns = [(name, number) for number in more.numbers for name, numbers in waiting.items() if number in numbers]
    problem = state["problem"]
    return add_rationales(await together(one_sample(team, problem, name, number, more) for name, number in turns))


def filtered(problem: Problem, rationales: dict[str, Rationale], usual: RationalesSettings) -> dict[str, Rationale]:
    """The rationales of a problem, the further samples among them set aside where the usual filter says so."""
    if not any(is_further(each, usual) for each in rationales.values()):
        return rationales
    written = [each for each in rationales.values() if each.role == "teacher" and each.dropped is None]
    in_order = sorted(written, key=lambda each: is_further(each, usual))
    return rationales | {each.id: each for each in unkept(problem, in_order, usual) if is_further(each, usual)}
