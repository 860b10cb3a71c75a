"""Exports: which rationales become rows, in which order, with which lineage, and what the card says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from datasets import load_dataset

from errata.agents.prompts import load_prompts
from errata.errors import ErrataError, UsageError
from errata.export import Source, export, likeness, usable
from errata.graphs.runner import synthesize
from errata.records import Outcome, Problem, Rationale, Review, Transcript
from errata.rundir import RunDir, index_log
from tests.runs import lines, small

PROBLEM = Problem(id="p", task="t", question="1 + 1 ?", answer="2", kind="number")


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def source_of(folder: Path, *overrides: str) -> Source:
    recipe = small(folder, *overrides)
    return Source(RunDir(folder), recipe, load_prompts(), index_log(folder / "none"))


def rationale(name: str, **changes: Any) -> Rationale:
    written = Rationale(id=name, problem_id="p", author="ada", role="teacher", text="2", correct=True)
    return written.model_copy(update=changes)


def names(source: Source, *rationales: Rationale, status: str = "done") -> list[str]:
    outcome = Outcome.model_validate({"status": status})
    transcript = Transcript(graph="lesson", problem=PROBLEM, rationales=rationales, outcome=outcome)
    return [each.id for each in usable(transcript, source)]


async def test_rows_are_traced_and_in_input_order(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path))).run
    done = export([run], "sft", tmp_path / "out" / "sft.jsonl")

    log = {line["problem"]["id"]: line for line in lines(run)}
    rows = rows_of(done.out)
    assert len(rows) == done.rows > 20
    positions = [log[row["meta"]["problem_id"]]["problem"]["position"] for row in rows]
    assert positions == sorted(positions)
    for row in rows:
        line = log[row["meta"]["problem_id"]]
        written = next(each for each in line["rationales"] if each["id"] == row["meta"]["rationale_id"])
        assert row["completion"] == written["text"]
        assert written["correct"]
        assert not written["dropped"]
        assert written["role"] in ("teacher", "revised", "rectified")
        assert written["accepted"] or (written["accepted"] is None and not written["reviews"])
        exam = next(call for call in line["calls"] if call["agent"] == "pupil")
        assert row["prompt"] == exam["messages"][-1]["content"]
        calls = {call["id"]: call for call in line["calls"]}
        assert set(row["meta"]["calls"]) <= set(calls)
        assert set(written["call_ids"]) <= set(row["meta"]["calls"])
        assert row["meta"]["price_usd"] == 0

    again = export([run], "sft", tmp_path / "again.jsonl")
    assert again.out.read_bytes() == done.out.read_bytes()
    assert sorted(path.name for path in done.out.parent.iterdir()) == ["sft.jsonl", "sft.md"]


async def test_messages_are_the_same_rows_as_a_conversation(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, "agents.student.system=Be brief.", problems=4))).run
    sft = rows_of(export([run], "sft", tmp_path / "sft.jsonl").out)
    messages = rows_of(export([run], "messages", tmp_path / "messages.jsonl").out)

    assert len(sft) == len(messages)
    for flat, talk in zip(sft, messages, strict=True):
        assert talk["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": flat["prompt"]},
            {"role": "assistant", "content": flat["completion"]},
        ]
        assert talk["meta"] == flat["meta"]


async def test_a_data_set_loader_reads_the_rows(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, problems=4))).run
    done = export([run, run], "messages", tmp_path / "m.jsonl")
    loaded = load_dataset("json", data_files=str(done.out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == done.rows
    assert done.duplicates >= done.rows // 2


async def test_the_card_tells_what_is_in_the_file(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, "licence=CC-BY-4.0"))).run
    done = export([run], "sft", tmp_path / "sft.jsonl")

    card = done.card.read_text(encoding="utf-8")

    assert "license: CC-BY-4.0" in card
    assert f"{done.rows} rows of format `sft`" in card
    assert f"near-duplicates: {done.duplicates} rows" in card
    assert "teacher/solve@1" in card
    assert "simulated/ada" in card


def test_what_is_taken(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    reviews = (Review(id="r", reviewer="ben", score=4, valid=True, text=""),)

    taken = names(
        source,
        rationale("accepted", accepted=True, reviews=reviews),
        rationale("rectified", role="rectified", saw_answer=True),
        rationale("revised", role="revised", accepted=True, reviews=reviews),
        rationale("rejected", accepted=False, reviews=reviews),
        rationale("open", accepted=None, reviews=reviews),
        rationale("wrong", correct=False, accepted=True, reviews=reviews),
        rationale("dropped", dropped="near_duplicate"),
        rationale("student", role="student"),
        rationale("corrupted", role="corrupted"),
        rationale("blank", text=" \n"),
    )

    assert taken == ["accepted", "rectified", "revised"]


def test_of_a_failed_problem_only_what_the_panel_accepted(tmp_path: Path) -> None:
    waiting, accepted = rationale("waiting"), rationale("accepted", accepted=True)
    assert names(source_of(tmp_path), waiting, accepted, status="failed") == ["accepted"]
    no_panel = source_of(tmp_path, "settings.stages=[rationales]")
    assert names(no_panel, waiting, accepted, status="failed") == ["waiting", "accepted"]


def test_likeness_ignores_case_and_space() -> None:
    def row(text: str) -> dict[str, Any]:
        return {"prompt": "p", "completion": text}

    assert likeness(row("A  b\n")) == likeness(row("a b"))
    assert likeness(row("a b")) != likeness(row("a c"))


async def test_a_log_that_cannot_serve_names_the_graph(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, "graph=exam", "settings={}", problems=2))).run
    with pytest.raises(UsageError, match="run one of the graphs rationales") as raised:
        export([run], "sft", tmp_path / "x.jsonl")
    assert "graph exam" in raised.value.found
    assert not (tmp_path / "x.jsonl").exists()


async def test_no_row_is_an_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    recipe = small(tmp_path, "settings.peer_review.accept.threshold=5", "settings.dual_cot.rectify=false", problems=2)
    run = (await synthesize(recipe)).run
    (tmp_path / "x.jsonl").write_text("before", encoding="utf-8")
    with pytest.raises(UsageError, match=r"no row: of \d+ rationales \d+ are right, 0 accepted"):
        export([run], "sft", tmp_path / "x.jsonl")
    assert (tmp_path / "x.jsonl").read_text(encoding="utf-8") == "before"


async def test_bad_targets(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, problems=2))).run
    with pytest.raises(UsageError, match=r"\.md"):
        export([run], "sft", tmp_path / "x.md")
    (tmp_path / "file").touch()
    with pytest.raises(ErrataError, match="cannot be written"):
        export([run], "sft", tmp_path / "file" / "x.jsonl")
