"""What a person sees while a run is on: a live panel on a terminal, a line now and then elsewhere.

Everything goes to stderr; stdout is for results. Names and reasons come from recipes and providers: they are shown as
plain text, never as markup.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO

from errata.errors import plain
from errata.llm.batches.progress import BatchProgress
from errata.llm.budget import Amounts
from errata.runs.counters import Snapshot, Watch
from errata.runs.runner import Summary
from errata.runs.times import Times, when
from errata.waiting import line_pause_s, waiting

RATE_OVER_S = 10.0
PREPARING = "preparing the run"
_FRAME_LINES, _FRAME_COLUMNS = 3, 4
"""What a panel's frame takes of a window, and a line below it."""


def money(usd: float | None) -> str:
    """Dollars with as many digits as small sums need; an unknown price is said."""
    if usd is None:
        return "$?"
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def worked(times: Times) -> str:
    """When and how long: `2026-11-28 22:10 to 22:41 UTC, 28 min 07 s of work`."""
    return f"{when(times)}, {duration(times.seconds)} of work"


def done_so_far(snapshot: Snapshot) -> float:
    """Problems' worth of work that this process has done: a problem in flight counts half."""
    return snapshot.settled + min(snapshot.tally.in_flight, snapshot.left) / 2


def still_to_do(snapshot: Snapshot) -> float:
    """Problems' worth of work that this process has still to do: while it drains, that of the problems in flight."""
    if snapshot.draining:
        return min(snapshot.tally.in_flight, snapshot.left) / 2
    return snapshot.settled + snapshot.left - done_so_far(snapshot)


def projected(snapshot: Snapshot, now: float | None, ever: float | None) -> float | None:
    """What an amount comes to at the end if the rest takes what this process's problems took on average.

    `now` is the amount of this process, `ever` that of the run directory. None while nothing is settled, and where the
    amount is unknown.
    """
    if now is None or ever is None or not snapshot.settled:
        return None
    return ever + now / done_so_far(snapshot) * max(0.0, still_to_do(snapshot))


def budgets(snapshot: Snapshot) -> list[str]:
    """Each budget with what is spent of it, and what is to be expected where it will not do."""
    now, ever = snapshot.spent["this_run"], snapshot.spent["all_runs"]
    lines = _budget("", snapshot.budget, now, ever, snapshot)
    for stage, amounts in snapshot.budget.stages.items():
        lines += _budget(f"{stage} ", amounts, now["stages"].get(stage), ever["stages"].get(stage), snapshot)
    return lines


def _budget(
    name: str, amounts: Amounts, now: dict[str, Any] | None, ever: dict[str, Any] | None, snapshot: Snapshot
) -> list[str]:
    lines = []
    for unit, write in (("usd", money), ("tokens", _count), ("calls", _count)):
        limit = getattr(amounts, unit)
        if limit is None:
            continue
        spent = _amount(unit, ever)
        ahead = projected(snapshot, _amount(unit, now), spent)
        short = f", about {write(ahead)}: not enough" if ahead is not None and ahead > limit else ""
        lines.append(f"{name}{write(spent)} of {write(limit)}{' ' + unit if unit != 'usd' else ''}{short}")
    return lines


def _amount(unit: str, figures: dict[str, Any] | None) -> float | None:
    if figures is None:
        return 0
    match unit:
        case "usd":
            usd: float | None = figures["usd"]
            return usd
        case "tokens":
            return float(figures["prompt_tokens"] + figures["completion_tokens"])
        case _:
            return float(figures["paid"])


def _count(number: float | None) -> str:
    return "?" if number is None else f"{number:,.0f}"


