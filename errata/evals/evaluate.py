"""Drives an eval recipe: every model with every decoding over all tasks, one directory each.

    recipe -> tasks read -> for each model a gateway -> for each decoding a eval_run (eval_run.py) -> RUN/evals/NAME

The same command goes on after any stop. In a notebook:

    done = evaluate("recipes/eval/smollm2.yaml", ["limit=20"])
    pandas.DataFrame(compare(done.evals).records())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errata.agents.prompts import load_prompts
from errata.config.env import expand
from errata.errors import ErrataError
from errata.evals.all_models import AllModels
from errata.evals.key_steps import pairs_of
from errata.evals.progress import Progress
from errata.evals.recipe import EvalRecipe, load_eval_recipe, with_parts
from errata.evals.results import Eval
from errata.evals.tasks import Task, overlap_with, read_task
from errata.evals.voting import Weigh
from errata.llm.preflight import check
from errata.llm.spec import Agents, check_spec
from errata.runs.counters import ProblemCounts, StopSignal, Watch
from errata.runs.drive import run_anywhere, ticking


@dataclass(frozen=True)
class Evaluation:
    """What an eval came to. `evals` are in the recipe's order; `error` is what ended it early, if anything did."""

    evals: tuple[Eval, ...]
    exit_code: int
    error: ErrataError | None
    pending: int
    failed: int
    spent: dict[str, Any]
    notes: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """One flat record per item and eval, as pandas.DataFrame takes them."""
        return [record for each in self.evals for record in each.records()]


def evaluate(
    recipe: EvalRecipe | str | Path,
    overrides: Sequence[str] = (),
    *,
    grader: Any = None,
    graders: Mapping[str, Any] | None = None,
    votes: Mapping[str, Weigh] | None = None,
    backends: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """Runs an eval recipe, or a file that holds one with `key=value` overrides. Raises UsageError.

    Also to be called where an event loop runs already, as in a notebook: then it has a thread of its own.

    Args:
        grader: a function `(problem, text) -> Grade`, or an object or class with `grade`, in place of the recipe's.
        graders: such graders by task.
        votes: by decoding, a function from an item's samples to one weight each.
        backends: by provider, who is asked for its models, see errata.evals.recipe.with_parts.
        watch: is shown twice per second how far it is.
    """
    loaded = recipe if isinstance(recipe, EvalRecipe) else load_eval_recipe(recipe, overrides)
    loaded = with_parts(loaded, grader, graders, votes, backends)
    return run_anywhere(lambda: evaluate_async(loaded, watch=watch))


async def evaluate_async(
    recipe: EvalRecipe,
    *,
    stop: StopSignal | None = None,
    signals: bool = False,
    watch: Watch | None = None,
    untouched: bool = True,
) -> Evaluation:
    """As `evaluate`, from a running event loop; with `signals` Ctrl-C and SIGTERM request the stop.

    Args:
        untouched: the recipe's baseline is the untouched student, and shown as such.
    """
    stop = stop or StopSignal()
    for model in recipe.everyone:
        check_spec(model)
        check(Agents(student=model.agent), recipe.budget)
    prompts = load_prompts(recipe.prompts and expand(recipe.prompts))
    tasks = [read_task(name, _as_run(spec, recipe)) for name, spec in recipe.tasks.items()]
    notes = [note for task in tasks for note in task.notes]
    notes += [
        f"the code of {name} stands in no file: whether it has changed since cannot be known"
        for name, code in recipe.code.items()
        if code.sha256 is None
    ]
    overlap = overlap_with(tasks, recipe.training)
    notes += [
        f"{name}: {met['question']} questions stand in the training data, {met['ngram']} more share 13 words with it"
        for name, met in overlap.items()
        if any(met.values())
    ]
    total = sum(len(task.problems) for task in tasks) * len(recipe.everyone) * len(recipe.decodings)
    pairs = pairs_of(expand(recipe.pairs)) if recipe.pairs else []
    progress = Progress(ProblemCounts(total), stop, recipe.budget)
    run = AllModels(recipe, Path(expand(recipe.run)), prompts, tasks, overlap, pairs, progress, untouched)
    run.refuse_what_would_fail_later()
    run.home.mkdir(parents=True, exist_ok=True)  # what is refused leaves no directory
    with stop.on_signals() if signals else nullcontext():
        async with ticking(watch, run.progress.snapshot):
            await run.answer()
    return _evaluation(run, notes)


def _as_run(spec: Task, recipe: EvalRecipe) -> Task:
    """The task under the recipe's limit, with the grader that it has."""
    limits = [each for each in (spec.limit, recipe.limit) if each is not None]
    return spec.model_copy(update={"limit": min(limits, default=None), "grader": spec.grader or recipe.grader})


def _evaluation(run: AllModels, notes: Sequence[str]) -> Evaluation:
    driver = run.driver
    return Evaluation(
        evals=tuple(run.evals),
        exit_code=driver.exit_code(run.failed),
        error=driver.error(),
        pending=run.progress.tally.pending,
        failed=run.failed,
        spent=run.progress.spent(),
        notes=(*notes, *dict.fromkeys(run.notes)),
    )
