"""The funnel: every figure against a slow count of the same log."""

from __future__ import annotations

import re
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import orjson
import pytest
from click.testing import CliRunner
from rich.console import Console

from errata.cli import cli
from errata.records import Call, Outcome, Problem, Rationale, Review, Transcript
from errata.runs.counters import Snapshot, StopSignal
from errata.runs.progress import watching
from errata.runs.run_dir import Log
from errata.runs.runner import synthesize
from errata.runs.status import status
from errata.runs.tables import show_status
from tests.small_runs import lines, small

PROBLEM = Problem(id="p", task="t", question="1 + 1 ?", answer="2", kind="number")


def judged(name: str, role: str, *, correct: bool) -> Rationale:
    given = (Review(id="r", reviewer="ben", score=3, valid=True, text=""),)
    about = {"problem_id": "p", "author": "ada", "text": "2"}
    return Rationale(id=name, role=role, accepted=True, correct=correct, reviews=given, **about)


async def test_status_tells_what_is_set_aside(tmp_path: Path) -> None:
    tokens = "settings.rationales.sampling.max_tokens=12"
    run = (await synthesize(small(tmp_path, tokens, "settings.dual_cot.review=false", problems=6))).run
    everything = [each for line in lines(run) for each in line["rationales"]]
    told = status(run)["set_aside"]
    cut = [each for each in everything if each["truncated"]]
    mended = [each for each in everything if each["role"] == "rectified" and each["correct"]]
    assert told == {"cut_off": len(cut), "unjudged": len(mended)}
    assert min(told.values()) > 0
    console = Console(record=True, width=120)
    show_status(status(run), console)
    shown = " ".join(console.export_text().split())
    assert f"rationales cut off at their length limit {len(cut)} " in shown
    assert f"right ones that saw the answer, judged by nobody {len(mended)} " in shown


async def test_every_figure_of_a_real_run(tmp_path: Path) -> None:
    summary = await synthesize(small(tmp_path))
    figures, log = status(summary.run), lines(summary.run)

    everything = [each for line in log for each in line["rationales"]]
    panel = [r for r in everything if r["reviews"] and r["role"] in ("teacher", "revised")]
    accepted = [r for r in panel if r["accepted"]]
    right = [r for r in panel if r["correct"]]
    assert figures["problems"] == {"total": 12, "done": 12, "rejected": {}, "failed": {}, "pending": 0}
    assert figures["rationales"] == {
        "written": len(everything),
        "correct": sum(r["correct"] is True for r in everything),
        "accepted": sum(r["accepted"] is True for r in everything),
    }
    both = [r for r in accepted if r["correct"]]
    assert figures["acceptance"]["answer"] == {
        "precision": len(both) / len(accepted),
        "recall": len(both) / len(right),
    }
    sound = [r for r in panel if r["sound"]]
    assert figures["acceptance"]["sound"] == {
        "precision": sum(r["sound"] for r in accepted) / len(accepted),
        "recall": sum(r["accepted"] for r in sound) / len(sound),
        "grader_only_precision": sum(r["sound"] for r in right) / len(right),
        "grader_only_recall": sum(r["correct"] for r in sound) / len(sound),
    }
    assert figures["acceptance"]["disagreements"] == {
        "accepted_wrong": len(accepted) - len(both),
        "rejected_right": len(right) - len(both),
    }
    names = ["ada", "ben", "cleo"]
    reviewed = [r for r in everything if r["reviews"]]
    table = np.full((3, len(reviewed)), np.nan)
    for column, each in enumerate(reviewed):
        for given in each["reviews"]:
            table[names.index(given["reviewer"]), column] = given["score"]
    expected = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
    assert figures["agreement"]["alpha"] == pytest.approx(expected)
    assert figures["agreement"]["units"] == len(reviewed)

    calls = [call for line in log for call in line["calls"]]
    assert figures["log"]["calls"] == len(calls) == figures["calls"]["paid"] + figures["calls"]["cached"]
    assert figures["tokens"]["prompt"] == summary.spent["all_runs"]["prompt_tokens"]
    assert figures["cost_usd"] == figures["cost_per_accepted_usd"] == 0
    by_agent = Counter(call["agent"] for call in calls)
    assert {name: row["calls"] for name, row in figures["agents"].items()} == by_agent
    pairs = Counter(pair["origin"] for line in log for pair in line["pairs"])
    assert {origin: counted["written"] for origin, counted in figures["pairs"].items()} == pairs
    assert figures["student"]["answers"] == 12
    assert figures["notes"] == []

    console = Console(record=True, width=100)
    show_status(figures, console)
    text = console.export_text()
    assert f"{figures['calls']['paid']:,} calls paid" in text
    assert "pupil" in text


