"""OpenTelemetry spans of a run, by the conventions for generative AI; nothing is traced unless a tracer is set.

    problem -> stage -> chat MODEL          one span each; an eval has no stages

A call's span holds model, settings, tokens, price and what ended it, the messages and the reply only where `texts` says
so. It covers the wait for limits, retries and fallbacks; a reply from the store has one too, marked `errata.stored`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from errata.llm.request import Request
from errata.records import Call, Message, to_json

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_SETTINGS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "stop": "gen_ai.request.stop_sequences",
}
"""Settings of a call and the attributes that the conventions have for them."""


AnyNode = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Tracing:
    """Where spans go. `texts`: also prompts and replies."""

    tracer: Tracer
    texts: bool = False


@dataclass
class _ProblemSpan:
    """A problem under way. Its stages run one after the other: a node of another stage ends the one before."""

    span: Span
    stage: str | None = None
    stage_span: Span | None = None

    def enter(self, tracer: Tracer, stage: str) -> None:
        if self.stage_span is not None and self.stage == stage:
            return
        from opentelemetry.trace import set_span_in_context

        self.leave()
        self.stage = stage
        self.stage_span = tracer.start_span(
            f"stage {stage}", context=set_span_in_context(self.span), attributes={"errata.stage": stage}
        )

    def leave(self) -> None:
        if self.stage_span is not None:
            self.stage_span.end()
        self.stage_span = None


_tracing: ContextVar[Tracing | None] = ContextVar("tracing", default=None)
_problem: ContextVar[_ProblemSpan | None] = ContextVar("problem span", default=None)


@contextmanager
def tracing_to(tracing: Tracing) -> Iterator[None]:
    """Traces what is begun inside."""
    token = _tracing.set(tracing)
    try:
        yield
    finally:
        _tracing.reset(token)


@contextmanager
def problem_span(problem_id: str, **attributes: str) -> Iterator[None]:
    """The span of one problem, or of one item of an eval (`task="gsm8k"` becomes `errata.task`)."""
    tracing = _tracing.get()
    if tracing is None:
        yield
        return
    named = {f"errata.{name}": value for name, value in attributes.items()}
    with tracing.tracer.start_as_current_span(
        f"problem {problem_id}", attributes={"errata.problem": problem_id, **named}
    ) as span:
        problem = _ProblemSpan(span)
        token = _problem.set(problem)
        try:
            yield
        finally:
            problem.leave()
            _problem.reset(token)


def in_stage(stage: str, node: AnyNode) -> AnyNode:
    """The node of a graph, within its stage's span; the node itself where nothing is traced."""
    tracing = _tracing.get()
    if tracing is None:
        return node

    @wraps(node)
    async def traced(*args: Any, **more: Any) -> Any:
        if problem := _problem.get():
            problem.enter(tracing.tracer, stage)
        return await node(*args, **more)

    return traced


async def traced_call(request: Request, make: Callable[[], Awaitable[Call]]) -> Call:
    """Makes a call within its span."""
    tracing = _tracing.get()
    if tracing is None:
        return await make()
    from opentelemetry.trace import SpanKind, use_span

    problem = _problem.get()
    parent = problem.stage_span if problem else None
    with (
        use_span(parent) if parent is not None else _nothing(),
        tracing.tracer.start_as_current_span(
            f"chat {request.spec.model.partition('/')[2]}",
            kind=SpanKind.CLIENT,
            attributes=_request_attributes(request),
        ) as span,
    ):
        call = await make()
        span.set_attributes(_answered(call))
        if call.failure is not None:
            from opentelemetry.trace import Status, StatusCode

            span.set_status(Status(StatusCode.ERROR, call.failure))
        if tracing.texts:
            span.set_attributes(_texts(call))
        return call


def annotate_call(**attributes: bool) -> None:
    """Adds attributes to the span of the call at hand (`stored=True` becomes `errata.stored`)."""
    if _tracing.get() is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes({f"errata.{name}": value for name, value in attributes.items()})


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _request_attributes(request: Request) -> dict[str, Any]:
    provider, _, model = request.spec.model.partition("/")
    settings = {
        attribute: request.parameters[name]
        for name, attribute in _SETTINGS.items()
        if request.parameters.get(name) is not None
    }
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.agent.name": request.agent,
        "gen_ai.prompt.name": request.prompt,
        "errata.problem": request.context.problem_id,
        "errata.verb": request.verb,
        "errata.sample": request.sample,
        "errata.attempt": request.attempt,
        **({"errata.stage": request.stage} if request.stage else {}),
        **settings,
    }


def _answered(call: Call) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "gen_ai.usage.input_tokens": call.prompt_tokens,
        "gen_ai.usage.output_tokens": call.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": call.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": call.cache_write_tokens,
        "gen_ai.response.model": call.served,
        "gen_ai.response.finish_reasons": [call.finish_reason] if call.finish_reason else None,
        "errata.price_usd": call.price_usd,
        "errata.fallback": call.fallback,
        "error.type": "provider_failure" if call.failure is not None else None,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _texts(call: Call) -> dict[str, str]:
    """Messages and reply as the conventions have them, JSON in one attribute each."""
    parts = [_part("reasoning", call.reasoning), _part("text", call.reply)]
    reply = {"role": "assistant", "parts": [part for part in parts if part], "finish_reason": call.finish_reason}
    return {
        "gen_ai.input.messages": to_json([_message(message) for message in call.messages]).decode(),
        "gen_ai.output.messages": to_json([reply]).decode(),
    }


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "parts": [_part("text", message.content)]}


def _part(kind: str, text: str | None) -> dict[str, str] | None:
    return None if text is None else {"type": kind, "content": text}
