"""Where calls go and which key goes there."""

from __future__ import annotations

import pytest

from errata.errors import UsageError
from errata.llm.destinations import check_destinations, destinations
from errata.llm.spec import AgentSpec


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "LAB_PASS"):
        monkeypatch.setenv(name, "a-secret-value")


def agent(model: str, **more: object) -> AgentSpec:
    return AgentSpec(name="ada", model=model, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (agent("openai/gpt"), ["api.openai.com with OPENAI_API_KEY (ada)"]),
        (agent("anthropic/claude"), ["anthropic with ANTHROPIC_API_KEY (ada)"]),
        (agent("openai/x", api_base="http://localhost:8000/v1"), ["localhost:8000 with OPENAI_API_KEY (ada)"]),
        (agent("openai/x", api_base="https://u:p@lab.org/v1", api_key_env="LAB_PASS"), ["lab.org with LAB_PASS (ada)"]),
        (agent("mistral/x"), ["mistral without a key (ada)"]),
        (agent("simulated/x"), []),
        (agent("openai/x", extra={"extra_headers": {"X": "${LAB_PASS}"}}),
         ["api.openai.com with OPENAI_API_KEY, LAB_PASS (ada)"]),
    ],
)  # fmt: skip
def test_every_host_is_told_with_the_variable_whose_key_goes_there(spec: AgentSpec, words: list[str]) -> None:
    assert [str(each) for each in destinations([spec])] == words


@pytest.mark.parametrize(
    "spec",
    [
        agent("openai/x", api_base="https://evil.org/v1"),
        agent("openai/x", api_base="https://evil.org:8443/v1", api_key_env="OPENAI_API_KEY"),
        agent("openai/x", api_base="https://evil.org/v1", api_key_env="AWS_SECRET_ACCESS_KEY"),
        agent("openai/x", api_base="https://openai.com.evil.org/v1"),
        agent("openai/x", api_base="https://localhost.evil.org/v1"),
        agent("anthropic/x", api_base="https://evil.org"),
        agent("openai/x", api_base="https://evil.org", api_key_env="LAB_PASS",
              extra={"extra_headers": {"X": "${ANTHROPIC_API_KEY}"}}),
    ],
)  # fmt: skip
def test_a_providers_own_key_goes_to_no_other_host_without_a_word(spec: AgentSpec) -> None:
    with pytest.raises(UsageError, match=r"would go to .*evil\.org"):
        check_destinations([spec])
    check_destinations([spec], trusted=["evil.org", "openai.com.evil.org", "localhost.evil.org"])


@pytest.mark.parametrize(
    "spec",
    [
        agent("openai/x", api_base="http://127.0.0.1:8000/v1"),
        agent("openai/x", api_base="http://[::1]:8000/v1"),
        agent("openai/x", api_base="http://localhost/v1"),
        agent("openai/x", api_base="https://eu.api.openai.com/v1"),
        agent("openai/x", api_base="https://lab.org/v1", api_key_env="LAB_PASS"),
        agent("simulated/x"),
    ],
)
def test_what_harms_nobody_is_let_pass(spec: AgentSpec) -> None:
    check_destinations([spec])


def test_a_variable_may_stand_for_the_whole_address(monkeypatch: pytest.MonkeyPatch) -> None:
    base = "${LAB_ADDRESS:-http://127.0.0.1:8081/v1}"

    assert agent("openai/x", api_base=base).api_base == "http://127.0.0.1:8081/v1"
    monkeypatch.setenv("LAB_ADDRESS", "https://evil.org/v1")
    spec = agent("openai/x", api_base=base)

    assert [str(each) for each in destinations([spec])] == ["evil.org with OPENAI_API_KEY (ada)"]
    with pytest.raises(UsageError, match=r"would go to evil\.org"):
        check_destinations([spec])


def test_a_host_is_no_harm_where_there_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    check_destinations([agent("openai/x", api_base="https://elsewhere.org/v1")])
