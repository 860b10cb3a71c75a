from __future__ import annotations

import asyncio

import pytest

from tests.faults.harm import Came, came_to, place


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


@pytest.fixture(scope="session")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Came:
    """What the lesson comes to if nothing happens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        here = place(tmp_path_factory.mktemp("unharmed"))
        summary = asyncio.run(here.lives())
    assert summary.exit_code == 0
    return came_to(here.run)
