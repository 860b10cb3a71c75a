"""What is known of an agent before its first call: a key that is not set, a setting or a provider that nobody knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from errata.config.env import read_env_file
from errata.errors import UsageError
from errata.llm.budget import Budget
from errata.llm.preflight import check, check_access, model_notes
from errata.llm.spec import Agents, AgentSpec

HERE = "http://127.0.0.1:8000/v1"


def agent(model: str, name: str = "ada", **settings: Any) -> AgentSpec:
    return AgentSpec(name=name, model=model, **settings)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.endswith(("_KEY", "_TOKEN")) or name.startswith(("OPENAI_", "AWS_", "AZURE_", "TOGETHER")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("errata.config.env._FILE", {})


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (agent("openai/gpt-4o-mini"), "OPENAI_API_KEY"),
        (agent("openai/x", api_base=HERE, api_key_env="ADA_KEY"), "ADA_KEY"),
        (agent("anthropic/claude-x"), "ANTHROPIC_API_KEY"),
        (agent("anthropic/claude-x", api_key_env="ADA_KEY"), "ADA_KEY"),
        (agent("gemini/gemini-x"), "GEMINI_API_KEY"),
        (agent("together_ai/meta-llama/x"), "TOGETHERAI_API_KEY"),
        (agent("litellm/openai/gpt-4o-mini"), "OPENAI_API_KEY"),
    ],
)
def test_a_missing_key_is_named(spec: AgentSpec, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=f"no API key of ada: {name} is not set"):
        check_access([spec])
    monkeypatch.setenv(name, "k")
    check_access([spec])


def test_all_missing_keys_stand_in_one_error() -> None:
    specs = [agent("openai/x", "ada"), agent("openai/y", "ben"), agent("anthropic/z", "cy")]
    with pytest.raises(UsageError) as error:
        check_access(specs)
    assert error.value.found == (
        "no API key of ada, ben: OPENAI_API_KEY is not set; no API key of cy: ANTHROPIC_API_KEY is not set"
    )
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    "spec",
    [
        agent("simulated/ada"),
        agent("recorded/x", recorded={"solve": {"file": "f", "match": "q", "reply": "r"}}),
        agent("local/somewhere"),
        agent("openai/x", api_base=HERE),
        agent("hosted_vllm/x", api_base=HERE),
        agent("litellm/openai/x", api_base=HERE),
        agent("ollama/llama3"),
        agent("huggingface/x/y"),
        agent("bedrock/anthropic.claude-x"),
        agent("vertex_ai/gemini-x"),
        agent("azure/deployment"),
    ],
)
def test_what_needs_no_key_or_has_it_from_elsewhere_is_not_refused(spec: AgentSpec) -> None:
    check_access([spec])


def test_a_key_in_the_env_file_or_under_the_providers_other_name_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("GOOGLE_API_KEY=k\nANTHROPIC_API_KEY=k\nOPENAI_API_KEY=k\n")
    read_env_file(tmp_path / ".env")
    check_access([agent("gemini/x"), agent("anthropic/x"), agent("openai/x")])
    monkeypatch.setenv("TOGETHER_API_KEY", "k")
    check_access([agent("together_ai/x")])


def test_an_address_in_the_environment_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", HERE)
    check_access([agent("openai/x")])


@pytest.mark.parametrize("model", ["opnai/gpt-4.1-mini", "anthropicc/claude", "litellm/foo/bar", "house/small"])
def test_a_provider_that_is_none_is_named_where_keys_are_looked_for(model: str) -> None:
    with pytest.raises(UsageError, match="litellm knows no provider"):
        check_access([agent(model)])


@pytest.mark.parametrize("base", ["localhost:8000", "ftp://localhost/v1", "//host/v1", ""])
def test_an_address_is_one_of_http(base: str) -> None:
    with pytest.raises(ValueError, match=r"an address begins with http:// or https://(.|\n)*such as http://[\w.]+"):
        agent("openai/x", api_base=base)


def test_a_variable_that_a_header_names_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = agent("openai/x", api_base=HERE, extra={"extra_headers": {"X-Gate": "${GATE_PASS}"}})
    with pytest.raises(UsageError, match="GATE_PASS is not set"):
        check_access([spec])
    monkeypatch.setenv("GATE_PASS", "p")
    check_access([spec])


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("simulated/pupil?no=1", "agent ada: model simulated/pupil\\?no=1: unknown setting 'no'"),
        ("simulated/pupil?skill=2", "skill=2"),
        ("simulated/pupill", "simulated/pupill"),
        ("openay/gpt-4o", "model openay/gpt-4o"),
    ],
)
def test_what_no_call_could_be_made_of_is_refused(model: str, found: str) -> None:
    with pytest.raises(UsageError, match=found):
        check(Agents(teachers=(agent(model),)), Budget())


def test_a_slip_in_a_models_name_is_said() -> None:
    slip, right, own = agent("openai/gpt-4o-mimi"), agent("openai/gpt-4o-mini"), agent("openai/mine", api_base=HERE)
    new = agent("openai/some-model-of-next-year")
    assert list(model_notes([right, own, new])) == []
    assert list(model_notes([slip])) == [
        "agent ada: openai/gpt-4o-mimi is in no list of models; did you mean openai/gpt-4o-mini?"
    ]
