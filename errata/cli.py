"""The verbs of `errata`. Nothing heavy is imported before a verb needs it: `errata --help` must answer at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from errata import __version__, cli_sharing, cli_students
from errata.cli_group import TRACE, TRACE_TEXTS, TRUST_HOSTS, Verbs, debug_option
from errata.cli_helpers import (
    OptionalPilot,
    load_and_say,
    print_json,
    run_recipe,
    say_code,
    show_exported,
    show_run,
    tracing,
    watch_run,
    write_export,
)
from errata.errors import UsageError
from errata.waiting import loading, waiting

FORMATS = ("dpo", "edit", "grpo", "kto", "mapd", "mcc-kd", "messages", "nat", "privileged", "ranker", "sft", "stepwise")
RULES = ("mean", "min", "k_of_n", "veto", "agreement", "majority", "reliability")
"""What the help lists without importing what they stand for; tests hold each against it."""


@click.group(cls=Verbs, params=[debug_option()], context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="errata")
def cli() -> None:
    """Turns large models' reasoning, right and wrong, into small models that reason."""
    if Path(".env").is_file():
        from errata.config.env import read_env_here

        read_env_here()


@cli.command()
@click.option(
    "--problems", default=300, show_default=True, type=click.IntRange(min=1), help="Problems of the classroom."
)
@click.option("--lesson-only", is_flag=True, help="Stop after the lesson; a simulated student sits the exam.")
@click.option("--school", "in_rounds", is_flag=True, help="Teach the student in two rounds of a school instead.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def demo(problems: int, lesson_only: bool, in_rounds: bool, quiet: bool) -> None:
    """School a small student, run a lesson on its mistakes, and see what each part of it buys: no key, no network."""
    with loading():
        from errata.demo import play, rounds

    if lesson_only and in_rounds:
        raise UsageError("--lesson-only with --school", "a school is rounds of lessons and trainings", "give one")
    sys.exit(rounds(problems, quiet=quiet) if in_rounds else play(problems, lesson_only=lesson_only, quiet=quiet))


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path))
def init(directory: Path) -> None:
    """Write a commented recipe, sample problems and prompts to start from into DIRECTORY."""
    with loading():
        from errata.starter import write_starter

        written = write_starter(directory)
    for path in written:
        click.echo(f"wrote   {path}")
    click.echo(f"next    cd {directory} && errata plan recipe.yaml && errata synth recipe.yaml")


@cli.command(cls=OptionalPilot)
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--pilot",
    type=click.IntRange(min=1),
    metavar="[N]",
    help="Run N problems (by default 5) first and measure calls, tokens, unreadable replies and time.",
)
@click.option("--assume", multiple=True, metavar="RATE=X", help="Set a rate, e.g. teacher_right=0.7; see the output.")
@TRUST_HOSTS
def plan(
    recipe: str,
    overrides: tuple[str, ...],
    as_json: bool,
    pilot: int | None,
    assume: tuple[str, ...],
    trust_hosts: tuple[str, ...],
) -> None:
    """Estimate least, expected and most calls, tokens and cost of RECIPE. Makes no call without --pilot.

    Of a study: its steps, time and cost, and what each claim could show. Of a school: its rounds, and what the next one
    would take.
    """
    with loading():
        from errata.runs.plan.estimate import estimate
        from errata.runs.plan.show import show
        from errata.school.recipe import is_school
        from errata.studies.recipe import is_study

    if is_study(Path(recipe)):
        from errata.studies.commands import plan_command

        plan_command(Path(recipe), overrides, assume, as_json=as_json)
        return
    if is_school(Path(recipe)):
        from errata.school.commands import plan_command as plan_school

        plan_school(Path(recipe), overrides, assume, as_json=as_json)
        return
    loaded = load_and_say(recipe, overrides, trust_hosts)
    with waiting(f"estimating {recipe}" if pilot is None else f"estimating {recipe} by a pilot of {pilot} problems"):
        result = estimate(loaded, assume=assume, pilot=pilot)
    if as_json:
        print_json(result)
    else:
        show(result)


