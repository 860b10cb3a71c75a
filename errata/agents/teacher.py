"""The teacher writes worked solutions, explains mistakes, and rewrites solutions: right, wrong, or better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from errata.agents.ask import Errand, Said, Voice, replace_value, written
from errata.agents.demonstration import Demonstration
from errata.agents.parse_reply import read_kinds, read_prose, read_solution
from errata.agents.prompt_inputs import answer_form, options_of, shown_answer
from errata.llm.spec import Sampling
from errata.records import Explanation, Problem, Rationale, digest


@dataclass(frozen=True, slots=True)
class Teacher:
    """Every verb returns what it made, not graded yet, with all its calls; None in its place where it has none."""

    voice: Voice

    @property
    def name(self) -> str:
        return self.voice.name

    async def solve(
        self, problem: Problem, sampling: Sampling, sample: int = 0, demonstrations: Sequence[Demonstration] = ()
    ) -> Said[Rationale]:
        """A solution written without the gold answer."""
        inputs = {**_shown(problem), "demonstrations": demonstrations}
        errand = Errand("solve", "rationales", "teacher/solve", inputs)
        said = await self.voice.say(errand, problem, sampling, partial(read_solution, problem), sample)
        return written(said, problem, self.name, "teacher", sample=sample)

    async def explain(self, problem: Problem, mistaken: Rationale, sampling: Sampling) -> Said[Explanation]:
        """What went wrong in `mistaken`, for its author to read."""
        inputs = {**_shown(problem), "rationale": mistaken.text, "answer": shown_answer(problem)}
        errand = Errand("explain", "mistake_explanation", "teacher/explain", inputs, about=mistaken)
        said = await self.voice.say(errand, problem, sampling, read_prose)
        if said.value is None:
            return replace_value(said, None)
        explanation = Explanation(
            id=digest("explanation", problem.id, self.name, mistaken.id),
            author=self.name,
            rationale_id=mistaken.id,
            text=said.value,
            call_ids=said.call_ids,
        )
        return replace_value(said, explanation)

    async def classify(
        self, problem: Problem, mistaken: Rationale, explanation: Explanation, sampling: Sampling
    ) -> Said[Explanation]:
        """`explanation` with the kinds of the mistake named; with none where the reply names none."""
        shown = {**_shown(problem), "rationale": mistaken.text, "answer": shown_answer(problem)}
        inputs = {**shown, "explanation": explanation.text}
        errand = Errand("classify", "mistake_explanation", "teacher/classify", inputs, about=mistaken)
        said = await self.voice.say(errand, problem, sampling, read_kinds)
        named = {"kinds": said.value or (), "call_ids": (*explanation.call_ids, *said.call_ids)}
        return replace_value(said, explanation.model_copy(update=named))

    async def rectify(
        self, problem: Problem, wrong: Rationale, sampling: Sampling, sample: int, shown: Sequence[Demonstration]
    ) -> Said[Rationale]:
        """`wrong` rewritten, given the gold answer as a hint (EDIT's AHP), so that it reaches it."""
        inputs = {**_shown(problem), "rationale": wrong.text, "answer": shown_answer(problem), "demonstrations": shown}
        errand = Errand("rectify", "dual_cot", "teacher/rectify", inputs, about=wrong)
        said = await self.voice.say(errand, problem, sampling, partial(read_solution, problem), sample)
        return written(said, problem, self.name, "rectified", sample=sample, parent=wrong, saw_answer=True)

    async def corrupt(
        self, problem: Problem, right: Rationale, sampling: Sampling, sample: int, shown: Sequence[Demonstration]
    ) -> Said[Rationale]:
        """`right` rewritten with the most likely mistake (EDIT's CCP), so that it ends in another answer."""
        inputs = {**_shown(problem), "rationale": right.text, "demonstrations": shown}
        errand = Errand("corrupt", "dual_cot", "teacher/corrupt", inputs, about=right)
        said = await self.voice.say(errand, problem, sampling, partial(read_solution, problem), sample)
        # It is written from a solution taken for right, so its author knows the answer.
        return written(said, problem, self.name, "corrupted", sample=sample, parent=right, saw_answer=True)

    async def revise(self, problem: Problem, rejected: Rationale, sampling: Sampling) -> Said[Rationale]:
        """`rejected` written again from its reviewers' critiques. A critic who saw the gold answer may have told it."""
        critiques = tuple(review.text.strip() for review in rejected.reviews if review.text.strip())
        inputs = {**_shown(problem), "rationale": rejected.text, "critiques": critiques}
        errand = Errand("revise", "peer_review", "teacher/revise", inputs, about=rejected)
        said = await self.voice.say(errand, problem, sampling, partial(read_solution, problem))
        told = rejected.saw_answer or any(not review.blind for review in rejected.reviews)
        return written(said, problem, self.name, "revised", sample=rejected.sample, parent=rejected, saw_answer=told)


def _shown(problem: Problem) -> dict[str, Any]:
    """What every teacher's prompt may use of a problem; the gold answer is added only where a verb shows it."""
    return {"question": problem.question, "options": options_of(problem), "answer_form": answer_form(problem)}
