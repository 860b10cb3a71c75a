"""The student sits exams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from errata.agents.ask import Parsed, PromptCall, PromptedModel, to_rationale
from errata.agents.parse_reply import read_solution
from errata.agents.prompt_inputs import answer_form, options_of, shown_answer
from errata.agents.prompts import Prompts
from errata.llm.spec import Sampling
from errata.records import Message, Problem, Rationale

_PROMPT = "student/solve"
_EXPLAIN = "student/explain"


@dataclass(frozen=True, slots=True)
class Student:
    """The small model that is taught."""

    model: PromptedModel

    @property
    def name(self) -> str:
        return self.model.name

    async def solve(self, problem: Problem, sampling: Sampling, sample: int = 0) -> Parsed[Rationale]:
        """One answer in the exam. What cannot be read is a wrong answer like others: a student has one try."""
        call = PromptCall(_PROMPT, _inputs(problem))
        parsed = await self.model.ask(call, problem, sampling, partial(read_solution, problem), sample)
        return to_rationale(parsed, problem, self.name, "student", sample=sample)


def student_messages(prompts: Prompts, problem: Problem, system: str | None = None) -> tuple[Message, ...]:
    """The exam's messages for a problem, so that training and evals show the student the very same text."""
    return prompts[_PROMPT].messages(system, _inputs(problem))


def exam_prompt(hashes: Mapping[str, str]) -> dict[str, str]:
    """The exam's prompt among the prompts of a manifest (`{"student/solve@2": "95a0ad50aaa68a84"}`)."""
    return {name: hash_ for name, hash_ in hashes.items() if name.partition("@")[0] == _PROMPT}


def explain_messages(
    prompts: Prompts, problem: Problem, rationale: str, system: str | None = None
) -> tuple[Message, ...]:
    """What asks a student to point out the mistakes of a wrong rationale: the second task that MAPD trains."""
    inputs = {
        "question": problem.question,
        "options": options_of(problem),
        "rationale": rationale,
        "answer": shown_answer(problem),
    }
    return prompts[_EXPLAIN].messages(system, inputs)


def _inputs(problem: Problem) -> dict[str, str]:
    return {"question": problem.question, "options": options_of(problem), "answer_form": answer_form(problem)}
