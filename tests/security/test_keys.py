"""A planted key, echoed by the provider in every way it can fail: it stands in no file and on no screen."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.exports.write import export
from errata.llm.stored_reply import hidden, keys_in, surrogate_free
from errata.records import to_json
from errata.runs.recipe import load_recipe
from errata.runs.status import status as status_of
from tests.llm.provider import Act, Provider, body, drop, ok, status
from tests.security.runs import APPLES, recipe_text

KEY = "sk-PLANTED7f3a9c51e0d24b8896aa"
GATE = "gatePLANTED55e1c0ffee77b1d2"
TOLD = "PLANTED"
"""What must be found nowhere: it stands near the start of both, so that a cut-off key is found as well."""


def echoes(key: str) -> list[Act]:
    """Replies and failures that hold the key: whole, in structures, and cut off where messages are cut."""
    return [
        status(400, f"bad request with {key}"),
        status(500, f"oops {key}", headers={"X-Echo": key}),
        status(429, f"slow down, {key}", headers={"Retry-After": "0"}),
        status(422, "x" * (1_990 - 5) + key),  # cut at 2,000 characters
        status(400, "", code=key, param=key),
        body("x" * 185 + key),  # no JSON, cut at 200
        body(f"<html>{key}</html>", "text/html"),
        body(json.dumps({"error": f"wrapped {key}"})),
        body(json.dumps({"choices": [key]})),
        body(json.dumps({"choices": [{"message": {"content": [key]}, "finish_reason": [key]}]})),
        ok(f"I was sent {key}. The answer is 5.\n[4]", reasoning_content=f"the key is {key}"),
        ok("\x1b[31mThe answer is 5.\n[4]"),
        drop,
    ]


async def errata(folder: Path, *words: str) -> tuple[int, bytes]:
    """The command in a process of its own, in `folder`, whose .env is read; what it printed."""
    environment = {name: value for name, value in os.environ.items() if "KEY" not in name and "BASE" not in name}
    root = str(Path(__file__).parents[2])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "errata", *words,
        cwd=folder, env={**environment, "PYTHONPATH": root}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, printed


def texts_under(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it is, and the store's rows unpacked."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != ".env":
            yield str(path), path.read_bytes()
    for path in folder.rglob("cache.db"):
        database = sqlite3.connect(path)
        for (value,) in database.execute("select value from Cache"):
            yield f"a row of {path}", zlib.decompress(value)
        database.close()


@pytest.mark.parametrize("model", ["openai", pytest.param("litellm/openai", marks=pytest.mark.slow)])
async def test_a_planted_key_is_found_nowhere(tmp_path: Path, model: str) -> None:
    (tmp_path / ".env").write_text(f"ADA_KEY={KEY}\nOPENAI_API_KEY={KEY}\nGATE_PASS={GATE}\n")
    acts = cycle(act for key in (KEY, GATE) for act in echoes(key))
    problems = [APPLES | {"question": f"{number} and 3?"} for number in range(6)]
    async with Provider(then=lambda request: next(acts)(request)) as provider:
        gate = {"extra_headers": {"X-Gate": "${GATE_PASS}"}}
        recipe = json.loads(recipe_text(tmp_path, provider.base, problems, api_key_env="ADA_KEY", extra=gate))
        for agent in (*recipe["agents"]["teachers"], recipe["agents"]["student"]):
            agent["model"] = f"{model}/{agent['name']}"
        path = tmp_path / "keys.yaml"
        path.write_text(json.dumps(recipe))
        code, printed = await errata(
            tmp_path, "synth", "keys.yaml", "--debug", "--trace", "spans.jsonl", "--trace-texts"
        )
        sent = list(provider.keys)
        provider.then = status(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key")
        refused, more = await errata(
            tmp_path, "synth", "keys.yaml", "--debug", "--trace", "spans.jsonl", "--trace-texts"
        )
    exported = export([tmp_path / "runs/keys"], "nat", tmp_path / "out.jsonl")
    told = to_json(status_of(tmp_path / "runs/keys"))

    assert sent[0] == f"Bearer {KEY}"
    assert code == 3, printed.decode()
    assert refused == 1
    assert b"was refused: 401: " in more
    assert b"Incorrect API key provided: [hidden]" in more
    assert exported.tally.rows
    for where, text in (*texts_under(tmp_path), *(("printed", text) for text in (printed, more, told))):
        assert TOLD.encode() not in text, (where, text[max(0, text.find(TOLD.encode()) - 200) :][:400])
    assert any(b"[hidden]" in text for _, text in texts_under(tmp_path))
    assert (tmp_path / "spans.jsonl").stat().st_size


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ({"extra": {"api_key": KEY}}, "extra.api_key holds a key"),
        ({"extra": {"extra_headers": {"Authorization": f"Bearer {KEY}"}}}, "extra.extra_headers.Authorization holds"),
        ({"extra": {"extra_body": {"options": {"access_token": KEY}}}}, "extra_body.options.access_token holds a key"),
        ({"api_base": f"http://me:{KEY}@localhost/v1"}, "api_base holds a password"),
        ({"api_base": f"http://{KEY}@localhost/v1"}, "api_base holds a password"),
        ({"api_base": f"http://localhost/v1?v=1&api-key={KEY}"}, r"api_base holds a key \(api-key\)"),
        ({"extra": {"extra_headers": {"X-Key": KEY}}}, "extra_headers.X-Key holds a key"),
        ({"extra": {"extra_headers": {"X-Auth-Token": KEY}}}, "extra_headers.X-Auth-Token holds a key"),
        ({"extra": {"extra_headers": {"Cookie": f"id={KEY}"}}}, "extra_headers.Cookie holds a key"),
        ({"extra": {"extra_headers": {"Authorization": f"Bearer ${{X:-{KEY}}}"}}}, "Authorization holds a key"),
        ({"extra": {"extra_headers": {"X-Api-Key": f"{KEY}${{X}}"}}}, "X-Api-Key holds a key"),
        ({"extra": {"extra_body": {"list": [{"token": KEY}]}}}, "extra_body.list.0.token holds a key"),
    ],
)
def test_a_recipe_that_holds_a_key_is_refused_and_the_key_not_repeated(
    tmp_path: Path, agent: dict[str, object], told: str
) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(recipe_text(tmp_path, "http://127.0.0.1:9/v1", [APPLES], **agent))

    with pytest.raises(UsageError, match=told) as refused:
        load_recipe(path)

    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("base", "holds", "told"),
    [
        ("https://evil.org/${LAB_ADDRESS}", KEY, "holds a variable within an address"),
        ("https://${LAB_ADDRESS}.evil.org/v1", KEY, "holds a variable within an address"),
        ("${LAB_ADDRESS}${LAB_ADDRESS}", KEY, "holds a variable within an address"),
        ("${LAB_ADDRESS}", KEY, "is no address"),
        ("${LAB_ADDRESS}", f"http://me:{KEY}@localhost/v1", "api_base holds a password"),
        ("${LAB_ADDRESS}", f"http://localhost/v1?api-key={KEY}", r"api_base holds a key \(api-key\)"),
    ],
)
def test_no_address_is_made_of_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, holds: str, told: str
) -> None:
    monkeypatch.setenv("LAB_ADDRESS", holds)
    path = tmp_path / "r.yaml"
    path.write_text(recipe_text(tmp_path, base, [APPLES]))

    with pytest.raises(UsageError, match=told) as refused:
        load_recipe(path)

    assert KEY not in str(refused.value)


def test_what_only_sounds_like_a_key_is_none(tmp_path: Path) -> None:
    extra = {"prompt_cache_key": "lesson", "stop_token": "###", "stop_token_ids": [1], "max_completion_tokens": 5}
    headers = {"Authorization": "Bearer ${ADA_KEY}", "X-Key": "${ADA_KEY}", "X-Team": "red", "X-Keyboard": "de"}
    path = tmp_path / "r.yaml"
    given = {"extra": extra | {"extra_headers": headers}, "api_base": "http://127.0.0.1:9/v1?api-version=2"}
    path.write_text(recipe_text(tmp_path, "", [APPLES], **given))
    load_recipe(path)


def test_a_key_cut_off_at_the_end_is_hidden() -> None:
    for length in range(6, len(KEY)):
        assert hidden(f"bad key {KEY[:length]} ...", [KEY]) == "bad key [hidden] ..."
    assert hidden("bad key sk-PL", [KEY]) == "bad key sk-PL"
    assert surrogate_free("\ud800") == "\ufffd"


def test_what_may_stand_in_a_reply_by_chance_is_no_key_to_be_hidden_there() -> None:
    assert keys_in([KEY, "10000000000000000000", "falsefalse"]) == [KEY]
