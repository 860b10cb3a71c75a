"""The verbs about students: train, eval, study, school, compare, report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from errata.cli_group import TRACE, TRACE_TEXTS, TRUST_HOSTS, debug_option
from errata.cli_helpers import print_json, tracing
from errata.training.method_names import METHODS, refuse_unknown
from errata.waiting import loading, speaking


class Methods(click.Group):
    """The training methods: the shipped ones, and any that is named as `my_method.py:METHOD`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(METHODS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        @click.pass_context
        def run(ctx: click.Context) -> None:
            with loading("PyTorch"):
                refuse_unknown(cmd_name, METHODS)
                from errata.models.load import need_torch

                need_torch()
            with loading("the trainer"):
                from errata.training.job import main

            sys.exit(main(cmd_name, ctx.args))

        return click.Command(
            cmd_name,
            callback=run,
            params=[debug_option()],
            short_help=METHODS.get(cmd_name),
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )


@click.group(cls=Methods)
def train() -> None:
    """Train a student on a run's transcripts, by the method of a paper or one's own. Takes TRL's flags."""


@click.command(name="eval")
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@TRUST_HOSTS
@TRACE
@TRACE_TEXTS
def eval_(
    recipe: str,
    overrides: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    trust_hosts: tuple[str, ...],
    trace: str | None,
    trace_texts: bool,
) -> None:
    """Evaluate RECIPE's models on its tasks. The same command resumes.

    Overrides are dotted: limit=20 tasks.gsm8k.limit=100 decodings.greedy.max_tokens=300
    """
    with loading():
        from errata.evals.commands import eval_command

    with tracing(trace, texts=trace_texts):
        code = eval_command(Path(recipe), overrides, as_json=as_json, quiet=quiet, trust_hosts=trust_hosts)
    sys.exit(code)


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@TRUST_HOSTS
def study(recipe: Path, overrides: tuple[str, ...], as_json: bool, quiet: bool, trust_hosts: tuple[str, ...]) -> None:
    """Run RECIPE's arms over its seeds and judge its claims. The same command resumes; new seeds or arms are added.

    Overrides are dotted: seeds=[0,1] training.max_steps=50 together=2
    """
    with loading("PyTorch"):
        from errata.models.load import need_torch
        from errata.studies.commands import study_command

        need_torch()
    sys.exit(study_command(recipe, overrides, as_json=as_json, quiet=quiet, trust_hosts=trust_hosts))


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@TRUST_HOSTS
def school(recipe: Path, overrides: tuple[str, ...], as_json: bool, quiet: bool, trust_hosts: tuple[str, ...]) -> None:
    """Teach RECIPE's student in rounds: exam, choice, lesson, training, judge. The same command resumes.

    Overrides are dotted: rounds=6 choose.by=random budget.dollars=5
    """
    with loading("PyTorch"):
        from errata.models.load import need_torch
        from errata.school.commands import school_command

        need_torch()
    sys.exit(school_command(recipe, overrides, as_json=as_json, quiet=quiet, trust_hosts=trust_hosts))


@click.command()
@click.argument("evals", nargs=-1, required=True, metavar="EVAL EVAL ...")
@click.option("--against", metavar="ARM", help="Only differences to this arm.")
@click.option("--task", "tasks", multiple=True, help="Only this task.  [repeatable]")
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only items that say so, e.g. steps=4.  [repeatable]")
@click.option(
    "--equal",
    type=click.Choice(["tokens", "cost"]),
    help="Only students that learned from as many target tokens, or from data as costly, to within 5 %.",
)
@click.option(
    "--claims",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file with `claims`, the planned comparisons; by default those that the evals' recipes name.",
)
@click.option(
    "--metric", "metrics", multiple=True, help="Score to read other tools' logs by; by default the first.  [repeatable]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    evals: tuple[str, ...],
    against: str | None,
    tasks: tuple[str, ...],
    where: tuple[str, ...],
    equal: Any,
    claims: Path | None,
    metrics: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare evals on the same items: eval directories, JSON lines with `id` and `correct`, or logs of other tools.

    Logs are those of inspect_ai (.eval, .json), lm-eval (samples_*.jsonl) and lighteval (details_*.parquet). ARM=PATH
    names an arm; several files of one arm are its seeds.

    Claims are corrected for one another; all other differences are exploratory.
    """
    with loading():
        from errata.evals.commands import compare_command

    compare_command(
        evals,
        against=against,
        tasks=tasks,
        where=where,
        equal=equal,
        claims=claims,
        metrics=metrics,
        as_json=as_json,
    )


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("evals", nargs=-1, metavar="[EVAL ...]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="By default RUN/report.html.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def report(run: Path, evals: tuple[str, ...], out: Path | None, as_json: bool, quiet: bool) -> None:
    """Write one HTML file about RUN and its evaluations: figures, transcripts, pairs. No network.

    EVAL is an eval directory, JSON lines with `id` and `correct`, or another tool's log, as for `errata compare`; by
    default all of RUN/evals. RUN may be the folder of a study, or of a school, whose card.md is then written anew, too.
    """
    with loading():
        from errata.studies.page import report_of

    with speaking(quiet=quiet, first=f"reading {run}") as say:
        done = report_of(run, evals, out, say=say)
    if as_json:
        print_json(done.figures())
        return
    if not quiet:
        click.echo(f"{done.browsable:,} transcripts, {done.items:,} eval items, {done.bytes / 2**20:.1f} MiB", err=True)
    click.echo(str(done.out))


VERBS = (train, eval_, study, school, compare, report)
"""In the order of the work."""
