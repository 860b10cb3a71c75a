"""The reviewer scores another's rationale from 1 to 5."""

from __future__ import annotations

from dataclasses import dataclass

from errata.agents.ask import Errand, Said, Voice, replace_value
from errata.agents.parse_reply import read_score
from errata.agents.prompt_inputs import options_of, shown_answer
from errata.llm.spec import Sampling
from errata.records import Problem, Rationale, Review, digest


@dataclass(frozen=True, slots=True)
class Reviewer:
    voice: Voice

    @property
    def name(self) -> str:
        return self.voice.name

    async def score(
        self,
        problem: Problem,
        rationale: Rationale,
        sampling: Sampling,
        *,
        blind: bool = False,
        stage: str = "peer_review",
    ) -> Said[Review]:
        """One review, always: without a score where no try held one (`valid` false) or the provider failed (`lost`)."""
        answer = "" if blind else shown_answer(problem)
        shown = {"question": problem.question, "options": options_of(problem), "answer": answer}
        errand = Errand("score", stage, "reviewer/score", {**shown, "rationale": rationale.text}, about=rationale)
        said = await self.voice.say(errand, problem, sampling, read_score)
        review = Review(
            id=digest("review", problem.id, self.name, rationale.id),
            reviewer=self.name,
            score=said.value,
            valid=said.value is not None,
            text=said.text,
            blind=blind,
            lost=said.failure is not None,
            call_ids=said.call_ids,
        )
        return replace_value(said, review)