GARBLED = [f"agents.teachers.{place}.model=simulated/{name}?garble=0.6" for place, name in enumerate(("ada", "ben"))]


async def test_unreadable_replies_and_what_they_cost_are_counted_by_agent_stage_and_verb(tmp_path: Path) -> None:
    prices = [f"agents.teachers.{place}.price={{prompt: 1, completion: 10}}" for place in range(3)]
    limit = "settings.mistake_explanation={sampling: {max_tokens: 20}}"
    summary = await synthesize(small(tmp_path, *GARBLED, *prices, limit, problems=4))
    figures, log = status(summary.run), lines(summary.run)

    slow: dict[tuple[str, str, str], Counter[str]] = {}
    for call in (call for line in log for call in line["calls"]):
        counted = slow.setdefault((call["agent"], call["stage"], call["verb"]), Counter())
        tokens = call["prompt_tokens"] + call["completion_tokens"]
        fresh = call["attempt"] > 0
        counted.update(
            replies=1,
            unreadable="unreadable" in call,
            cut_off=call["finish_reason"] == "length",
            fresh_tries=fresh,
            fresh_tokens=tokens * fresh,
            fresh_usd=call["price_usd"] * fresh * 1e9,
        )
    keys = ("replies", "unreadable", "cut_off", "fresh_tries", "fresh_tokens")
    rows = {(row["agent"], row["stage"], row["verb"]): row for row in figures["replies"]}
    assert rows.keys() == slow.keys()
    for key, counted in slow.items():
        assert {name: rows[key][name] for name in keys} == {name: counted[name] for name in keys}
        assert rows[key]["fresh_usd"] == pytest.approx(counted["fresh_usd"] / 1e9, abs=1e-8)
    assert sum(row["unreadable"] for row in rows.values()) > sum(row["fresh_tries"] for row in rows.values()) > 5
    assert sum(row["cut_off"] for row in rows.values()) > 2
    paid = {(row["agent"], row["stage"], row["verb"]): row for row in figures["paid_replies"]}
    assert paid.keys() <= rows.keys(), "what one stage has paid for is free to another"
    assert sum(row["replies"] for row in paid.values()) == figures["calls"]["paid"]
    assert all(paid[key]["fresh_tries"] <= rows[key]["fresh_tries"] for key in paid)
    console = Console(record=True, width=140)
    show_status(figures, console)
    assert "Replies that could not be read, or were cut off" in console.export_text()


async def test_a_run_shows_its_calls_before_any_problem_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("errata.runs.drive.TICK_S", 0.02)
    monkeypatch.setattr("errata.runs.drive.SAVE_EVERY_S", 0.02)
    stop, seen = StopSignal(), []

    def watch(snapshot: Snapshot) -> None:
        figures = status(tmp_path / "demo")
        if figures["paid_replies"] and not stop.requests:
            seen.append(figures)
            for _ in range(3):
                stop.request()

    slow = "agents.teachers.0={name: ada, model: simulated/ada, rpm: 1}"
    await synthesize(small(tmp_path, slow), watch=watch, stop=stop)

    figures = seen[0]
    assert figures["problems"] == {"total": 12, "done": 0, "rejected": {}, "failed": {}, "pending": 12}
    assert {row["stage"] for row in figures["paid_replies"]} >= {"exam"}
    console = Console(record=True, width=140)
    show_status(figures, console)
    assert "Calls paid so far" in console.export_text()


