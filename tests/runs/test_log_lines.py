"""Damaged lines of a log, and data that changed under their ids: every verb says the same of them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.errors import UsageError
from errata.exports.write import export
from errata.records import Outcome, Problem, Transcript
from errata.runs.log_lines import DAMAGED, Seal, intact_bytes
from errata.runs.run_dir import Log, RunDir, index_log
from errata.runs.runner import Summary, synthesize
from errata.runs.status import status
from tests.small_runs import small

PROBLEMS = 4


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `runs` of a finished run."""
    folder = tmp_path_factory.mktemp("runs")
    assert resumed(folder).exit_code == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "runs")


def resumed(folder: Path, *changes: str) -> Summary:
    return asyncio.run(synthesize(small(folder, "settings.dual_cot.warmup=0", *changes, problems=PROBLEMS)))


def flipped_name(line: bytes) -> bytes:
    return line.replace(b'"rationales":', b'"rationalez":', 1)


def flipped_type(line: bytes) -> bytes:
    return line.replace(b'"correct":', b'"correct":7', 1).replace(b'"correct":7true', b'"correct":77')


def no_json(line: bytes) -> bytes:
    return b"#" + line[1:]


def no_outcome(line: bytes) -> bytes:
    return line.replace(b'"outcome":', b'"outcomf":')


def number_for_text(line: bytes) -> bytes:
    story = orjson.loads(line)
    story["calls"][0]["reply"] = 5
    return orjson.dumps(story) + b"\n"


@pytest.mark.parametrize("harm", [flipped_name, flipped_type, no_json, no_outcome, number_for_text])
def test_every_verb_names_the_line_and_synth_mends_it(folder: Path, harm: Callable[[bytes], bytes]) -> None:
    run = folder / "demo"
    log = run / "transcripts.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    bad = harm(lines[2])
    log.write_bytes(b"".join([*lines[:2], bad, *lines[3:]]))
    named = f"{log}, line 3: no transcript"

    told = status(run)
    shown = CliRunner().invoke(cli, ["export", str(run), "--format", "sft", "--out", str(folder / "rows.jsonl")])
    counts = export([run], "nat", folder / "rows2.jsonl").tally
    summary = resumed(folder)

    assert told["problems"]["pending"] == 1
    assert any(note.startswith(named) for note in told["notes"])
    assert shown.exit_code == 0, shown.output
    assert f"{named}, not counted; the next `errata synth` sets it aside" in shown.stderr
    assert counts.notes[0].startswith(named)
    assert f"{named}, set aside in {DAMAGED}; the problem runs again" in summary.notes
    assert summary.exit_code == 0
    assert summary.spent["this_run"]["paid"] == 0
    assert (run / DAMAGED).read_bytes() == bad
    assert sorted(log.read_bytes().splitlines()) == sorted(whole.splitlines())
    assert status(run)["notes"] == []
    assert resumed(folder).notes == ()


def test_a_flipped_bit_that_leaves_the_line_whole_is_looked_at_closely(folder: Path) -> None:
    """The sealed part differs, so that nothing of it is believed."""
    run = RunDir(folder / "demo")
    seal = Seal(**run.manifest()["log"])
    assert seal.bytes == run.log.stat().st_size
    assert intact_bytes(run.log, seal) == seal.bytes
    text = run.log.read_bytes()
    run.log.write_bytes(text.replace(b"a", b"b", 1))
    assert intact_bytes(run.log, seal) == 0
    run.log.write_bytes(text[: len(text) // 2])
    assert intact_bytes(run.log, seal) == 0


def test_a_sealed_log_is_not_read_as_transcripts_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def from_line(line: bytes) -> Transcript:
        seen.append(line)
        return Transcript.model_validate_json(line)

    monkeypatch.setattr(Transcript, "from_line", from_line)
    run = RunDir(folder / "demo")
    assert len(run.index()) == PROBLEMS
    assert seen == []
    with run.log.open("ab") as file:
        file.write(transcript("new").to_line())
    assert len(run.index()) == PROBLEMS + 1
    assert len(seen) == 1


@pytest.mark.parametrize("seal", [None, 5, {}, {"bytes": "many"}, {"bytes": -1, "blake2b": "x"}, {"bytes": 2**70}])
def test_a_damaged_seal_is_none(folder: Path, seal: object) -> None:
    run = RunDir(folder / "demo")
    run.write_manifest(run.manifest() | {"log": seal})
    assert len(run.index()) == PROBLEMS


def test_a_log_of_another_version_is_left_as_it_is(folder: Path) -> None:
    log = folder / "demo" / "transcripts.jsonl"
    other = log.read_bytes().replace(b'"graph":', b'"pipeline":')
    log.write_bytes(other)

    with pytest.raises(UsageError, match=r"lines 1, 2, 3, 4: no line is a transcript of this version"):
        resumed(folder)

    assert log.read_bytes() == other
    assert not (folder / "demo" / DAMAGED).exists()


def transcript(name: str, **changes: object) -> Transcript:
    given: dict[str, object] = {"id": name, "task": "t", "question": "q?", "answer": "1", "kind": "number"}
    problem = Problem.model_validate(given | changes)
    return Transcript(graph="exam", problem=problem, outcome=Outcome(status="done"))


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"question": "another?"}, True),
        ({"answer": "2"}, True),
        ({"kind": "string"}, True),
        ({"choices": ("1", "2")}, True),
        ({"answers": ("one",)}, True),
        ({"position": 7, "rationale": "1 is 1", "meta": {"source": "x"}, "split": "train"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_a_change(tmp_path: Path, change: dict[str, object], differs: bool) -> None:
    log = Log(tmp_path / "log")
    log.append(transcript("a").to_line())
    log.close()
    assert index_log(tmp_path / "log").has_changed(transcript("a", **change).problem) is differs
    assert not index_log(tmp_path / "log").has_changed(transcript("b", **change).problem)


def test_changed_problems_under_old_ids_are_refused(tmp_path: Path) -> None:
    data = tmp_path / "problems.jsonl"
    rows = [{"id": f"p{n}", "q": f"Mia has {n} apples and gets 1. How many?", "a": str(n + 1)} for n in range(3)]

    def run(rows: list[dict[str, str]], *changes: str) -> Summary:
        data.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        mapping = "{question: q, answer: a, kind: number, id: id}"
        source = f"problems={{source: '{data}', mapping: {mapping}}}"
        return resumed(tmp_path, "graph=exam", source, *changes)

    run(rows[:2])
    before = (tmp_path / "demo" / "transcripts.jsonl").read_bytes()

    with pytest.raises(UsageError, match=r"1 of the problems differ .*settled: problems:p1\n(.|\n)*name=\.\.\."):
        run([rows[0], rows[1] | {"a": "7"}, rows[2]])
    assert (tmp_path / "demo" / "transcripts.jsonl").read_bytes() == before

    assert run([rows[1], rows[0], rows[2] | {"a": "7"}]).problems["total"] == 3  # another order, and a new one
