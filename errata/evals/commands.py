"""What `errata eval` and `errata compare` do: run, then tables on stdout and everything else on stderr."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from errata.cli_helpers import print_json, ready_to_stop, say_code, say_destinations, to_stderr
from errata.errors import UsageError, plain
from errata.evals.claims import read_claims
from errata.evals.compare import Size, compare
from errata.evals.comparison import Comparison
from errata.evals.evaluate import Evaluation, evaluate_async
from errata.evals.recipe import load_eval_recipe
from errata.evals.results import Eval
from errata.evals.tables import show_comparison, show_evals
from errata.runs.progress import money, watching
from errata.waiting import loading, waiting

LATE_IMPORTS = ("langchain_core.callbacks.manager", "langsmith.run_helpers", "scipy.stats")
"""Imported by the first call and by the figures: seconds, that would hold up the progress of items."""


def run_eval(recipe: Path, overrides: Sequence[str], *, quiet: bool, trust_hosts: tuple[str, ...] = ()) -> Evaluation:
    """Runs an eval recipe; progress and what the exit code means go to stderr."""
    loaded = load_eval_recipe(recipe, overrides)
    say_code(loaded.code)
    say_destinations([model.agent for model in loaded.everyone], trust_hosts)
    with loading("what calls and intervals need"):
        for name in LATE_IMPORTS:
            import_module(name)
    with watching(quiet=quiet, verb="eval") as watch:
        done = asyncio.run(evaluate_async(loaded, stop=ready_to_stop(), signals=True, watch=watch))
    for line in _lines(done):
        to_stderr(line)
    return done


def eval_command(
    recipe: Path, overrides: Sequence[str], *, as_json: bool, quiet: bool, trust_hosts: tuple[str, ...] = ()
) -> int:
    """Runs an eval recipe and prints its results; the exit code."""
    done = run_eval(recipe, overrides, quiet=quiet, trust_hosts=trust_hosts)
    if as_json:
        print_json({"evals": [dict(each.summary) | {"path": str(each.path)} for each in done.evals]})
    else:
        show_evals(done.evals)
        for each in done.evals:
            click.echo(str(each.path))
        _show_differences(done.evals)
    return done.exit_code


def _show_differences(evals: Sequence[Eval]) -> None:
    """Differences between the models of one decoding, where all is there to tell them."""
    if any(each.manifest.status != "finished" for each in evals):
        return
    for decoding in dict.fromkeys(str(each.manifest.decoding.get("name")) for each in evals):
        alike = [each for each in evals if each.manifest.decoding.get("name") == decoding]
        if len(alike) > 1:
            click.echo(f"decoding  {decoding}\n")
            with waiting("comparing the models"):
                comparison = compare(alike)
            show_comparison(comparison)


def compare_command(
    evals: Sequence[str],
    *,
    against: str | None,
    tasks: Sequence[str],
    where: Sequence[str],
    equal: Size | None,
    claims: Path | None,
    metrics: Sequence[str] = (),
    as_json: bool,
) -> None:
    """Prints the comparison. Raises UsageError for a single eval, and as `compare` and `read_claims` do."""
    if len(evals) < 2:
        raise UsageError("one eval", "a comparison needs two", "name another directory or JSONL file")
    narrowed = dict(text.partition("=")[::2] for text in where)
    named = None if claims is None else read_claims(claims)
    with waiting(f"comparing {len(evals)} evals"):
        comparison = compare(
            evals, against=against, claims=named, tasks=tasks or None, where=narrowed, equal=equal, metrics=metrics
        )
    if as_json:
        print_json(as_data(comparison))
    else:
        show_comparison(comparison)


def as_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data: arms with their paths, figures, claims, all differences, notes."""
    return {
        "arms": [
            {
                "name": arm.name,
                "evals": [str(each.path) for each in arm.evals],
                "seeds": list(arm.seeds),
                "baseline": arm.baseline,
                "target_tokens": arm.target_tokens,
                "cost_usd": arm.cost_usd,
            }
            for arm in comparison.arms
        ],
        "tasks": list(comparison.tasks),
        "figures": [asdict(each) for each in comparison.figures],
        "claims": comparison.claim_records(),
        "differences": [asdict(each) for each in comparison.differences],
        "mistakes": comparison.mistakes(),
        "notes": list(comparison.notes),
    }


def _lines(done: Evaluation) -> list[str]:
    now, ever = done.spent["this_run"], done.spent["all_runs"]
    lines = [f"note: {plain(note)}" for note in done.notes]
    lines.append(
        f"calls: {now['paid']} paid, {now['cached']} cached, {now['failed']} failed; "
        f"cost: {money(now['usd'])} this time, {money(ever['usd'])} in all"
    )
    if done.failed:
        lines.append(f"{done.failed} items were lost to the provider; the same command tries them again")
    if done.error:
        lines.append(str(done.error))
    elif done.pending:
        lines.append("the same command goes on with the pending items")
    return lines
