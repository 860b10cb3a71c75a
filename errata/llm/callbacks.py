"""LangChain's callbacks around a call to a model, whatever the backend: tracers see its messages, reply and tokens.

The handlers are those of the LangGraph node that makes the call (`graph.ainvoke(..., {"callbacks": [...]})`), of a
surrounding context manager of LangChain's, or LangSmith where its tracing is on. A reply from the store makes no call,
and so no span.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from errata.llm.request import Reply, Request
from errata.llm.stored_reply import public

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManager
    from langchain_core.messages import BaseMessage


async def with_callbacks(request: Request, call: Callable[[], Awaitable[Reply]]) -> Reply:
    """Makes the call and tells the handlers of its start, its reply or its error; without handlers only the call."""
    manager = _manager()
    if manager is None:
        return await call()
    model = request.spec.model
    manager.add_metadata(
        {"ls_provider": model.partition("/")[0], "ls_model_name": model, "ls_model_type": "chat"}, False
    )
    (run,) = await manager.on_chat_model_start(
        {"name": request.agent},
        [_messages(request)],
        name=request.agent,
        invocation_params={"model": model, **public(request.parameters)},
    )
    try:
        reply = await call()
    except BaseException as error:
        await run.on_llm_error(error)
        raise
    await run.on_llm_end(_result(reply))
    return reply


def _manager() -> AsyncCallbackManager | None:
    """The handlers that apply here; None where there are none, which takes microseconds to find out."""
    from langchain_core.runnables.config import var_child_runnable_config
    from langsmith.utils import tracing_is_enabled

    # a graph has put those of context managers and settings among them
    callbacks = (var_child_runnable_config.get() or {}).get("callbacks")
    handlers = callbacks if isinstance(callbacks, list) else callbacks.handlers if callbacks else []
    if not handlers and not tracing_is_enabled():
        return None
    from langchain_core.callbacks import AsyncCallbackManager

    return AsyncCallbackManager.configure(callbacks)


def _messages(request: Request) -> list[BaseMessage]:
    from langchain_core.messages import convert_to_messages

    return convert_to_messages([(message.role, message.content) for message in request.messages])


def _result(reply: Reply) -> Any:
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, LLMResult

    message = AIMessage(
        content=reply.text,
        additional_kwargs={"reasoning_content": reply.reasoning} if reply.reasoning else {},
        response_metadata={"finish_reason": reply.finish_reason, "model_name": reply.served},
        usage_metadata={
            "input_tokens": reply.prompt_tokens,
            "output_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        },
    )
    return LLMResult(generations=[[ChatGeneration(message=message)]], llm_output={"model_name": reply.served})
