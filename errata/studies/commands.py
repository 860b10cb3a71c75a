"""What `errata study` and `errata plan STUDY` do: run or plan, then tables on stdout and all else on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from errata.cli_helpers import print_json
from errata.errors import EXIT_DONE, UsageError
from errata.runs.progress import money
from errata.steps.at_work import newest_line
from errata.studies.recipe import StudyRecipe, load_study
from errata.studies.record import LOGS
from errata.waiting import loading, speaking, waiting


def study_command(
    path: Path, overrides: Sequence[str], *, as_json: bool, quiet: bool = False, trust_hosts: Sequence[str] = ()
) -> int:
    """Runs a study, then compares; the exit code. `trust_hosts`: to which a provider's key may go."""
    from errata.studies.run import run

    study = load_study(path, overrides)
    news = partial(newest_line, study.home, LOGS, time.time())
    with speaking(quiet=quiet, news=news) as say:
        code = run(study, path, overrides, say, trust_hosts)
    if code != EXIT_DONE:
        return code
    from errata.studies.card import write_card
    from errata.studies.results import FILE, compare_study, write_results

    with waiting("comparing the arms"):
        comparison = compare_study(study)
    results = write_results(study, comparison)
    card = write_card(study.home, results)
    with speaking(quiet=quiet) as say:
        page = _write_page(study, comparison, say)
    if as_json:
        print_json(results)
    else:
        _show_results(results)
        click.echo(str(card))
        click.echo(str(study.home / FILE))
        if page is not None:
            click.echo(str(page))
    return EXIT_DONE


def _write_page(study: StudyRecipe, comparison: Any, say: Callable[[str], None]) -> Path | None:
    """The report of the study; None without the extra `report`."""
    from errata.report.vega_svg import need_vl_convert
    from errata.studies.page import write_page

    try:
        need_vl_convert()
    except UsageError as missing:
        click.echo(f"no report.html: {missing.found}; {missing.do}", err=True)
        return None
    return write_page(study, comparison, say=say).out


def plan_command(path: Path, overrides: Sequence[str], assume: Sequence[str], *, as_json: bool) -> None:
    """Prints a study's plan."""
    from errata.studies.plan import plan_study

    with loading("what the study needs"):
        planned = plan_study(load_study(path, overrides), assume)
    if as_json:
        print_json(planned)
    else:
        _show_plan(planned)


def _show_results(results: Mapping[str, Any]) -> None:
    from errata.report.figures import count
    from errata.runs.tables import show, show_lines, table
    from errata.studies.remarks import otherwise, remarks
    from errata.studies.results import counts, interval

    claims = results["claims"]
    headings = ("claim", "task", "difference [interval]", "p", "could show", "verdict")
    rows = [
        (
            row["name"],
            row["task"],
            interval(row),
            f"{row['p_adjusted']:.3g}",
            None if row["detectable"] is None else f"{100 * row['detectable']:.1f}",
            row["verdict"] + otherwise(row),
        )
        for row in claims
    ]
    if rows:
        show([table(f"Claims over {count(len(results['seeds']), 'seed')}: {counts(claims)}", headings, rows)])
        show_lines(f"note: {row['name']}: {remark}" for row in claims for remark in remarks(row))


def _planned_school(row: Mapping[str, Any]) -> tuple[Any, ...]:
    amounts = (row["teacher_tokens"], row["own_answers"])
    sizes = ("-" if amount is None else f"{amount:,.0f}" for amount in amounts)
    return (row["name"], row["runs"], row["rounds"], row["problems"], *sizes, money(row["cost_usd"]))


def _amounts(lesson: Mapping[str, Any]) -> tuple[str, str]:
    calls, tokens = (lesson.get(name) for name in ("calls", "tokens"))
    return ("-" if calls is None else f"{calls:,.0f}", "-" if tokens is None else f"{tokens:,.0f}")


def _show_plan(planned: Mapping[str, Any]) -> None:
    from errata.evals.tables import could_show
    from errata.runs.tables import show, show_lines, table

    spent = planned["hours"]
    steps = [(kind, number["done"], number["all"]) for kind, number in planned["steps"].items()]
    lessons = [
        (each["name"], each["runs"], each["problems"], *_amounts(each), money(each.get("cost_usd")))
        for each in planned["lessons"]
    ]
    claims = [
        (
            each["name"],
            f"{each['arm']} - {each['control']}",
            each["task"],
            could_show(each["could_show"]),
            each["seeds_for_2_points"] or "over 200",
        )
        for each in planned["claims"]
    ]
    assumed = ", ".join(f"{name}={value:g}" for name, value in planned["assumptions"].items())
    drawn = [table(f"Steps, {planned['together']} at a time", ("", "done", "all"), steps)]
    if lessons:
        drawn.append(table("Lessons", ("", "runs", "problems", "calls each", "tokens each", "cost each"), lessons))
    if planned["schools"]:
        headings = ("", "runs", "rounds", "problems per round", "teacher tokens each", "own answers each", "cost each")
        drawn.append(table("Schools", headings, [_planned_school(each) for each in planned["schools"]]))
    if claims:
        drawn.append(table("Claims", ("claim", "difference", "task", "could show", "seeds for 2 points"), claims))
    show(drawn)
    show_lines(f"note: {each['name']}: {note}" for each in planned["lessons"] for note in each["refused"])
    show_lines(f"note: {note}" for note in planned["notes"])
    left = "not known before a step of each kind is done" if spent["left"] is None else f"{spent['left']:g} hours"
    budget = "" if spent["budget"] is None else f", at most {spent['budget']:g} hours of it in all"
    trained = "" if planned["optimizer_steps"] is None else f"{planned['optimizer_steps']:,} optimizer steps; "
    lines = [
        f"time: {spent['spent']:g} hours spent, left {left}{budget}",
        f"in all: {trained}{planned['answers']:,} answers to judge; teachers {money(planned['cost_usd'])}",
    ]
    if claims:
        lines.append(f"assumed of each difference: {assumed}; change one with --assume NAME=SHARE")
    show_lines(lines)
