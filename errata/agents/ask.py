"""How every agent asks: until the reply can be read or its tries are used up, with every try logged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from errata.agents.parse_reply import Unreadable, split_thinking
from errata.agents.prompts import Prompts
from errata.llm.request import Ask, Context, Request
from errata.llm.spec import AgentSpec, Sampling
from errata.records import Call, Problem, Rationale, digest

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """The outcome of one question to a model: its parsed reply with all calls that it took.

    `value` is None where the provider failed (`failure`) or no try could be read (`unreadable` says why). `text` and
    `reasoning` are those of the last reply.
    """

    value: T | None
    calls: tuple[Call, ...]
    text: str = ""
    reasoning: str | None = None
    unreadable: str | None = None
    failure: str | None = None

    @property
    def call_ids(self) -> tuple[str, ...]:
        return tuple(call.id for call in self.calls)

    def with_value(self, value: V | None) -> Parsed[V]:
        """The same calls and texts with another value."""
        return Parsed(value, self.calls, self.text, self.reasoning, self.unreadable, self.failure)


class PromptCall(NamedTuple):
    """One prompt to be sent: its name (`teacher/solve`), its inputs, and the rationale that it is about, if any.

    `schema` is the JSON schema of the reply, an object with all its members required and described, for providers that
    take one (`structured: auto`). The parser has to read such an object as well as the form that the prompt asks for.
    """

    prompt: str
    inputs: Mapping[str, Any]
    about: Rationale | None = None
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PromptedModel:
    """A model of the recipe with its prompts: what every agent is a small class around.

    `stage` is logged with every call and picks its budget; `tries` is the default where the spec sets none.
    """

    spec: AgentSpec
    gateway: Ask
    prompts: Prompts
    stage: str = "exam"
    tries: int = 3

    @property
    def name(self) -> str:
        return self.spec.name

    def in_stage(self, stage: str) -> PromptedModel:
        return replace(self, stage=stage)

    async def ask(
        self, call: PromptCall, problem: Problem, sampling: Sampling, parse: Callable[[str], T], sample: int = 0,
        *, closing_line: bool = False,
    ) -> Parsed[T]:  # fmt: skip
        """Asks, and asks afresh while `parse` raises Unreadable. Never raises for what a provider or model does.

        Args:
            parse: reads the reply's text, its thinking split off.
            sample: which draw of several this is; a fresh try of the same draw has the same number.
            closing_line: what is read stands in a line of its own, so that of a reply cut off at its length limit only
                the whole lines are read: `Kinds: logical` may have had more to come.
        """
        prompt = self.prompts[call.prompt]
        request = Request(
            spec=self.spec,
            verb=prompt.verb,
            stage=self.stage,
            context=_context(problem, call.about),
            prompt=prompt.id,
            prompt_hash=prompt.hash,
            messages=prompt.messages(self.spec.system, call.inputs),
            parameters=self.spec.parameters(sampling, prompt.max_tokens),
            schema=call.schema,
            inputs={name: call.inputs[name] for name in prompt.inputs},
            sample=sample,
        )
        parsed: Parsed[T] = Parsed(None, ())
        for attempt in range(self._tries()):
            reply = await self.gateway(replace(request, attempt=attempt))
            calls = (*parsed.calls, reply)
            if reply.failure is not None:
                return Parsed(None, calls, failure=reply.failure)
            reasoning, text = split_thinking(reply.reply or "", reply.reasoning)
            cut_off = reply.finish_reason == "length"
            try:
                return Parsed(parse(whole_lines(text) if cut_off and closing_line else text), calls, text, reasoning)
            except Unreadable as error:
                why = "cut off" if cut_off else str(error)
                calls = (*parsed.calls, reply.model_copy(update={"unreadable": why}))
                parsed = Parsed(None, calls, text, reasoning, unreadable=why)
        return parsed

    def _tries(self) -> int:
        if self.spec.model.startswith("recorded/"):
            return 1  # a recording has no fresh try
        return self.spec.tries or self.tries


def whole_lines(text: str) -> str:
    """The text without the line that it breaks off in."""
    return text[: text.rfind("\n") + 1]


def _context(problem: Problem, about: Rationale | None) -> Context:
    context = Context(problem.id, problem.question, kind=problem.kind, choices=problem.choices)
    if about is None:
        return context
    return replace(context, about=about.id, author=about.author, stand_in=about.stand_in)


def to_rationale(
    parsed: Parsed[str], problem: Problem, author: str, role: str, *, sample: int, parent: Rationale | None = None,
    saw_answer: bool = False,
) -> Parsed[Rationale]:  # fmt: skip
    """The rationale in a reply, not graded yet; one that could not be read is wrong, where there is a gold answer.

    Its id is a hash of problem, author, role, sample and parent: another run of the same recipe gives the same one.
    """
    if parsed.failure is not None:
        return parsed.with_value(None)
    rationale = Rationale(
        id=digest("rationale", problem.id, author, role, sample, parent.id if parent else None),
        problem_id=problem.id,
        author=author,
        role=role,
        text=parsed.text,
        reasoning=parsed.reasoning,
        sample=sample,
        correct=None if parsed.unreadable is None or problem.answer is None else False,
        grade_rule=None if parsed.unreadable is None else f"unreadable: {parsed.unreadable}",
        saw_answer=saw_answer,
        truncated=parsed.calls[-1].finish_reason == "length",
        parent_id=parent.id if parent else None,
        call_ids=parsed.call_ids,
        stand_in=parsed.calls[-1].fallback,
    )
    return parsed.with_value(rationale)
