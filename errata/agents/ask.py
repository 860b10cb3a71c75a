"""How every agent asks: until the reply can be read or its tries are used up, with every try logged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from errata.agents.parse_reply import Unreadable, split_thinking
from errata.agents.prompts import Prompts
from errata.llm.request import Ask, Context, Request
from errata.llm.spec import AgentSpec, Sampling
from errata.records import Call, Problem, Rationale, Role, Verb, digest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """What came of asking. `value` is None where the provider failed (`failure`) or, for some verbs, where no try
    could be read (`unreadable`). `text` and `reasoning` are those of the last reply."""

    value: T | None
    calls: tuple[Call, ...]
    text: str = ""
    reasoning: str | None = None
    unreadable: str | None = None
    failure: str | None = None

    @property
    def call_ids(self) -> tuple[str, ...]:
        return tuple(call.id for call in self.calls)


class Errand(NamedTuple):
    """What a call is for: verb, prompt and its inputs, and the rationale it is about, if any."""

    verb: Verb
    stage: str
    prompt: str
    inputs: Mapping[str, Any]
    about: Rationale | None = None


@dataclass(frozen=True, slots=True)
class Voice:
    """One agent of a recipe with what it needs to speak. `tries` is the default where its spec sets none."""

    spec: AgentSpec
    ask: Ask
    prompts: Prompts
    tries: int = 3

    @property
    def name(self) -> str:
        return self.spec.name

    async def say(
        self, errand: Errand, problem: Problem, sampling: Sampling, parse: Callable[[str], T], sample: int = 0
    ) -> Said[T]:
        """Ask, and ask afresh while `parse` raises Unreadable. Never raises for what a provider or model does."""
        prompt, about = self.prompts[errand.prompt], errand.about
        request = Request(
            spec=self.spec,
            verb=errand.verb,
            stage=errand.stage,
            context=_context(problem, about),
            prompt=prompt.id,
            prompt_hash=prompt.hash,
            messages=prompt.messages(self.spec.system, errand.inputs),
            parameters=self.spec.parameters(sampling),
            sample=sample,
        )
        said: Said[T] = Said(None, ())
        for attempt in range(self._tries()):
            call = await self.ask(replace(request, attempt=attempt))
            calls = (*said.calls, call)
            if call.failure is not None:
                return Said(None, calls, failure=call.failure)
            reasoning, text = split_thinking(call.reply or "", call.reasoning)
            try:
                return Said(parse(text), calls, text, reasoning)
            except Unreadable as why:
                said = Said(None, calls, text, reasoning, unreadable=str(why))
        return said

    def _tries(self) -> int:
        if self.spec.model.startswith("recorded/"):
            return 1  # a recording has no fresh try
        return self.spec.tries or self.tries


def _context(problem: Problem, about: Rationale | None) -> Context:
    asked = Context(problem.id, problem.question, kind=problem.kind, choices=problem.choices)
    if about is None:
        return asked
    return replace(asked, about=about.id, author=about.author, stand_in=about.stand_in)


def written(
    said: Said[str], problem: Problem, author: str, role: Role, *, sample: int, parent: Rationale | None = None,
    saw_answer: bool = False,
) -> Said[Rationale]:  # fmt: skip
    """The rationale in what was said, not graded yet; one that could not be read is recorded as wrong.

    Its id is a hash of problem, author, role, sample and parent: another run of the same recipe gives the same one.
    """
    if said.failure is not None:
        return Said(None, said.calls, failure=said.failure)
    rationale = Rationale(
        id=digest("rationale", problem.id, author, role, sample, parent.id if parent else None),
        problem_id=problem.id,
        author=author,
        role=role,
        text=said.text,
        reasoning=said.reasoning,
        sample=sample,
        correct=None if said.unreadable is None else False,
        grade_rule=None if said.unreadable is None else f"unreadable: {said.unreadable}",
        saw_answer=saw_answer,
        truncated=said.calls[-1].finish_reason == "length",
        parent_id=parent.id if parent else None,
        call_ids=said.call_ids,
        stand_in=said.calls[-1].fallback,
    )
    return replace_value(said, rationale)


def replace_value(said: Said[Any], value: T | None) -> Said[T]:
    return Said(value, said.calls, said.text, said.reasoning, said.unreadable, said.failure)