@cli.command()
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Run the graphs in N Ray workers; extra ray.")
@TRUST_HOSTS
@TRACE
@TRACE_TEXTS
def synth(
    recipe: str,
    overrides: tuple[str, ...],
    quiet: bool,
    workers: int | None,
    trust_hosts: tuple[str, ...],
    trace: str | None,
    trace_texts: bool,
) -> None:
    """Drive RECIPE's problems through its graph. The same command resumes a run.

    Overrides are dotted: limit=10 budget.usd=5 agents.teachers.0.temperature=0.7
    """
    loaded = load_and_say(recipe, overrides, trust_hosts)
    with tracing(trace, texts=trace_texts):
        code = run_recipe(loaded, quiet=quiet, workers=workers)
    sys.exit(code)


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Show it anew until the run ends; Ctrl-C ends the watching, not the run.")
def status(run: Path, as_json: bool, watch: bool) -> None:
    """Show what became of RUN's problems, rationales, calls and dollars; of a school's folder, its rounds."""
    with loading():
        from errata.school.record import holds_school

    if holds_school(run):
        from errata.school.commands import school_status

        school_status(run, as_json=as_json, watch=watch)
    elif watch:
        watch_run(run, as_json=as_json)
    else:
        show_run(run, as_json=as_json)


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--compare", is_flag=True, help="All rules side by side; without it the one named, or reliability.")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help=f"Only this: {', '.join(RULES)}.  [repeatable]")
@click.option("--precision", default=0.95, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@click.option("--hide-gold", is_flag=True, help="Keep gold verdicts from the model, so that they judge it.")
@click.option("--vote", "votes", multiple=True, metavar="FILE.py:VOTE", help="Also one's own.  [repeatable]")
@click.option("--marks", type=click.Path(path_type=Path, dir_okay=False), help="A person's marks, JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def accept(run: Path, compare: bool, rules: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Show what acceptance rules would accept of RUN, and how good it is by estimate and by gold. Makes no call.

    Estimates hang on the model of the voters: in trials their intervals held the truth less often than 95 % of the
    time. Where some gold answers are known, look at --hide-gold.
    """
    with loading():
        from errata.evidence.commands import compare_rules, show_rules
        from errata.runs.tables import show_lines

    with waiting(f"weighing the votes of {run}"):
        result = compare_rules(run, rules=rules or (() if compare else ("reliability",)), **options)
    if as_json:
        print_json(result)
    else:
        show_lines(show_rules(result))


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("marks", required=False, type=click.Path(path_type=Path, dir_okay=False), metavar="[MARKS.jsonl]")
@click.option("--number", default=20, show_default=True, type=click.IntRange(min=1), help="Rationales on the page.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The page; by default RUN/audit.html.")
@click.option("--hide-gold", is_flag=True, help="Ask about rationales with a gold verdict too.")
def audit(run: Path, marks: Path | None, number: int, out: Path | None, hide_gold: bool) -> None:
    """Write a page on which a person marks those rationales of RUN that tell most; with MARKS.jsonl, add its marks.

    The page works offline and by keyboard. `errata accept`, `export`, `status` and `report` go by a run's marks from
    then on: they anchor the model of the voters as gold verdicts do. Makes no call.
    """
    with loading():
        from errata.evidence.audit import add_marks, show_added, write_audit

    if marks is not None:
        with waiting(f"reading {run}"):
            added = add_marks(run, marks)
        click.echo("\n".join(show_added(added)))
        return
    with waiting(f"reading {run}"):
        page = write_audit(run, number, out, hide_gold=hide_gold)
    click.echo(f"{page.items} rationales to mark, {page.marked} marked before", err=True)
    click.echo(str(page.out))


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--format",
    "form",
    required=True,
    metavar="FORMAT",
    help=f"Kind of rows: {', '.join(FORMATS)}; one's own as my_format.py:FORMAT.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A .jsonl file to write.")
@click.option(
    "--roles",
    multiple=True,
    metavar="ROLE",
    help="Only rationales in these roles, e.g. teacher; self: the student's own right answers.  [repeatable]",
)
@click.option("--authors", multiple=True, metavar="NAME", help="Only what these agents wrote.  [repeatable]")
@click.option("--grader-only", is_flag=True, help="Right is what the grader finds right, whatever the panel says.")
@click.option("--max-edit-ratio", type=click.FloatRange(0, 1), help="Only pairs at most so far apart; edit and dpo.")
@click.option(
    "--sound-only", is_flag=True, help="Only pairs whose right side is accepted or known sound; edit and dpo."
)
@click.option("--by-scores", is_flag=True, help="Ranker: better x worse by the panel's scores, not right x wrong.")
@click.option("--cut-off", is_flag=True, help="Take texts that end at their length limit too.")
@click.option("--unjudged", is_flag=True, help="Take right texts that saw the gold answer and no panel judged too.")
@click.option(
    "--reasoning",
    type=click.Choice(["drop", "keep", "short"]),
    default="drop",
    show_default=True,
    help="What reasoning models thought: left out, or before the text in <think> tags, whole or as shortened.",
)
@click.option(
    "--wrong-from",
    type=click.Choice(["start", "first_wrong_step"]),
    default="start",
    show_default=True,
    help="Where wrong texts count as wrong from; those without a known first wrong step are then left out. nat, edit.",
)
@click.option(
    "--min-step-probability",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="How probable a first wrong step must be; stepwise, and with --wrong-from.",
)
@click.option("--accept", metavar="RULE", help=f"Accept by this, whatever the panel said: {', '.join(RULES)}.")
@click.option("--precision", type=click.FloatRange(0, 1, min_open=True), help="What reliability keeps: 0.95.")
@click.option("--against", multiple=True, metavar="SOURCE:MAPPING", help="Report overlap with this evaluation set.")
@click.option("--exclude-overlap", is_flag=True, help="Leave out problems that overlap with an evaluation set.")
@click.option("--keep-duplicates", is_flag=True, help="Write near-duplicates too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export(runs: tuple[str, ...], form: str, out: Path, as_json: bool, **options: Any) -> None:
    """Write a data set from the logs of one or more runs, with a data-set card beside it."""
    with loading():
        from errata.exports.formats import format_of, own_code

    chosen = format_of(form)
    say_code(own_code(chosen))
    with waiting(f"reading {', '.join(runs)}"):
        exported = write_export(runs, chosen, out, **options)
    if as_json:
        files = {"format": exported.format.name, "out": str(exported.out), "card": str(exported.card)}
        print_json({**files, **exported.tally.figures()})
    else:
        show_exported(exported)


for verb in (*cli_students.VERBS, *cli_sharing.VERBS):
    cli.add_command(verb)