class Rate:
    """Calls per second over the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque([(0.0, 0)])

    def __call__(self, snapshot: Snapshot) -> float:
        spent = snapshot.spent["this_run"]
        self._samples.append((snapshot.elapsed_s, spent["paid"] + spent["cached"] + spent["failed"]))
        while len(self._samples) > 2 and self._samples[-1][0] - self._samples[0][0] > RATE_OVER_S:
            self._samples.popleft()
        (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0


def describe(snapshot: Snapshot, rate: float) -> list[tuple[str, str]]:
    """The figures of a run at one moment, as (what, value)."""
    tally, spent = snapshot.tally, snapshot.spent["this_run"]
    pace = snapshot.elapsed_s / done_so_far(snapshot) if snapshot.settled else None
    left = "-" if pace is None else duration(pace * still_to_do(snapshot))
    usd = snapshot.spent["all_runs"]["usd"]
    ahead = projected(snapshot, spent["usd"], usd)
    when = "when the drain ends" if snapshot.draining else "in all"
    limits = budgets(snapshot)
    return [
        (
            "problems",
            f"{tally.logged}/{tally.total}: {tally.done} done, {tally.rejected.total()} rejected, "
            f"{tally.failed.total()} failed, {tally.pending} pending ({tally.in_flight} in flight)",
        ),
        ("calls", f"{spent['paid']} paid, {spent['cached']} cached, {spent['failed']} failed, {rate:.0f}/s"),
        ("tokens", f"{spent['prompt_tokens']:,} prompt, {spent['completion_tokens']:,} completion"),
        ("cost", money(usd) + (f", about {money(ahead)} {when}" if ahead is not None else "")),
        *([("budget", "; ".join(limits))] if limits else []),
        *([("batches", batches_in_words(snapshot.batches))] if snapshot.batches else []),
        ("time", f"{duration(snapshot.elapsed_s)}, {left} left" + (" of the drain" if snapshot.draining else "")),
    ]


def batches_in_words(batches: BatchProgress) -> str:
    """How many batches are at their providers, and how far they are as these say."""
    there = len(batches.open)
    words = [f"{there} {'batch' if there == 1 else 'batches'}: {batches.done:,} of {batches.calls:,} calls answered"]
    if batches.left_s is not None and batches.done < batches.calls:
        words.append(f"about {duration(batches.left_s)} left")
    return ", ".join([*(words if there else []), *([f"{batches.waiting:,} calls to be sent"] * bool(batches.waiting))])


def has_begun(snapshot: Snapshot) -> bool:
    """Whether there was anything to do: not where all problems were settled before."""
    return bool(snapshot.settled or snapshot.left)


@contextmanager
def watching(
    *, quiet: bool, stream: TextIO | None = None, verb: str = "synth", once_begun: str | None = None
) -> Iterator[Watch | None]:
    """Something to show snapshots with: nothing, a live panel or lines, as the stream is.

    `once_begun` is a line shown with the first snapshot of a run that has something to do. Until the first snapshot a
    word says, every other second, that the run is prepared.
    """
    out = stream or sys.stderr
    if quiet:
        yield None
    elif out.isatty():
        with _panel(out, verb, once_begun) as show:
            yield show
    else:
        with waiting(PREPARING, partial(_line, out)) as end:
            yield _after(end, _lines(out, once_begun))


def _line(out: TextIO, words: str) -> None:
    if words:
        print(words, file=out, flush=True)


def _after(end: Callable[[], None], show: Watch) -> Watch:
    """Shows snapshots, the first one once what was said before it has ended."""

    def end_and_show(snapshot: Snapshot) -> None:
        end()
        show(snapshot)

    return end_and_show


def interrupted(requests: int) -> str:
    """The words for a person who pressed Ctrl-C."""
    if requests == 1:
        return "draining: no new problem begins, those in flight end; once more stops them"
    if requests == 2:
        return "stopping: problems in flight stay pending, calls on their way are stored; once more gives them up"
    return "giving up: calls on their way are paid and lost"


def report(summary: Summary) -> list[str]:
    """What a run came to, as lines for stderr."""
    counts, spent, ever = summary.problems, summary.spent["this_run"], summary.spent["all_runs"]
    lines = []
    if summary.torn_bytes:
        lines.append(f"the log ended in a torn line of {summary.torn_bytes} bytes: cut off, its problem ran again")
    if summary.resumed:
        lines.append(
            f"resumed: {summary.settled_before} problems were settled before, "
            f"{spent['cached']} calls were found in the store and not paid again"
        )
    ended = ", ".join(
        f"{number} {status}" + "".join(f"; {n} {plain(reason)}" for reason, n in reasons.items())
        for status, number, reasons in (
            ("done", counts["done"], {}),
            ("rejected", sum(counts["rejected"].values()), counts["rejected"]),
            ("failed", sum(counts["failed"].values()), counts["failed"]),
            ("pending", counts["pending"], {}),
        )
    )
    lines += [plain(note) for note in summary.notes]
    lost = f" ({spent['lost']} of no use)" if spent.get("lost") else ""
    lines.append(f"{counts['total']} problems: {ended}")
    lines.append(
        f"calls: {spent['paid']} paid{lost}, {spent['cached']} cached, {spent['failed']} failed; "
        f"cost: {money(spent['usd'])} this time, {money(ever['usd'])} in all"
    )
    if summary.error:
        lines.append(str(summary.error))
    elif summary.problems["pending"]:
        lines.append("the same command goes on with the pending problems")
    if counts["failed"]:
        lines.append("the same command tries failed problems again; what was paid is not paid again")
    return lines


def _lines(out: TextIO, once_begun: str | None) -> Watch:
    rate, due = Rate(), 0.0
    warned: set[str] = set()

    def show(snapshot: Snapshot) -> None:
        nonlocal due, once_begun
        if once_begun and has_begun(snapshot):
            print(plain(once_begun), file=out, flush=True)
            once_begun = None
        speed = rate(snapshot)
        for about in snapshot.warnings.keys() - warned:
            warned.add(about)
            print(plain(snapshot.warnings[about]), file=out, flush=True)
        if snapshot.elapsed_s >= due:
            due = snapshot.elapsed_s + line_pause_s(snapshot.elapsed_s)
            print(plain(" | ".join(value for _, value in describe(snapshot, speed))), file=out, flush=True)

    return show


@contextmanager
def _panel(out: TextIO, verb: str, once_begun: str | None) -> Iterator[Watch]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    rate = Rate()
    with Live(console=Console(file=out), auto_refresh=False, transient=True) as live:

        def show(snapshot: Snapshot) -> None:
            nonlocal once_begun
            if once_begun and has_begun(snapshot):
                live.console.print(Text(plain(once_begun)))
                once_begun = None
            live.update(_drawn(snapshot, rate(snapshot), verb, live.console), refresh=True)

        with waiting(PREPARING, lambda words: live.update(Text(words), refresh=True)) as end:
            yield _after(end, show)


def _drawn(snapshot: Snapshot, rate: float, verb: str, console: Any) -> Any:
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    tally = snapshot.tally
    figures = Table.grid(padding=(0, 2))
    for what, value in describe(snapshot, rate):
        figures.add_row(Text(what, style="bold"), Text(value))
    whole = Table.grid()
    whole.add_row(ProgressBar(total=max(tally.total, 1), completed=tally.logged, width=60))
    whole.add_row(figures)
    notices = [*snapshot.warnings.values(), *([interrupted(snapshot.stops)] if snapshot.stops else [])]
    for text in notices:  # what is printed beside a panel is overwritten by its next state
        whole.add_row(Text(plain(text), style="yellow"))
    height = len(console.render_lines(whole, console.options.update(width=console.width - _FRAME_COLUMNS)))
    for part in _agents(snapshot.spent["this_run"]["agents"], console.height - height - _FRAME_LINES):
        whole.add_row(part)
    return Panel(whole, title=f"errata {verb}", expand=False)


def _agents(figures: Mapping[str, Mapping[str, Any]], lines: int) -> list[Any]:
    """A table of the agents; where it would take more lines, as many as fit and how many there are besides."""
    from rich.table import Table
    from rich.text import Text

    agents = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("agent", "paid", "cached", "failed", "tokens", "cost"):
        agents.add_column(heading, justify="left" if heading == "agent" else "right", overflow="fold")
    names = sorted(figures)
    most = len(names) if len(names) < lines else max(1, lines - 2)
    for name in names[:most]:
        spent = figures[name]
        tokens = spent["prompt_tokens"] + spent["completion_tokens"]
        counts = (str(spent[key]) for key in ("paid", "cached", "failed"))
        agents.add_row(Text(plain(name)), *counts, f"{tokens:,}", money(spent["usd"]))
    hidden = len(names) - most
    return [agents, *([Text(f"and {hidden} more, counted above; a higher window shows them")] if hidden > 0 else [])]
