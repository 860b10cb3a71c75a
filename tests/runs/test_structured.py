"""A lesson whose reviewers answer by JSON schema, over real HTTP, beside the same lesson with closing lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.llm.backends.simulated.server import serving
from errata.runs.runner import synthesize
from errata.runs.status import status
from tests.llm.provider import Provider, ok
from tests.llm.provider import status as answer_with
from tests.small_runs import lines, over_http, small

refused = answer_with(400, "response_format is not supported")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def story(run: Path) -> list[dict[str, Any]]:
    """The log without its calls, and of these who was asked what."""
    return [
        line | {"calls": [(call["id"], call["prompt_tokens"]) for call in line["calls"] if call["verb"] == "solve"]}
        for line in sorted(lines(run), key=lambda line: str(line["problem"]["id"]))
    ]


async def test_a_schema_changes_the_form_of_the_verdicts_and_nothing_else(tmp_path: Path) -> None:
    async with serving() as url:
        by_schema = await synthesize(small(tmp_path / "schema", *over_http(url), problems=6))
        places = [f"agents.teachers.{place}.structured=off" for place in range(3)]
        by_line = await synthesize(small(tmp_path / "line", *over_http(url), *places, problems=6))

    verdicts = [c for line in lines(by_schema.run) for c in line["calls"] if c["verb"] in ("score", "classify")]
    assert verdicts
    assert all(call["reply"].startswith('{"') and call["reply"].endswith("}") for call in verdicts)
    assert story(by_schema.run) == story(by_line.run)
    assert not any("JSON schema" in note for note in by_schema.notes)


async def test_what_a_provider_refuses_is_said_and_remembered(tmp_path: Path) -> None:
    async with Provider() as provider:
        provider.then = lambda request: (
            refused(request) if "response_format" in provider.bodies[-1] else ok("The answer is 1.\nScore: 4")(request)
        )
        agents = [
            f"agents.teachers.{place}={{name: {name}, model: openai/stub, api_base: '{provider.base}'}}"
            for place, name in enumerate(("ada", "ben", "cleo"))
        ]
        recipe = small(tmp_path, "graph=peer_review", "settings={}", *agents, problems=2)
        first = await synthesize(recipe)
        asked = len(provider.bodies)
        (first.run / "transcripts.jsonl").unlink()
        again = await synthesize(recipe)

    assert (first.exit_code, first.spent["this_run"]["failed"]) == (0, 0)
    assert {score["score"] for line in lines(first.run) for r in line["rationales"] for score in r["reviews"]} == {4}
    assert sum("response_format" in body for body in provider.bodies) >= 3
    for notes in (first.notes, status(first.run)["notes"]):
        assert sum("takes no JSON schema" in note for note in notes) == 3
    assert len(provider.bodies) == asked, "all replies were in the store, and no schema was offered again"
    assert again.spent["this_run"]["paid"] == 0
