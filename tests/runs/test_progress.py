"""What a person sees of a run that is on."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from errata.errors import BudgetExhausted
from errata.llm.budget import Amounts, Budget
from errata.records import Outcome
from errata.runs.counters import ProblemCounts, Snapshot
from errata.runs.progress import Rate, describe, duration, money, projected, report, watching
from errata.runs.runner import Summary
from tests.terminal import Terminal


def spent(paid: int = 0, usd: float | None = 0.0) -> dict[str, Any]:
    calls = {"paid": paid, "cached": 2, "failed": 1, "prompt_tokens": 1000, "completion_tokens": 10, "usd": usd}
    stages = {"stages": {"exam": dict(calls)}}
    return {"this_run": calls | {"agents": {"ada \x1b[31m[red]": calls}} | stages, "all_runs": calls | stages}


def snapshot(
    settled: int = 5, elapsed: float = 10.0, in_flight: int = 0, budget: Budget | None = None, **what: Any
) -> Snapshot:
    tally = ProblemCounts(20, done=settled, in_flight=in_flight)
    return Snapshot(tally, spent(**what), settled, 20 - settled, elapsed, draining=False, budget=budget or Budget())


def test_a_terminal_gets_a_panel() -> None:
    out = Terminal()
    with watching(quiet=False, stream=out) as watch:
        assert watch
        watch(snapshot(paid=30, usd=1.5))
    text = out.getvalue()
    for part in ("5/20", "30 paid, 2 cached, 1 failed", "$1.50, about $6.00 in all", "30 s left", "[red]"):
        assert part in text
    assert "\x1b[31m[red]" not in text


def test_elsewhere_a_line_now_and_then() -> None:
    out = io.StringIO()
    with watching(quiet=False, stream=out) as watch:
        assert watch
        for second in range(21):
            watch(snapshot(elapsed=second / 2))
    assert out.getvalue().count("\n") == 6, "at 0, 2, 4, 6, 8 and 10 seconds"
    assert "5/20" in out.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_where_to_watch_a_run_is_said_once_and_only_if_it_has_something_to_do(stream: type[io.StringIO]) -> None:
    finished, on = stream(), stream()
    with watching(quiet=False, stream=finished, once_begun="watch it") as watch:
        assert watch
        watch(replace(snapshot(settled=0), left=0))
    assert "watch it" not in finished.getvalue()
    with watching(quiet=False, stream=on, once_begun="watch it") as watch:
        assert watch
        watch(snapshot(settled=0))
        watch(snapshot())
    assert on.getvalue().count("watch it") == 1


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_before_the_first_snapshot_it_says_that_the_run_is_prepared_and_no_longer(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("errata.waiting.AFTER_S", 0.01)
    monkeypatch.setattr("errata.waiting.EVERY_S", 0.01)
    out = stream()
    with watching(quiet=False, stream=out) as watch:
        assert watch
        time.sleep(0.2)
        watch(snapshot())
        before, _, after = out.getvalue().partition("5/20")
        time.sleep(0.05)
        assert out.getvalue() == f"{before}5/20{after}"
    assert "preparing the run ..." in before
    assert "preparing the run, 0 s so far ..." in before
    assert "preparing" not in after


def test_quiet_is_quiet() -> None:
    with watching(quiet=True) as watch:
        assert watch is None


def test_the_end_is_projected_from_what_is_done() -> None:
    assert projected(snapshot(settled=0), 1.0, 1.0) is None
    assert projected(snapshot(), None, 1.0) is None
    assert projected(snapshot(settled=5), 1.0, 1.0) == pytest.approx(4.0)
    assert projected(snapshot(settled=5), 1.0, 3.0) == pytest.approx(6.0)  # 2 dollars were paid by earlier processes
    # ten in flight are half done: 1 dollar paid for 10 problems' worth, 10 to come
    assert projected(snapshot(settled=5, in_flight=10), 1.0, 1.0) == pytest.approx(2.0)
    assert projected(snapshot(settled=20), 1.0, 1.0) == pytest.approx(1.0)


def test_what_is_left_while_draining_is_what_is_in_flight() -> None:
    """5 of 20 in 10 s with 4 in flight: 7 problems' worth in 10 s. 13 are to come, 2 of them in the drain."""
    going = snapshot(settled=5, in_flight=4, usd=0.7)
    draining = replace(going, draining=True, stops=1)

    assert dict(describe(going, 1.0))["time"] == "10 s, 19 s left"
    assert dict(describe(draining, 1.0))["time"] == "10 s, 3 s left of the drain"
    assert dict(describe(draining, 1.0))["cost"] == "$0.7000, about $0.9000 when the drain ends"
    assert "0 s left" in dict(describe(replace(draining, tally=ProblemCounts(20, done=5)), 1.0))["time"]


