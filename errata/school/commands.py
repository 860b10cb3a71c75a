"""What `errata school`, `plan` and `status` of a school do: tables on stdout and all else on stderr."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from errata.cli_helpers import print_json, to_stderr
from errata.errors import UsageError
from errata.runs.progress import money
from errata.school.places import LOGS
from errata.school.recipe import load_school
from errata.school.record import FILE, Round, School, placed, read_school
from errata.steps.at_work import newest_line
from errata.waiting import loading, speaking


def school_command(
    path: Path, overrides: Sequence[str], *, as_json: bool, quiet: bool = False, trust_hosts: Sequence[str] = ()
) -> int:
    """Runs a school, then shows its rounds; the exit code. `trust_hosts`: to which a provider's key may go."""
    from errata.school.card import write_card
    from errata.school.history import read_history
    from errata.school.process import Process
    from errata.school.run import run

    school = load_school(path, overrides)
    news = partial(newest_line, school.home, LOGS, time.time())
    with speaking(quiet=quiet, news=news) as say:
        done = run(school, Process([str(path), *overrides], say), say, trust_hosts)
    if done.error:
        to_stderr(str(done.error))
    if done.school.stopped:
        to_stderr(f"stopped: {done.school.stopped}")
    card = write_card(read_history(school.home)) if (school.home / FILE).exists() else None
    if as_json:
        print_json(done.school.model_dump())
    else:
        _show(done.school, school.home)
        if card is not None:
            click.echo(str(card))
    return done.code


def school_status(home: Path, *, as_json: bool, watch: bool = False) -> None:
    """Shows how the school in a folder stands by its record.

    Raises UsageError for a record that cannot be read, or where it shall be watched.
    """
    from errata.runs.tables import show_lines
    from errata.school.card import standing

    if watch:
        raise UsageError(f"--watch {home}", "only runs are watched, and this is a school", "see `errata view`")
    school = read_school(home)
    if as_json:
        print_json(school.model_dump())
        return
    _show(school, home)
    show_lines([standing(school).replace("`", "")])


def _show(school: School, home: Path) -> None:
    from errata.runs.tables import show, table
    from errata.school.words import interval

    if school.start.accuracy is not None:
        headings = ("", "right % [95 %]", "gain", "verdict", "mastered", "forgot", "teacher tokens", "cost", "hours")
        rows = [("start", interval(school.start.accuracy), *(None,) * 6, f"{school.start.hours:.2f}")]
        show([table(f"School {school.name}", headings, [*rows, *(_row(each) for each in school.rounds)])])
    if school.student is not None:
        click.echo(f"student   {placed(home, Path(school.student))}")
    click.echo(str(home / FILE))


def _row(done: Round) -> tuple[Any, ...]:
    from errata.school.words import forgotten, interval, mastered, points, verdict

    return (
        f"round {done.round}",
        done.accuracy and interval(done.accuracy),
        done.gain and points(done.gain),
        verdict(done),
        mastered(done),
        forgotten(done),
        done.teacher_tokens,
        money(done.dollars),
        f"{done.hours:.2f}",
    )


def plan_command(path: Path, overrides: Sequence[str], assume: Sequence[str], *, as_json: bool) -> None:
    """Prints a school's plan."""
    from errata.school.plan import plan_school

    with loading("what the school needs"):
        planned = plan_school(load_school(path, overrides), assume)
    if as_json:
        print_json(planned)
    else:
        _show_plan(planned)


def _show_plan(planned: Mapping[str, Any]) -> None:
    from errata.runs.tables import show, show_lines, table

    amounts = ("least", "expected", "most")
    named = (("teachers' calls", "teacher_calls"), ("teacher tokens", "teacher_tokens"), ("cost", "cost_usd"))
    rows = [(what, *(_amount(key, planned["round"][key][amount]) for amount in amounts)) for what, key in named]
    done, own_answers = planned["rounds"], planned["round"]["own_answers"]
    show([table(f"A round of {planned['problems']['chosen']:,} problems", ("", *amounts), rows)])
    lines = [
        f"rounds: {done['done']} of {done['all']} done; each asks the student {own_answers:,} times: "
        f"{planned['problems']['taught']:,} problems in the exam, {planned['problems']['judge']:,} by the judge"
    ]
    if done["stopped"]:
        lines.append(f"stopped: {done['stopped']}" + "; the same command would do no more" * (not done["left"]))
    show_lines([*lines, *_ahead(planned), *(f"note: {note}" for note in planned["notes"])])


def _ahead(planned: Mapping[str, Any]) -> list[str]:
    """The sums over the rounds that are left, and what is measured."""
    left, following = planned["left"], planned["next"]
    tokens, cost = left["teacher_tokens"]["expected"], money(left["cost_usd"]["expected"])
    hours = "not known before a round is done" if left["hours"] is None else f"{left['hours']:.2f} hours"
    most = left["teacher_tokens"]["most"]
    lines = [f"left: {tokens:,.0f} teacher tokens, at most {most:,.0f}; {cost}; time {hours}"]
    if following is not None:
        lines.append(
            f"the next round, by those that are done: {following['teacher_tokens']:,.0f} teacher tokens, "
            f"{money(following['dollars'])}, {following['hours']:.2f} hours"
        )
    return lines


def _amount(key: str, value: float | None) -> str:
    if key == "cost_usd":
        return money(value)
    return "-" if value is None else f"{value:,.0f}"
