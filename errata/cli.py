"""The verbs of `errata`. Nothing heavy is imported before a verb needs it: `errata --help` must answer at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from errata import __version__
from errata.cli_helpers import (
    OptionalPilot,
    load_and_say,
    print_json,
    run_recipe,
    show_exported,
    show_run,
    tracing,
    write_export,
)
from errata.errors import EXIT_INTERRUPTED, EXIT_OTHER, EXIT_USAGE, ErrataError, UsageError

FORMATS = ("dpo", "edit", "grpo", "kto", "mapd", "mcc-kd", "messages", "nat", "privileged", "ranker", "sft")
METHODS = {
    "sft": "Plain distillation of right rationales.",
    "mapd": "Answering and explaining mistakes, two tasks mixed (MAPD).",
    "edit": "Key steps of right and wrong pairs, from an sft checkpoint (EDIT).",
    "mcc-kd": "Right rationales whose answers shall agree (MCC-KD).",
    "nat": "A negative and a positive adapter with a gate (NAT), and its baselines.",
    "nce": "A NAT student distilled into a plain adapter (NCE).",
    "ranker": "A ranker of rationales, for weighted votes (ASC).",
    "redi": "Second stage of REDI: right rationales up, wrong ones down by less.",
    "dpo": "Direct preference optimization over pairs, by TRL's trainer.",
    "kto": "KTO over right and wrong rationales, by TRL's trainer.",
    "grpo": "GRPO on a run's problems with the grader as reward, by TRL's trainer.",
}
RULES = ("mean", "min", "k_of_n", "veto", "agreement", "majority", "reliability")
"""What the help lists without importing torch; tests hold both against the values that it stands for."""


class Verbs(click.Group):
    """Turns errors into found / why / do on stderr and the exit codes of errata; every verb takes --debug."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.params.append(_debug_option())
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the work, as they stand in this file."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ErrataError as error:
            _traceback_if_debug(ctx)
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except click.NoSuchOption as error:
            if error.possibilities or not _takes_overrides(error.ctx):
                raise
            click.echo(str(_written_as_key(error)), err=True)
            ctx.exit(EXIT_USAGE)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            _traceback_if_debug(ctx)
            fault = ErrataError(
                f"{type(error).__name__}: {error}", "errata itself is at fault", "see more with --debug"
            )
            click.echo(str(fault), err=True)
            ctx.exit(EXIT_OTHER)


def _takes_overrides(ctx: click.Context | None) -> bool:
    return ctx is not None and any(each.name == "overrides" for each in ctx.command.params)


def _written_as_key(error: click.NoSuchOption) -> UsageError:
    key = error.option_name.lstrip("-").replace("-", "_")
    return UsageError(
        f"there is no option {error.option_name}",
        "a recipe's own keys are overridden as key=value, without dashes",
        f"write {key}=VALUE behind the recipe; other options: errata {error.ctx.info_name if error.ctx else ''} --help",
    )


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, callback=_set_debug, help="Show tracebacks and a debug log."
    )


def _set_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().meta["errata.debug"] = True
        import logging

        logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
        logging.getLogger("errata").setLevel(logging.DEBUG)


def _traceback_if_debug(ctx: click.Context) -> None:
    if ctx.find_root().meta.get("errata.debug"):
        import traceback

        traceback.print_exc()


@click.group(cls=Verbs, params=[_debug_option()], context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="errata")
def cli() -> None:
    """Turns large models' reasoning, right and wrong, into small models that reason."""
    if Path(".env").is_file():
        from errata.config.env import read_env_file

        read_env_file(Path(".env").absolute())


