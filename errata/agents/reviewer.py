"""The reviewer scores another's rationale from 1 to 5."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from errata.agents.ask import Parsed, PromptCall, PromptedModel
from errata.agents.parse_reply import SCORE_SCHEMA, STEP_SCHEMA, read_score, read_step, review_text
from errata.agents.prompt_inputs import numbered, options_of, shown_answer
from errata.grading.steps import steps_of
from errata.llm.spec import Sampling
from errata.records import Problem, Rationale, Review, StepVote, digest


@dataclass(frozen=True, slots=True)
class Reviewer:
    """One member of the panel."""

    model: PromptedModel

    @property
    def name(self) -> str:
        return self.model.name

    async def score(
        self, problem: Problem, rationale: Rationale, sampling: Sampling, *, blind: bool = False
    ) -> Parsed[Review]:
        """One review, always: without a score where no try held one (`valid` false) or the provider failed (`lost`).

        It is blind where there is no gold answer.
        """
        blind = blind or problem.answer is None
        answer = "" if blind else shown_answer(problem)
        inputs = {"question": problem.question, "options": options_of(problem), "answer": answer}
        call = PromptCall("reviewer/score", {**inputs, "rationale": rationale.text}, rationale, SCORE_SCHEMA)
        parsed = await self.model.ask(call, problem, sampling, read_score, closing_line=True)
        review = Review(
            id=digest("review", problem.id, self.name, rationale.id),
            reviewer=self.name,
            score=parsed.value,
            valid=parsed.value is not None,
            text=review_text(parsed.text),
            blind=blind,
            lost=parsed.failure is not None,
            call_ids=parsed.call_ids,
        )
        return parsed.with_value(review)

    async def first_wrong_step(
        self, problem: Problem, wrong: Rationale, sampling: Sampling, *, blind: bool = False
    ) -> Parsed[StepVote]:
        """Where a wrong rationale first goes wrong; without a vote where no reply held one or the provider failed.

        It is blind where there is no gold answer.
        """
        answer = "" if blind else shown_answer(problem)
        inputs = {"question": problem.question, "options": options_of(problem), "answer": answer}
        text = {"rationale": numbered(wrong.text)}
        call = PromptCall("reviewer/first_wrong_step", inputs | text, wrong, STEP_SCHEMA)
        parse = partial(read_step, len(steps_of(wrong.text)))
        parsed = await self.model.ask(call, problem, sampling, parse, closing_line=True)
        if parsed.value is None:
            return parsed.with_value(None)
        return parsed.with_value(
            StepVote(source="reviewer", by=self.name, step=parsed.value - 1 if parsed.value else None)
        )
