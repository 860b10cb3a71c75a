"""The verbs that pass things on or show them: ship, push, data, view, graph, schema, serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from errata.cli_group import Listed
from errata.cli_helpers import print_json, to_stderr
from errata.waiting import loading, waiting


@click.command()
@click.argument("student")
@click.option("--to", required=True, type=click.Choice(["merged", "gguf", "ollama"]), help="A folder, or for whom.")
@click.option("--out", type=click.Path(path_type=Path), help="By default named after the student, in this folder.")
@click.option("--dtype", type=click.Choice(["f32", "f16", "bf16", "q8_0"]), help="By default f32 if merged, else f16.")
def ship(student: str, to: Any, out: Path | None, dtype: str | None) -> None:
    """Write STUDENT in a form that others run: adapter merged, a GGUF file for llama.cpp, or that with a Modelfile.

    What would not answer as the checkpoint does is refused. Nothing is written over.
    """
    with loading():
        from errata.shipping.ship import ship as write

    with waiting(f"writing {student} as {to}"):
        shipped = write(student, to, out, dtype)
    click.echo(f"{shipped.form}, {shipped.dtype}, {shipped.bytes / 2**20:,.1f} MiB", err=True)
    click.echo(str(shipped.out))


@click.command()
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
    with loading():
        from errata.publish.push import prepare

    with waiting(f"reading {path}"):
        ready = prepare(path, repo, **options)
    if dry_run:
        click.echo("\n".join(ready.lines()))
    else:
        click.echo(ready.send(to_stderr))


@click.group(cls=Listed)
def data() -> None:
    """Public data sets that recipes name."""


@data.command()
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), help="By default ERRATA_DATA, or `data`, as in recipes.")
def fetch(name: str, into: Path | None) -> None:
    """Download the public data set NAME: gsm8k, svamp, mcc_kd or bbh, each file held against its hash."""
    with loading():
        from errata.data.fetch import fetch as download
        from errata.data.fetch import set_named

    for place in download(set_named(name), into or Path(os.environ.get("ERRATA_DATA") or "data"), to_stderr):
        click.echo(str(place))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="runs", metavar="[RUN or FOLDER]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; this machine only unless told.")
@click.option("--port", default=8018, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def view(folder: Path, host: str, port: int) -> None:
    """Show the runs of FOLDER, by default `runs`, in a browser while they go on: progress, failures, reports."""
    with loading():
        from errata.view.commands import view_command

    view_command(folder, host, port)


@click.command()
@click.argument("name", metavar="NAME|RECIPE")
def graph(name: Any) -> None:
    """Print a graph as Mermaid: a shipped one by name, or that of a recipe's file.

    The shipped ones: exam, rationales, peer_review, mistake_explanation, dual_cot, lesson; and school.
    """
    with loading("LangGraph"):
        from errata.runs.studio import mermaid
        from errata.school.graph import mermaid as school_mermaid

    with waiting("drawing the graph"):
        drawn = school_mermaid() if name == "school" else mermaid(name)
    click.echo(drawn)


@click.command()
@click.argument("kind", type=click.Choice(["synth", "eval", "study", "school"]), default="synth")
def schema(kind: str) -> None:
    """Print the JSON Schema of recipes, for editors: of those of `errata synth`, or of another verb."""
    with loading():
        from errata.schema import json_schema

        result = json_schema(kind)
    print_json(result)


@click.command()
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
    with loading():
        from errata.llm.backends.simulated.batch_desk import BatchFaults
        from errata.llm.backends.simulated.server import Faults
        from errata.llm.backends.simulated.server import serve as serve_until_signalled

    kinds = kinds or Faults.kinds
    faults = Faults(fault_rate, kinds, fault_seed, retry_after=retry_after, refuse_after=refuse_after, rpm=rpm, tpm=tpm)
    batches = BatchFaults(batch_fault_rate, fates or BatchFaults.kinds, fault_seed, batch_delay)
    serve_until_signalled(host, port, faults=faults, latency=latency, batches=batches)


VERBS = (ship, push, data, view, graph, schema, serve)
"""In the order of the work."""
