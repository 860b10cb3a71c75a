"""Spans of a real run: to a file, to a collector over HTTP, to a provider of one's own; and none unless asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from errata.errors import UsageError
from errata.llm.backends.simulated.server import Faults, serving
from errata.records import Transcript
from errata.runs.recipe import load_recipe
from errata.runs.runner import synthesize
from errata.runs.traces import traced, where_traces_go

RECIPE = """
name: traced
runs: {runs}
seed: 3
problems: {{source: classroom, options: {{count: 3, seed: 17}}}}
store: {runs}/calls
agents:
  student: {{name: pupil, model: simulated/pupil}}
  teachers:
    - {{name: ada, model: {ada}, {more}}}
settings: {{only_mistakes: false, exam: {{sampling: {{temperature: 0.5, max_tokens: 200}}}}}}
stages: [exam, rationales]
"""


def recipe(folder: Path, ada: str = "simulated/ada", more: str = "retries: 0") -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(runs=folder / "runs", ada=ada, more=more), encoding="utf-8")
    return path


def spans_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def transcripts(run: Path) -> list[Transcript]:
    return [Transcript.model_validate_json(line) for line in (run / "transcripts.jsonl").read_bytes().splitlines()]


async def test_problems_stages_and_calls_are_spans_within_each_other(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    with traced(file):
        summary = await synthesize(load_recipe(recipe(tmp_path)))

    spans = spans_in(file)
    by_id = {span["context"]["span_id"]: span for span in spans}
    kinds = Counter(span["name"].partition(" ")[0] for span in spans)
    calls = [call for each in transcripts(summary.run) for call in each.calls]
    assert kinds == {"problem": 3, "stage": 6, "chat": len(calls)}
    for span in spans:
        parent = by_id.get(span["parent_id"] or "")
        if span["name"].startswith("chat "):
            assert parent is not None
            assert parent["name"] == f"stage {span['attributes']['errata.stage']}"
        elif span["name"].startswith("stage "):
            assert parent is not None
            assert parent["name"].startswith("problem ")
            assert parent["start_time"] <= span["start_time"] <= span["end_time"] <= parent["end_time"]
        else:
            assert parent is None
    spent = sum(span["attributes"].get("gen_ai.usage.input_tokens", 0) for span in spans)
    assert spent == sum(call.prompt_tokens for call in calls) > 0
    exam = next(span for span in spans if span["attributes"].get("errata.stage") == "exam" and "chat" in span["name"])
    assert (
        exam["attributes"] | {"gen_ai.request.temperature": 0.5, "gen_ai.request.max_tokens": 200}
        == (exam["attributes"])
    )
    assert exam["attributes"]["gen_ai.provider.name"] == "simulated"


async def test_texts_are_in_spans_only_where_they_are_asked_for(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    with traced(tmp_path / "without.jsonl"):
        summary = await synthesize(load_recipe(path))
    with traced(tmp_path / "with.jsonl", texts=True):
        await synthesize(load_recipe(path, ["name=again"]))

    question = transcripts(summary.run)[0].problem.question
    assert json.dumps(question)[1:-1] not in (tmp_path / "without.jsonl").read_text(encoding="utf-8")
    chats = [span for span in spans_in(tmp_path / "with.jsonl") if span["name"].startswith("chat ")]
    asked = [json.loads(span["attributes"]["gen_ai.input.messages"]) for span in chats]
    assert any(question in part["content"] for messages in asked for each in messages for part in each["parts"])


async def test_a_reply_from_the_store_is_marked(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    summary = await synthesize(load_recipe(path))
    with traced(tmp_path / "traces.jsonl"):
        await synthesize(load_recipe(path, ["name=again"]))
        await synthesize(load_recipe(path, ["name=fresh", "seed=4"]))

    stored = [span["attributes"].get("errata.stored") for span in spans_in(tmp_path / "traces.jsonl")]
    calls = sum(len(each.calls) for each in transcripts(summary.run))
    assert stored.count(True) == calls
    assert stored.count(False) > 0


async def test_a_failed_call_is_an_error(tmp_path: Path) -> None:
    async with serving(Faults(rate=1, kinds=("500",))) as url:
        path = recipe(tmp_path, "openai/ada", f"retries: 0, api_base: '{url}', price: {{prompt: 1, completion: 1}}")
        with traced(tmp_path / "traces.jsonl"):
            await synthesize(load_recipe(path))

    chats = [span for span in spans_in(tmp_path / "traces.jsonl") if span["name"] == "chat ada"]
    assert {span["status"]["status_code"] for span in chats} == {"ERROR"}
    assert all("500" in span["status"]["description"] for span in chats)


async def test_a_collector_gets_spans_over_http(tmp_path: Path) -> None:
    names: list[str] = []

    async def collect(request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        names.extend(span.name for each in sent.resource_spans for scope in each.scope_spans for span in scope.spans)
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", collect)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    command = [sys.executable, "-m", "errata", "synth", str(recipe(tmp_path)), "--quiet"]
    process = await asyncio.create_subprocess_exec(
        *command, "--trace", f"http://127.0.0.1:{port}", stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    _, stderr = await process.communicate()
    await runner.cleanup()

    assert process.returncode == 0, stderr.decode()
    assert f"go to http://127.0.0.1:{port}" in stderr.decode()
    assert Counter(name.partition(" ")[0] for name in names)["problem"] == 3


async def test_a_provider_of_ones_own_gets_them_and_stays_open(tmp_path: Path) -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with traced(provider):
        await synthesize(load_recipe(recipe(tmp_path)))
    await synthesize(load_recipe(recipe(tmp_path), ["name=untraced"]))

    assert sum(span.name.startswith("problem ") for span in kept.get_finished_spans()) == 3


def test_a_trace_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="cannot be written"), traced(tmp_path / "traces.jsonl"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_it_is_said_what_leaves() -> None:
    assert where_traces_go("http://h", texts=False) == "traces: models, settings, tokens and prices go to http://h"
    assert "replies" in where_traces_go("http://h", texts=True)
