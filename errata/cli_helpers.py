"""What several verbs do. As in cli.py, nothing heavy is imported before it is needed."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import click

from errata.errors import fold
from errata.waiting import loading, waiting

PILOT = 5
"""Problems of a pilot where no number is given."""


class OptionalPilot(click.Command):
    """A command whose `--pilot` may stand without a number, also before other arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        numbered = [
            f"--pilot={PILOT}" if arg == "--pilot" and not after.isdigit() else arg
            for arg, after in zip(args, [*args[1:], ""], strict=True)
        ]
        return super().parse_args(ctx, numbered)


def ready_to_stop() -> Any:
    """The stop of a run: what Ctrl-C does is told on stderr, and a SIGTERM does the same."""
    from errata.runs.counters import StopSignal
    from errata.runs.progress import interrupted

    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # until the run takes both over
    return StopSignal(lambda requests: click.echo(interrupted(requests), err=True))


def load_and_say(path: str, overrides: tuple[str, ...], trust_hosts: tuple[str, ...] = ()) -> Any:
    """The recipe in a file; what code it runs and which hosts get which keys is said first, on stderr."""
    with loading():
        from errata.runs.recipe import load_recipe

    recipe = load_recipe(path, overrides)
    say_code(recipe.code)
    say_destinations(recipe.agents.everyone, trust_hosts)
    return recipe


def to_stderr(text: str) -> None:
    """Says something on stderr, on a terminal folded at spaces to its width."""
    click.echo(fold(text, get_terminal_size().columns) if sys.stderr.isatty() else text, err=True)


def say_destinations(
    specs: Sequence[Any], trust_hosts: Sequence[str] = (), say: Callable[[str], None] = to_stderr, who: str = ""
) -> None:
    """Says which hosts are asked with which key. Raises UsageError where a provider's own key would go elsewhere."""
    from errata.errors import plain
    from errata.llm.destinations import check_destinations, destinations
    from errata.llm.preflight import model_notes

    if places := destinations(specs):
        say(plain(f"{who}asks {'; '.join(str(each) for each in places)}"))
    for note in model_notes(specs):
        say(plain(f"note: {note}"))
    check_destinations(specs, trust_hosts)


def say_code(code: Mapping[str, Any]) -> None:
    """Says on stderr which files of one's own are run."""
    from errata.config.code import code_lines

    for line in code_lines(code):
        to_stderr(line)


def run_recipe(recipe: Any, *, quiet: bool, workers: int | None = None) -> int:
    """Runs a recipe with progress on stderr; returns the exit code after saying what it means."""
    import asyncio
    import gc

    with loading("LangGraph"):
        from errata.config.env import expand
        from errata.runs.progress import report, watching
        from errata.runs.runner import synthesize

    gc.freeze()  # what the imports made stays; looking through it again took 7 to 17 % of the CPU
    gc.set_threshold(5_000, 20, 20)
    stop = ready_to_stop()
    where = f"watch it in a browser: errata view {Path(expand(recipe.runs)) / recipe.name}"
    with watching(quiet=quiet, once_begun=where) as watch:
        if workers is None:
            summary = asyncio.run(synthesize(recipe, stop=stop, signals=True, watch=watch))
        else:
            from errata.runs.ray_runner import synthesize_on

            summary = synthesize_on(workers, recipe, stop=stop, watch=watch)
    for line in report(summary):
        to_stderr(line)
    click.echo(str(summary.run))
    return summary.exit_code


def tracing(target: str | None, *, texts: bool) -> AbstractContextManager[None]:
    """Traces what runs inside, where a trace is asked for, and says what goes there."""
    if target is None:
        return nullcontext()
    from errata.runs.traces import traced, where_traces_go

    to_stderr(where_traces_go(target, texts=texts))
    return traced(target, texts=texts)


def show_run(run: Path, *, as_json: bool = False) -> None:
    """The figures of a run on stdout."""
    with loading():
        from errata.evidence.in_force import sentence, status_with_rule
        from errata.runs.tables import show_status

    with waiting(f"reading {run}"):
        figures = status_with_rule(run)
    if as_json:
        print_json(figures)
    else:
        in_force = figures["accepted_by"]
        show_status({**figures, "accepted_by_in_words": in_force and sentence(in_force)})


def watch_run(run: Path, *, as_json: bool, pause_s: float = 2.0) -> None:
    """Shows the figures of a run again and again until no process writes it; as JSON, an object a time.

    On a terminal each table takes the place of the one before.
    """
    with loading():
        from errata.runs.in_use import is_on
        from errata.runs.run_dir import find_run

    going = True
    while going:
        going = is_on(find_run(run))  # asked before: what a run writes last is shown
        began = time.monotonic()
        if not as_json:
            click.clear()
        show_run(run, as_json=as_json)
        if going:
            time.sleep(max(pause_s, 4 * (time.monotonic() - began)))


def write_export(
    runs: tuple[str, ...],
    form: Any,
    out: Path,
    *,
    against: tuple[str, ...] = (),
    exclude_overlap: bool = False,
    keep_duplicates: bool = False,
    accept: str | None = None,
    precision: float | None = None,
    **options: Any,
) -> Any:
    """Writes a data set as `errata export` does, without a word; `form` is a format's name, `my_format.py:FORMAT`, or a
    value."""
    from errata.data.contamination import parse_against
    from errata.exports.formats import check_options, format_of
    from errata.exports.transcript_view import Options
    from errata.exports.write import export as write
    from errata.runs.acceptance import acceptance_of

    form = format_of(form)
    chosen = Options(**options)
    check_options(form, chosen)
    return write(
        runs,
        form,
        out,
        chosen,
        against=[parse_against(each) for each in against],
        exclude_overlap=exclude_overlap,
        keep_duplicates=keep_duplicates,
        acceptance=acceptance_of(accept, precision),
    )


def show_exported(exported: Any) -> None:
    """Says what was written, and how much of it overlaps with evaluation sets."""
    counts = exported.tally
    for note in counts.notes:
        to_stderr(note)
    click.echo(
        f"{exported.format.name:<11}{counts.rows} rows, {counts.duplicates} near-duplicates  "
        f"{exported.out}  {exported.card}"
    )
    for name, met in counts.overlap.items():
        click.echo(f"overlap    {met['question'] + met['ngram']} problems, {met['rows']} rows  {name}")


def print_json(value: Any) -> None:
    import orjson

    from errata.errors import escaped

    click.echo(escaped(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()))
