"""Prices: the recipe's, the offline table's, or unknown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.llm.budget import Budget
from errata.llm.gateway import check
from errata.llm.price_table import read_table
from errata.llm.prices import FREE, cost, price_notes, price_of
from errata.llm.spec import Agents, AgentSpec, Price, Recording
from tests.llm.provider import gateway


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


def agent(model: str, **settings: object) -> AgentSpec:
    return AgentSpec(name="ada", model=model, **settings)  # type: ignore[arg-type]


def test_what_the_table_lists() -> None:
    listed = price_of(agent("openai/gpt-4o-mini"))
    assert listed is not None
    assert listed.prompt == pytest.approx(0.15)
    assert listed.completion == pytest.approx(0.6)
    assert price_of(agent("litellm/openai/gpt-4o-mini")) == listed
    assert price_of(agent("openai/gpt-4o-mini", api_base="https://api.openai.com/v1")) == listed


@pytest.mark.parametrize("model", ["openai/no-such-model", "nobody/knows", "anthropic/gpt-4o-mini"])
def test_what_it_does_not_list_is_unknown(model: str) -> None:
    assert price_of(agent(model)) is None


def test_ones_own_server_has_no_listed_price(monkeypatch: pytest.MonkeyPatch) -> None:
    assert price_of(agent("openai/gpt-4o-mini", api_base="http://127.0.0.1:8000/v1")) is None
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
    assert price_of(agent("openai/gpt-4o-mini")) is None


def test_the_recipes_price_wins_but_a_recording_is_free() -> None:
    price = Price(prompt=1, completion=2)
    recorded = {"solve": Recording(file="f", match="question", reply="answer")}
    assert price_of(agent("openai/gpt-4o-mini", price=price)) == price
    assert price_of(agent("simulated/teacher")) == price_of(agent("local/ckpt")) == FREE
    assert price_of(agent("simulated/teacher", price=price)) == price
    assert price_of(agent("recorded/gpt", price=price, recorded=recorded)) == FREE
    assert cost(price, 1_000_000, 500_000) == 2.0


def test_a_bare_name_is_wrong_use() -> None:
    for model in ("gpt-4o", "", "/x", "openai/"):
        with pytest.raises(UsageError):
            price_of(agent(model))


@pytest.fixture(params=["renamed", "not installed"])
def no_table(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A litellm that holds its prices under another name, or none at all; gives what is said of it."""
    folder = tmp_path / "litellm"
    folder.mkdir()
    (folder / "prices.json").write_text("{}")
    module = ModuleSpec("litellm", None, is_package=True)
    module.submodule_search_locations = [str(folder)]
    package = module if request.param == "renamed" else None
    monkeypatch.setattr("errata.llm.price_table.importlib.util.find_spec", lambda name: package)
    read_table.cache_clear()
    yield f"litellm {version('litellm')} has no table of prices at {folder}" if package else "is not installed"
    read_table.cache_clear()


def test_a_missing_table_is_told_where_a_budget_needs_it(no_table: str) -> None:
    agents = Agents(teachers=(agent("openai/gpt-4o-mini"),))
    with pytest.raises(UsageError) as refusal:
        check(agents, Budget(usd=1))
    assert no_table in refusal.value.why
    check(agents, Budget(calls=10))


def test_a_missing_table_is_noted_where_no_budget_needs_it(no_table: str) -> None:
    own, listed = agent("openai/llama", api_base="http://127.0.0.1:8000/v1"), agent("openai/gpt-4o-mini")
    (note,) = price_notes([own, listed])
    assert note.startswith("no price is known for ada: ")
    assert no_table in note
    assert price_notes([own, agent("simulated/ada")]) == ()


async def test_the_note_reaches_whoever_runs_it(no_table: str, tmp_path: Path) -> None:
    async with gateway(tmp_path, agent("openai/gpt-4o-mini")) as opened:
        assert any(no_table in note for note in opened.notes)


def test_with_the_table_there_is_no_note() -> None:
    assert price_notes([agent("openai/no-such-model")]) == ()


def test_reading_the_table_imports_no_litellm() -> None:
    code = (
        "import sys; from errata.llm.prices import price_of; from errata.llm.spec import AgentSpec;"
        "assert price_of(AgentSpec(name='a', model='openai/gpt-4o')); assert 'litellm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
