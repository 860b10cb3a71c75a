"""The reviewer scores another's rationale from 1 to 5."""

from __future__ import annotations

from dataclasses import dataclass

from errata.agents.ask import Parsed, PromptCall, PromptedModel
from errata.agents.parse_reply import SCORE_SCHEMA, read_score, review_text
from errata.agents.prompt_inputs import options_of, shown_answer
from errata.llm.spec import Sampling
from errata.records import Problem, Rationale, Review, digest


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
