"""The student sits exams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from errata.agents.ask import Errand, Said, Voice, written
from errata.agents.parse_reply import read_solution
from errata.agents.prompt_inputs import answer_form, options_of, shown_answer
from errata.agents.prompts import Prompts
from errata.llm.spec import Sampling
from errata.records import Message, Problem, Rationale

_PROMPT = "student/solve"
_EXPLAIN = "student/explain"


@dataclass(frozen=True, slots=True)
class Student:
    voice: Voice

    @property
    def name(self) -> str:
        return self.voice.name

    async def solve(self, problem: Problem, sampling: Sampling, sample: int = 0) -> Said[Rationale]:
        """One answer in the exam. What cannot be read is a wrong answer like others: a student has one try."""
        errand = Errand("solve", "exam", _PROMPT, _shown(problem))
        said = await self.voice.say(errand, problem, sampling, partial(read_solution, problem), sample)
        return written(said, problem, self.name, "student", sample=sample)


def student_messages(prompts: Prompts, problem: Problem, system: str | None = None) -> tuple[Message, ...]:
    """The exam's messages for a problem, so that training and evals show the student the very same text."""
    return prompts[_PROMPT].messages(system, _shown(problem))


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


def _shown(problem: Problem) -> dict[str, str]:
    return {"question": problem.question, "options": options_of(problem), "answer_form": answer_form(problem)}