@cli.command()
@click.option(
    "--problems", default=300, show_default=True, type=click.IntRange(min=1), help="Problems of the classroom."
)
@click.option("--lesson-only", is_flag=True, help="Stop after the lesson; a simulated student sits the exam.")
@click.option("--school", "in_rounds", is_flag=True, help="Teach the student in two rounds of a school instead.")
@click.option("--quiet", is_flag=True, help="No progress.")
def demo(problems: int, lesson_only: bool, in_rounds: bool, quiet: bool) -> None:
    """School a small student, run a lesson on its mistakes, and see what each part of it buys: no key, no network."""
    from errata.demo import play, rounds

    if lesson_only and in_rounds:
        raise UsageError("--lesson-only with --school", "a school is rounds of lessons and trainings", "give one")
    sys.exit(rounds(problems, quiet=quiet) if in_rounds else play(problems, lesson_only=lesson_only, quiet=quiet))


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path))
def init(directory: Path) -> None:
    """Write a commented recipe, sample problems and prompts to start from into DIRECTORY."""
    from errata.starter import write_starter

    for path in write_starter(directory):
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
@click.option("--trust-hosts", multiple=True, metavar="HOST", help="Let a provider's key go there.  [repeatable]")
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
    from errata.studies.recipe import is_study

    if is_study(Path(recipe)):
        from errata.studies.commands import plan_command

        plan_command(Path(recipe), overrides, assume, as_json=as_json)
        return
    from errata.school.recipe import is_school

    if is_school(Path(recipe)):
        from errata.school.commands import plan_command as plan_school

        plan_school(Path(recipe), overrides, assume, as_json=as_json)
        return
    from errata.runs.plan.estimate import estimate
    from errata.runs.plan.show import show

    result = estimate(load_and_say(recipe, overrides, trust_hosts), assume=assume, pilot=pilot)
    if as_json:
        print_json(result)
    else:
        show(result)


