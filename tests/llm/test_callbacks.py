"""LangChain's callbacks see every call to a model, whoever set them and whatever the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict
from uuid import UUID

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, get_usage_metadata_callback
from langgraph.graph import END, START, StateGraph

from errata.llm.gateway import Gateway
from errata.llm.request import Request
from errata.llm.spec import AgentSpec, Sampling
from tests.llm.provider import Provider, gateway, ok, request_of, status


class Tracer(AsyncCallbackHandler):
    """A handler that notes down what it hears of models."""

    def __init__(self) -> None:
        self.starts: list[dict[str, Any]] = []
        self.ends: list[Any] = []
        self.errors: list[BaseException] = []
        self.chains: set[UUID] = set()

    async def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **more: Any) -> None:
        self.chains.add(run_id)

    async def on_chat_model_start(self, serialized: Any, messages: Any, **more: Any) -> None:
        self.starts.append({"messages": messages, **more})

    async def on_llm_end(self, response: Any, **more: Any) -> None:
        self.ends.append(response)

    async def on_llm_error(self, error: BaseException, **more: Any) -> None:
        self.errors.append(error)


class _State(TypedDict, total=False):
    reply: str | None


def graph_of(ask: Gateway, request: Request) -> Any:
    """A pipeline of one node that makes the call."""

    async def node(state: _State) -> _State:
        return {"reply": (await ask(request)).reply}

    graph = StateGraph(_State)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    graph.add_edge("node", END)
    return graph.compile()


async def test_a_handler_of_the_graph_hears_of_the_call_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADA_KEY", "sk-of-ada-and-nobody-else")
    tracer = Tracer()
    async with Provider(then=ok("42", reasoning_content="6*7")) as provider:
        spec = provider.agent(api_key_env="ADA_KEY", extra={"extra_headers": {"X-Key": "${ADA_KEY}"}})
        request = request_of(spec, parameters=spec.parameters(Sampling(temperature=0.5)))
        async with gateway(tmp_path, spec) as ask:
            graph = graph_of(ask, request)
            for _ in range(2):
                assert (await graph.ainvoke({}, {"callbacks": [tracer]}))["reply"] == "42"
        assert len(provider.bodies) == 1
    (start,) = tracer.starts  # the second time the reply comes from the store: no call, no span
    (end,) = tracer.ends
    message = end.generations[0][0].message
    assert start["messages"][0][0].content == "6 times 7?"
    assert start["parent_run_id"] in tracer.chains
    assert start["name"] == "ada"
    assert start["invocation_params"] == {"model": "openai/stub", "temperature": 0.5}
    assert start["metadata"]["ls_model_name"] == "openai/stub"
    assert "sk-of-ada" not in str(start)
    assert (message.content, message.additional_kwargs["reasoning_content"]) == ("42", "6*7")
    assert (message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]) == (10, 5)


async def test_a_context_manager_around_the_graph_hears_too(tmp_path: Path) -> None:
    async with Provider() as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            with get_usage_metadata_callback() as usage:
                await graph_of(ask, request_of(spec)).ainvoke({})
    assert usage.usage_metadata["served-model"]["total_tokens"] == 15


async def test_a_failed_try_is_an_error_of_its_own(tmp_path: Path) -> None:
    tracer = Tracer()
    async with Provider(script=[status(503)]) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            await graph_of(ask, request_of(spec)).ainvoke({}, {"callbacks": [tracer]})
    assert (len(tracer.starts), len(tracer.errors), len(tracer.ends)) == (2, 1, 1)
    assert "503" in str(tracer.errors[0])


async def test_other_backends_are_heard_as_well(tmp_path: Path) -> None:
    tracer, spec = Tracer(), AgentSpec(name="ada", model="simulated/ada")
    async with gateway(tmp_path, spec) as ask:
        state = await graph_of(ask, request_of(spec)).ainvoke({}, {"callbacks": [tracer]})
    assert tracer.ends[0].generations[0][0].text == state["reply"]


async def test_without_handlers_no_manager_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a callback manager was made for nobody")

    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    async with Provider() as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            monkeypatch.setattr("langchain_core.callbacks.AsyncCallbackManager.configure", never)
            assert (await ask(request_of(spec))).reply == "42"
