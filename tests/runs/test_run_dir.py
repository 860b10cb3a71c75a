"""The lock, the log and the manifest of a run directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.errors import UsageError
from errata.records import Outcome, Problem, Transcript
from errata.runs.mend_log import repair
from errata.runs.run_dir import MANY_REASONS, OTHER, Log, RunDir, find_run, held, index_log, read_lines


def line(name: str, position: int = 0, status: str = "done", reason: str | None = None, text: str = "q") -> bytes:
    problem = Problem(id=name, task="t", question=text, answer="1", kind="number", position=position)
    outcome = Outcome.model_validate({"status": status, "reason": reason})
    return Transcript(graph="exam", problem=problem, outcome=outcome).to_line()


def test_last_line_of_a_problem_counts_and_order_is_the_inputs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(line("b", 1, "failed", "provider: 500") + line("c", 2, "rejected", "no_pair") + line("a", 0))
    with log.open("ab") as file:
        file.write(line("b", 1, "done", text="second"))

    index = index_log(log)

    assert len(index) == 3
    assert index.lines == 4
    assert index.outcome("b") == Outcome(status="done")
    assert index.outcome("c") == Outcome(status="rejected", reason="no_pair")
    assert index.outcome("d") is None
    assert sorted((o.status, o.reason, n) for o, n in index.counts()) == [("done", None, 2), ("rejected", "no_pair", 1)]
    read = [Transcript.from_line(text) for text in read_lines(log, index.in_input_order())]
    assert [t.problem.id for t in read] == ["a", "b", "c"]
    assert read[1].problem.question == "second"


def test_missing_and_empty_logs_are_empty(tmp_path: Path) -> None:
    assert repair(tmp_path / "log") == 0
    assert len(index_log(tmp_path / "log")) == 0
    (tmp_path / "log").touch()
    assert repair(tmp_path / "log") == 0
    assert index_log(tmp_path / "log").outcome("a") is None


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    names=st.lists(texts, min_size=1, max_size=8),
    cut=st.integers(min_value=0),
    block=st.sampled_from([1, 7, 64, 1 << 20]),
)
def test_repair_keeps_every_whole_line_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], cut: int, block: int
) -> None:
    log = tmp_path_factory.mktemp("log") / "log"
    lines = [line(name, number) for number, name in enumerate(names)]
    whole = b"".join(lines)
    kept = cut % (len(whole) + 1)
    log.write_bytes(whole[:kept])
    torn = index_log(log).torn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("errata.runs.mend_log.BLOCK", block)
        removed = repair(log)

    text = log.read_bytes()
    assert removed == torn == kept - len(text)
    assert whole.startswith(text)
    assert text == b"" or text.endswith(b"\n")
    assert b"\n" not in whole[len(text) : kept]
    index = index_log(log)
    assert len(index) == len(set(names[: text.count(b"\n")]))
    assert index.damaged == ()
    assert index.torn == 0
    assert repair(log) == 0


@given(st.binary(max_size=200))
def test_a_log_of_anything_is_counted_not_raised(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    log = tmp_path_factory.mktemp("log") / "log"
    log.write_bytes(line("a") + junk + b"\n" + line("b", 1))
    index = index_log(log)
    assert index.outcome("a")
    assert index.outcome("b")
    assert index.damaged == tuple(range(2, junk.count(b"\n") + 3))


def test_reasons_without_end_are_kept_within_bounds(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(line(str(n), n, "failed", f"provider: request {n}") for n in range(MANY_REASONS + 50)))
    counts = index_log(log).counts()
    assert sum(number for _, number in counts) == MANY_REASONS + 50
    assert (Outcome(status="failed", reason=OTHER), 50) in counts


def test_the_index_takes_few_bytes_a_problem(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(line(str(n), n) for n in range(100)))
    index = index_log(log)
    parts: list[np.ndarray] = [index.hashes, index.offsets, index.positions, index.codes, index.contents]
    assert sum(part.nbytes for part in parts) <= 30 * 100


def test_a_full_disk_leaves_the_log_whole(tmp_path: Path) -> None:
    """In a child, whose files may not grow past a limit; the part of a line that fitted is taken back."""
    code = f"""
import resource, signal
from pathlib import Path
from errata.errors import ErrataError
from errata.runs.run_dir import Log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
log = Log(Path({str(tmp_path / "log")!r}))
log.append(b"x" * 59 + b"\\n")
try:
    log.append(b"y" * 59 + b"\\n")
except ErrataError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "cannot be written" in out
    assert (tmp_path / "log").read_bytes() == b"x" * 59 + b"\n"


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from errata.runs.run_dir import held
with held(Path({str(tmp_path)!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"

    with pytest.raises(UsageError, match=f"in use by process {child.pid}"), held(tmp_path):
        pass

    child.kill()
    child.communicate()
    with held(tmp_path) as run:
        assert run.path == tmp_path


def refused(path: Path, *, begun: bool = False) -> None:
    """A run that writes into its directory and is then refused."""
    with held(path) as run:
        (run.path / "calls").mkdir()
        run.log.touch()
        if begun:
            run.write_manifest({"spent": 1})
        raise UsageError("no")


def test_what_is_refused_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no"):
        refused(tmp_path / "runs" / "new")
    assert list(tmp_path.iterdir()) == []


def test_what_has_begun_or_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "runs" / "theirs").mkdir(parents=True)
    with pytest.raises(UsageError, match="no"):
        refused(tmp_path / "runs" / "theirs")
    with pytest.raises(UsageError, match="no"):
        refused(tmp_path / "runs" / "begun", begun=True)
    with held(tmp_path / "runs" / "well"):
        pass
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"begun", "theirs", "well"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_directory_is_wrong_use(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="cannot be written"), held(tmp_path / "run"):
            pass
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_the_way_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(UsageError, match="cannot be written"), held(tmp_path / "run"):
        pass


def test_manifest_round_trip_and_damage(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert run.manifest() == {}
    run.write_manifest({"seed": 17, "name": "é\ud800"})
    assert run.manifest() == {"seed": 17, "name": "é�"}
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    (tmp_path / "manifest.json").write_bytes(b'{"seed": ')
    assert run.manifest() == {}


def test_find_run_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither transcripts"):
        find_run(tmp_path)
    (tmp_path / "recipe.yaml").write_text("graph: exam\n")  # anybody's
    with pytest.raises(UsageError, match=r"nor manifest\.json"):
        find_run(tmp_path)
    Log(tmp_path / "transcripts.jsonl").close()
    assert find_run(tmp_path).path == tmp_path