@pytest.mark.parametrize(("stops", "words"), [(1, "once more stops them"), (2, "once more gives them up")])
def test_a_panel_keeps_the_words_for_who_pressed_ctrl_c(stops: int, words: str) -> None:
    out = Terminal()
    with watching(quiet=False, stream=out) as watch:
        assert watch
        watch(replace(snapshot(), draining=True, stops=stops))
        out.truncate(out.seek(0))
        watch(replace(snapshot(), draining=True, stops=stops))
    assert words in " ".join(out.getvalue().split())


def of_agents(*names: str, **what: Any) -> Snapshot:
    """A snapshot in which these agents were asked."""
    now = snapshot(paid=30, usd=1.5, **what)
    agents = dict.fromkeys(names, now.spent["this_run"]["agents"]["ada \x1b[31m[red]"])
    return replace(now, spent=now.spent | {"this_run": now.spent["this_run"] | {"agents": agents}})


def panel_of(now: Snapshot) -> list[str]:
    """The lines within the frame of a panel that shows this."""
    out = Terminal()
    with watching(quiet=False, stream=out) as watch:
        assert watch
        watch(now)
        shown = out.getvalue()
    framed = shown[shown.index("╭") : shown.index("╯")]
    return [line.split("│")[1] for line in framed.splitlines() if "│" in line]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("colour", [{"FORCE_COLOR": "1"}, {"NO_COLOR": "1"}], ids=["colour", "plain"])
def test_a_panel_cuts_nothing_and_stays_within_the_window(
    width: int, colour: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ({"COLUMNS": str(width), "LINES": "40"} | colour).items():
        monkeypatch.setenv(name, value)
    stages = {stage: Amounts(usd=1, tokens=10_000) for stage in ("exam", "rationales", "peer_review", "dual_cot")}
    now = of_agents("x" * 70, "ada", budget=Budget(usd=5, calls=200, tokens=2_000_000, stages=stages))
    lines = [Text.from_ansi(line).plain for line in panel_of(now)]
    told = " ".join(" ".join(lines).split())
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) + 2 <= width
    assert dict(describe(now, 0.0))["budget"] in told
    assert sum(line.count("x") for line in lines[-4:]) == 70
    assert "…" not in told
    assert told.count("1,010 $1.50") == 2


def test_in_a_low_window_a_panel_says_how_many_agents_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "20")
    names = [f"agent-{number:02}" for number in range(30)]
    lines = panel_of(replace(of_agents(*names), draining=True, stops=1))
    told = " ".join(" ".join(lines).split())
    assert len(lines) + 2 < 20
    assert "once more stops them" in told
    hidden = re.search(r"and (\d+) more, counted above", told)
    assert hidden
    assert told.count("agent-") + int(hidden[1]) == 30
    monkeypatch.setenv("LINES", "50")
    assert " ".join(panel_of(of_agents(*names))).count("agent-") == 30


def test_budgets_are_shown_with_what_is_to_come() -> None:
    budget = Budget(usd=5, calls=200, stages={"exam": Amounts(tokens=10_000), "dual_cot": Amounts(calls=7)})

    shown = dict(describe(snapshot(paid=30, usd=1.5, budget=budget), 1.0))["budget"]

    assert shown == (
        "$1.50 of $5.00, about $6.00: not enough; 30 of 200 calls; exam 1,010 of 10,000 tokens; dual_cot 0 of 7 calls"
    )
    assert "budget" not in dict(describe(snapshot(), 1.0))
    unknown = describe(snapshot(usd=None, budget=Budget(usd=5)), 1.0)
    assert dict(unknown)["budget"] == "$? of $5.00"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    for second in range(60):
        speed = rate(snapshot(elapsed=float(second), paid=min(second, 30) * 100))
        if second == 29:
            assert speed == pytest.approx(100, rel=0.01)
    assert speed == 0


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "$?"), (0.0, "$0.00"), (0.00123, "$0.0012"), (1234.5, "$1,234.50"), (0.5, "$0.5000")]
)
def test_money(value: float | None, shown: str) -> None:
    assert money(value) == shown


def test_durations() -> None:
    assert [duration(each) for each in (5, 65, 3700)] == ["5 s", "1 min 05 s", "1 h 01 min"]


def test_the_report_says_what_was_saved_cut_and_left() -> None:
    tally = ProblemCounts(10, done=3)
    tally.count(Outcome(status="failed", reason="provider: \x1b500"), 2)
    error = BudgetExhausted("budget.usd is 5", "it could be exceeded", "raise it")
    summary = Summary(Path("runs/x"), 4, tally.to_json(), spent(3), error, True, 2, 17)

    text = "\n".join(report(summary))

    for part in (
        "torn line of 17 bytes",
        "2 problems were settled before",
        "2 calls were found",
        "3 done",
        "5 pending",
    ):
        assert part in text
    assert "2 failed; 2 provider:  500" in text
    assert "found: budget.usd is 5" in text
    assert "tries failed problems again" in text
