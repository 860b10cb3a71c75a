"""The teacher writes worked solutions, explains mistakes, and rewrites solutions: right, wrong, or better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from errata.agents.ask import Parsed, PromptCall, PromptedModel, to_rationale
from errata.agents.demonstration import Demonstration
from errata.agents.parse_reply import KINDS_SCHEMA, read_kinds, read_prose, read_solution
from errata.agents.prompt_inputs import answer_form, options_of, shown_answer
from errata.llm.spec import Sampling
from errata.records import Explanation, Problem, Rationale, digest


@dataclass(frozen=True, slots=True)
class Teacher:
    """Each method returns what the teacher wrote, not graded yet, with all its calls; None in its place without one."""

    model: PromptedModel

    @property
    def name(self) -> str:
        return self.model.name

    async def solve(
        self, problem: Problem, sampling: Sampling, sample: int = 0, demonstrations: Sequence[Demonstration] = ()
    ) -> Parsed[Rationale]:
        """A solution written without the gold answer."""
        call = PromptCall("teacher/solve", {**_inputs(problem), "demonstrations": demonstrations})
        parsed = await self.model.ask(call, problem, sampling, partial(read_solution, problem), sample)
        return to_rationale(parsed, problem, self.name, "teacher", sample=sample)

    async def explain(self, problem: Problem, mistaken: Rationale, sampling: Sampling) -> Parsed[Explanation]:
        """What went wrong in `mistaken`, for its author to read."""
        inputs = {**_inputs(problem), "rationale": mistaken.text, "answer": shown_answer(problem)}
        parsed = await self.model.ask(PromptCall("teacher/explain", inputs, mistaken), problem, sampling, read_prose)
        if parsed.value is None:
            return parsed.with_value(None)
        explanation = Explanation(
            id=digest("explanation", problem.id, self.name, mistaken.id),
            author=self.name,
            rationale_id=mistaken.id,
            text=parsed.value,
            call_ids=parsed.call_ids,
        )
        return parsed.with_value(explanation)

    async def classify(
        self, problem: Problem, mistaken: Rationale, explanation: Explanation, sampling: Sampling
    ) -> Parsed[Explanation]:
        """`explanation` with the kinds of the mistake named; with none where the reply names none."""
        inputs = {**_inputs(problem), "rationale": mistaken.text, "answer": shown_answer(problem)}
        call = PromptCall("teacher/classify", {**inputs, "explanation": explanation.text}, mistaken, KINDS_SCHEMA)
        parsed = await self.model.ask(call, problem, sampling, read_kinds, closing_line=True)
        named = {"kinds": parsed.value or (), "call_ids": (*explanation.call_ids, *parsed.call_ids)}
        return parsed.with_value(explanation.model_copy(update=named))

    async def rectify(
        self, problem: Problem, wrong: Rationale, sampling: Sampling, sample: int, examples: Sequence[Demonstration]
    ) -> Parsed[Rationale]:
        """`wrong` rewritten, given the gold answer as a hint (EDIT's AHP), so that it reaches it."""
        inputs = {**_inputs(problem), "rationale": wrong.text, "answer": shown_answer(problem)}
        call = PromptCall("teacher/rectify", {**inputs, "demonstrations": examples}, wrong)
        parsed = await self.model.ask(call, problem, sampling, partial(read_solution, problem), sample)
        return to_rationale(parsed, problem, self.name, "rectified", sample=sample, parent=wrong, saw_answer=True)

    async def corrupt(
        self, problem: Problem, right: Rationale, sampling: Sampling, sample: int, examples: Sequence[Demonstration]
    ) -> Parsed[Rationale]:
        """`right` rewritten with the most likely mistake (EDIT's CCP), so that it ends in another answer."""
        inputs = {**_inputs(problem), "rationale": right.text, "demonstrations": examples}
        call = PromptCall("teacher/corrupt", inputs, right)
        parsed = await self.model.ask(call, problem, sampling, partial(read_solution, problem), sample)
        # It is written from a solution taken for right, so its author knows the answer.
        return to_rationale(parsed, problem, self.name, "corrupted", sample=sample, parent=right, saw_answer=True)

    async def revise(self, problem: Problem, rejected: Rationale, sampling: Sampling) -> Parsed[Rationale]:
        """`rejected` written again from its reviewers' critiques. A critic who saw the gold answer may have told it."""
        critiques = tuple(review.text.strip() for review in rejected.reviews if review.text.strip())
        inputs = {**_inputs(problem), "rationale": rejected.text, "critiques": critiques}
        call = PromptCall("teacher/revise", inputs, rejected)
        parsed = await self.model.ask(call, problem, sampling, partial(read_solution, problem))
        saw_answer = rejected.saw_answer or any(not review.blind for review in rejected.reviews)
        return to_rationale(
            parsed, problem, self.name, "revised", sample=rejected.sample, parent=rejected, saw_answer=saw_answer
        )

    async def go_on(
        self, problem: Problem, begun: Rationale, prefix: str, sampling: Sampling, sample: int = 0
    ) -> Parsed[str]:
        """What follows the first steps of a rationale, `prefix`, written without the gold answer."""
        call = PromptCall("teacher/continue", {**_inputs(problem), "rationale": prefix}, begun)
        return await self.model.ask(call, problem, sampling, partial(read_solution, problem), sample)

    async def shorten_thinking(
        self, problem: Problem, thought: Rationale, max_words: int, sampling: Sampling
    ) -> Parsed[str]:
        """What was thought before a rationale, in at most `max_words` words, ending in an answer."""
        inputs = {**_inputs(problem), "reasoning": thought.reasoning or "", "max_words": str(max_words)}
        call = PromptCall("teacher/shorten_thinking", inputs, thought)
        return await self.model.ask(call, problem, sampling, partial(read_solution, problem))


def _inputs(problem: Problem) -> dict[str, Any]:
    """What every teacher's prompt may use of a problem; the gold answer is added only where a prompt shows it."""
    return {"question": problem.question, "options": options_of(problem), "answer_form": answer_form(problem)}