async def test_a_limit_that_cuts_many_replies_off_is_said_while_the_run_is_young(tmp_path: Path) -> None:
    snapshots: list[Snapshot] = []
    out = StringIO()
    with watching(quiet=False, stream=out) as show:
        assert show

        def watch(snapshot: Snapshot) -> None:
            snapshots.append(snapshot)
            show(snapshot)

        cut = "agents.teachers.0={name: ada, model: simulated/ada, max_tokens: 4}"
        summary = await synthesize(small(tmp_path, "graph=rationales", "settings={}", cut, problems=24), watch=watch)

    said = snapshots[-1].warnings["ada"]
    assert re.fullmatch(r"(\d\d) of \1 replies of ada are cut off at the length limit \(solve\): .* too small", said)
    assert out.getvalue().count("are cut off at the length limit") == 1
    assert said in summary.notes
    assert said in status(summary.run)["notes"]


def test_an_unknown_price_is_null_and_said(tmp_path: Path) -> None:
    call = Call(
        id="c",
        agent="ada",
        verb="solve",
        prompt="p",
        prompt_hash="h",
        model="m",
        messages=(),
        price_usd=None,
        reply="2",
    )
    log = Log(tmp_path / "transcripts.jsonl")
    log.append(
        Transcript(graph="exam", problem=PROBLEM, calls=(call,), outcome=Outcome(status="done")).to_line() + b'{"torn'
    )
    log.close()

    figures = status(tmp_path)

    assert figures["log"]["usd"] is None
    assert figures["agents"]["ada"]["usd"] is None
    assert figures["cost_usd"] is None
    assert figures["problems"]["total"] == figures["problems"]["done"] == 1
    notes = " ".join(figures["notes"])
    assert "no price is known for ada" in notes
    assert "torn line of 6 bytes" in notes
    assert "manifest.json is missing" in notes


def test_verdicts_on_targets_of_own_stages_count(tmp_path: Path) -> None:
    own, other = judged("own", "shortened", correct=True), judged("other", "noted", correct=False)
    transcript = Transcript(graph="lesson", problem=PROBLEM, rationales=(own, other), outcome=Outcome(status="done"))
    (tmp_path / "transcripts.jsonl").write_bytes(transcript.to_line())
    stages = [{"name": "exam", "roles": {"student": "attempt"}}]
    (tmp_path / "manifest.json").write_bytes(orjson.dumps({"stages": stages}))
    before = status(tmp_path)
    stages.append({"name": "short", "roles": {"shortened": "target", "noted": "contrast"}})
    (tmp_path / "manifest.json").write_bytes(orjson.dumps({"stages": stages}))

    after = status(tmp_path)

    assert before["acceptance"]["judged"] == 0
    assert after["acceptance"]["judged"] == 1
    assert after["acceptance"]["answer"]["precision"] == 1.0
    assert after["stages"] == ["exam", "short"]
    assert {row["role"] for row in after["authors"]} == {"shortened", "noted"}


@pytest.mark.parametrize("stages", [7, [7], [{"roles": [1]}], {"name": "x"}])
def test_a_manifest_whose_stages_are_none_breaks_nothing(tmp_path: Path, stages: Any) -> None:
    transcript = Transcript(graph="exam", problem=PROBLEM, outcome=Outcome(status="done"))
    (tmp_path / "transcripts.jsonl").write_bytes(transcript.to_line())
    (tmp_path / "manifest.json").write_bytes(orjson.dumps({"stages": stages}))

    assert status(tmp_path)["problems"]["done"] == 1


def test_text_of_a_log_steers_no_terminal_by_the_json_of_a_verb(tmp_path: Path) -> None:
    problem = PROBLEM.model_copy(update={"id": "p\x9b2J\u202e"})
    outcome = Outcome(status="failed", reason="\u202efailed\x9b2J")
    (tmp_path / "transcripts.jsonl").write_bytes(Transcript(graph="exam", problem=problem, outcome=outcome).to_line())

    done = CliRunner().invoke(cli, ["status", str(tmp_path), "--json"])

    assert done.exit_code == 0, done.output
    assert orjson.loads(done.stdout)["problems"]["failed"] == {"\u202efailed\x9b2J": 1}
    assert all(letter.isprintable() or letter == "\n" for letter in done.stdout)