@cli.command()
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Run the graphs in N Ray workers; extra ray.")
@click.option("--trust-hosts", multiple=True, metavar="HOST", help="Let a provider's key go there.  [repeatable]")
@click.option("--trace", metavar="FILE|URL", help="OpenTelemetry spans: JSON lines, or a collector's address.")
@click.option("--trace-texts", is_flag=True, help="Spans hold messages and replies too.")
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
def status(run: Path, as_json: bool) -> None:
    """Show what became of RUN's problems, rationales, calls and dollars."""
    if as_json:
        from errata.runs.status import status as status_of

        print_json(status_of(run))
    else:
        show_run(run)


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
    from errata.evidence.commands import compare_rules, show_rules

    result = compare_rules(run, rules=rules or (() if compare else ("reliability",)), **options)
    if as_json:
        print_json(result)
    else:
        click.echo("\n".join(show_rules(result)))


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
    "--roles", multiple=True, metavar="ROLE", help="Only rationales in these roles, e.g. teacher.  [repeatable]"
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
@click.option("--accept", metavar="RULE", help=f"Accept by this, whatever the panel said: {', '.join(RULES)}.")
@click.option("--precision", type=click.FloatRange(0, 1, min_open=True), help="What reliability keeps: 0.95.")
@click.option("--against", multiple=True, metavar="SOURCE:MAPPING", help="Report overlap with this evaluation set.")
@click.option("--exclude-overlap", is_flag=True, help="Leave out problems that overlap with an evaluation set.")
@click.option("--keep-duplicates", is_flag=True, help="Write near-duplicates too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export(runs: tuple[str, ...], form: str, out: Path, as_json: bool, **options: Any) -> None:
    """Write a data set from the logs of one or more runs, with a data-set card beside it."""
    exported = write_export(runs, form, out, **options)
    if as_json:
        files = {"format": exported.format.name, "out": str(exported.out), "card": str(exported.card)}
        print_json({**files, **exported.tally.figures()})
    else:
        show_exported(exported)


class Methods(click.Group):
    """The training methods: the shipped ones, and any that is named as `my_method.py:METHOD`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(METHODS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        @click.pass_context
        def run(ctx: click.Context) -> None:
            from errata.models.load import need_torch

            need_torch()
            from errata.training.job import main

            sys.exit(main(cmd_name, ctx.args))

        return click.Command(
            cmd_name,
            callback=run,
            params=[_debug_option()],
            short_help=METHODS.get(cmd_name),
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )


@cli.group(cls=Methods)
def train() -> None:
    """Train a student on a run's transcripts, by the method of a paper or one's own. Takes TRL's flags.

    errata train sft --config recipes/train/sft.yaml --dataset_name runs/demo --learning_rate 1e-4

    errata train my_method.py:METHOD --dataset_name runs/demo --model_name_or_path tiny
    """


@cli.command(name="eval")
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--trust-hosts", multiple=True, metavar="HOST", help="Let a provider's key go there.  [repeatable]")
@click.option("--trace", metavar="FILE|URL", help="OpenTelemetry spans: JSON lines, or a collector's address.")
@click.option("--trace-texts", is_flag=True, help="Spans hold messages and replies too.")
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
    from errata.evals.commands import eval_command

    with tracing(trace, texts=trace_texts):
        code = eval_command(Path(recipe), overrides, as_json=as_json, quiet=quiet, trust_hosts=trust_hosts)
    sys.exit(code)


@cli.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--trust-hosts", multiple=True, metavar="HOST", help="Let a provider's key go there.  [repeatable]")
def study(recipe: Path, overrides: tuple[str, ...], as_json: bool, trust_hosts: tuple[str, ...]) -> None:
    """Run RECIPE's arms over its seeds and judge its claims. The same command resumes; new seeds or arms are added.

    Overrides are dotted: seeds=[0,1] training.max_steps=50 together=2
    """
    from errata.models.load import need_torch
    from errata.studies.commands import study_command

    need_torch()
    sys.exit(study_command(recipe, overrides, as_json=as_json, trust_hosts=trust_hosts))


@cli.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--trust-hosts", multiple=True, metavar="HOST", help="Let a provider's key go there.  [repeatable]")
def school(recipe: Path, overrides: tuple[str, ...], as_json: bool, quiet: bool, trust_hosts: tuple[str, ...]) -> None:
    """Teach RECIPE's student in rounds: exam, choice, lesson, training, judge. The same command resumes.

    Overrides are dotted: rounds=6 choose.by=random budget.dollars=5
    """
    from errata.models.load import need_torch
    from errata.school.commands import school_command

    need_torch()
    sys.exit(school_command(recipe, overrides, as_json=as_json, quiet=quiet, trust_hosts=trust_hosts))


@cli.command()
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


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("evals", nargs=-1, metavar="[EVAL ...]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="By default RUN/report.html.")
def report(run: Path, evals: tuple[str, ...], out: Path | None) -> None:
    """Write one HTML file about RUN and its evaluations: figures, transcripts, pairs. No network.

    EVAL is an eval directory, JSON lines with `id` and `correct`, or another tool's log, as for `errata compare`; by
    default all of RUN/evals.
    """
    from errata.report.build import write_report

    done = write_report(run, evals, out, say=lambda text: click.echo(text, err=True))
    click.echo(f"{done.browsable:,} transcripts, {done.items:,} eval items, {done.bytes / 2**20:.1f} MiB", err=True)
    click.echo(str(done.out))


@cli.command()
@click.argument("student")
@click.option("--to", required=True, type=click.Choice(["merged", "gguf", "ollama"]), help="A folder, or for whom.")
@click.option("--out", type=click.Path(path_type=Path), help="By default named after the student, in this folder.")
@click.option("--dtype", type=click.Choice(["f32", "f16", "bf16", "q8_0"]), help="By default f32 if merged, else f16.")
def ship(student: str, to: Any, out: Path | None, dtype: str | None) -> None:
    """Write STUDENT in a form that others run: adapter merged, a GGUF file for llama.cpp, or that with a Modelfile.

    What would not answer as the checkpoint does is refused. Nothing is written over.
    """
    from errata.shipping.ship import ship as write

    shipped = write(student, to, out, dtype)
    click.echo(f"{shipped.form}, {shipped.dtype}, {shipped.bytes / 2**20:,.1f} MiB", err=True)
    click.echo(str(shipped.out))


@cli.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--to", "repo", required=True, metavar="ORG/NAME", help="The repository; made where it is missing.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent where, and send nothing.")
@click.option("--public", is_flag=True, help="Anybody may read it; without it the repository is private.")
@click.option("--endpoint", metavar="URL", help="Another hub than HF_ENDPOINT, or else huggingface.co.")
@click.option("--token-env", metavar="NAME", help="Variable that holds the hub's key; HF_TOKEN on huggingface.co.")
@click.option("--eval", "evals", multiple=True, metavar="EVAL", help="Into a student's card.  [repeatable]")
@click.option("--evidence", type=click.Path(path_type=Path), help="A study's card; by default that PATH lies in.")
@click.option("--base", metavar="ORG/NAME", help="Hub id of an adapter's base, where it stands on a folder.")
def push(path: Path, repo: str, dry_run: bool, **options: Any) -> None:
    """Send a data set or a student to a hub, with its card: PATH is what `export`, `train` or `ship` wrote.

    Only rows, weights, configuration, tokenizer and cards are sent, and each is named first.
    """
    from errata.cli_helpers import to_stderr
    from errata.publish.push import prepare

    ready = prepare(path, repo, **options)
    if dry_run:
        click.echo("\n".join(ready.lines()))
    else:
        click.echo(ready.send(to_stderr))


@cli.group()
def data() -> None:
    """Public data sets that recipes name."""


@data.command()
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), help="By default ERRATA_DATA, or `data`, as in recipes.")
def fetch(name: str, into: Path | None) -> None:
    """Download the public data set NAME: gsm8k, svamp, mcc_kd or bbh, each file held against its hash."""
    from errata.cli_helpers import to_stderr
    from errata.data.fetch import fetch as download
    from errata.data.fetch import set_named

    for place in download(set_named(name), into or Path(os.environ.get("ERRATA_DATA") or "data"), to_stderr):
        click.echo(str(place))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), default="runs", metavar="[RUN or FOLDER]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; this machine only unless told.")
@click.option("--port", default=8018, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def view(folder: Path, host: str, port: int) -> None:
    """Show the runs of FOLDER, by default `runs`, in a browser while they go on: progress, failures, reports."""
    from errata.view.commands import view_command

    view_command(folder, host, port)


@cli.command()
@click.argument("name", metavar="NAME|RECIPE")
def graph(name: Any) -> None:
    """Print a graph as Mermaid: a shipped one by name, or that of a recipe's file.

    The shipped ones: exam, rationales, peer_review, mistake_explanation, dual_cot, lesson; and school.
    """
    if name == "school":
        from errata.school.graph import mermaid as school_mermaid

        click.echo(school_mermaid())
        return
    from errata.runs.studio import mermaid

    click.echo(mermaid(name))


@cli.command()
@click.argument("kind", type=click.Choice(["synth", "eval", "study", "school"]), default="synth")
def schema(kind: str) -> None:
    """Print the JSON Schema of recipes, for editors: of those of `errata synth`, or of another verb."""
    from errata.schema import json_schema

    print_json(json_schema(kind))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; this machine only unless told.")
@click.option("--port", default=8017, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--latency", default=0.0, show_default=True, type=click.FloatRange(0), help="Seconds each reply waits.")
@click.option("--fault-rate", default=0.0, show_default=True, type=float, help="Share of tries that meet a fault.")
@click.option("--fault", "kinds", multiple=True, metavar="KIND", help="429, 429-bare, 500, 503, drop, stall, html, ...")
@click.option("--fault-seed", default=0, show_default=True, help="Which tries meet one.")
@click.option("--retry-after", default=1.0, show_default=True, help="Seconds a 429 asks for.")
@click.option("--refuse-after", type=int, metavar="N", help="After N requests every one is refused (401).")
@click.option("--rpm", type=click.IntRange(min=1), help="Requests of a model a minute; more are answered 429.")
@click.option("--tpm", type=click.IntRange(min=1), help="Tokens of a model a minute; more are answered 429.")
@click.option("--batch-delay", default=0.0, show_default=True, type=click.FloatRange(0), help="Seconds a batch takes.")
@click.option(
    "--batch-fault-rate", default=0.0, show_default=True, type=float, help="Share of batches that fare badly."
)
@click.option("--batch-fault", "fates", multiple=True, metavar="KIND", help="expired, failed, partial, garbled")
def serve(
    host: str,
    port: int,
    latency: float,
    fault_rate: float,
    kinds: tuple[str, ...],
    fault_seed: int,
    retry_after: float,
    refuse_after: int | None,
    rpm: int | None,
    tpm: int | None,
    batch_delay: float,
    batch_fault_rate: float,
    fates: tuple[str, ...],
) -> None:
    """Offer the simulated faculty over an OpenAI-compatible endpoint and Anthropic's, with faults if asked."""
    from errata.llm.backends.simulated.batch_desk import BatchFaults
    from errata.llm.backends.simulated.server import Faults
    from errata.llm.backends.simulated.server import serve as serve_until_signalled

    kinds = kinds or Faults.kinds
    faults = Faults(fault_rate, kinds, fault_seed, retry_after=retry_after, refuse_after=refuse_after, rpm=rpm, tpm=tpm)
    batches = BatchFaults(batch_fault_rate, fates or BatchFaults.kinds, fault_seed, batch_delay)
    serve_until_signalled(host, port, faults=faults, latency=latency, batches=batches)
