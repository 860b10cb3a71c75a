"""The verbs of `errata` as functions: what a notebook or a script calls.

Each does what the command of its name does, without its tables and without a word on stdout or stderr. Paths may be
`str` or `Path`, an event loop may be running, and what goes wrong is raised as an ErrataError that says found, why and
what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from errata.evals.comparison import Comparison
    from errata.evals.evaluate import Evaluation
    from errata.exports.write import Exported
    from errata.graphs.stage import AnyStage
    from errata.runs.recipe import SynthRecipe
    from errata.runs.runner import Summary


def synthesize(
    recipe: SynthRecipe | str | Path,
    overrides: Sequence[str] = (),
    *,
    stages: Sequence[AnyStage] | None = None,
    grader: Any = None,
    backends: Mapping[str, Any] | None = None,
) -> Summary:
    """Runs a recipe in its run directory, from the start or from where it stands: `errata synth`.

    Args:
        recipe: a recipe, or the file of one with `key=value` overrides.
        stages: what the lesson runs in place of the recipe's stages, e.g. `(*STAGES, SHORTEN)`.
        grader: in place of the recipe's: a function `(problem, text) -> Grade`, or an object with such a `grade`.
        backends: by provider, who is asked for the models that are written PROVIDER/NAME: a class derived from
            `errata.Backend`, or an object of one.

    Raises:
        UsageError: a bad recipe, or a directory in use or of another recipe. What ends a run that has begun stands in
            the summary's `error` and `exit_code`.
    """
    from errata.runs.drive import run_anywhere
    from errata.runs.recipe import load_recipe
    from errata.runs.runner import synthesize as run

    if isinstance(recipe, str | Path):
        loaded = load_recipe(recipe, overrides, stages=stages, grader=grader, backends=backends)
        return run_anywhere(lambda: run(loaded))
    given = recipe
    return run_anywhere(lambda: run(given, stages=stages, grader=grader, backends=backends))


def status(run: str | Path) -> dict[str, Any]:
    """What became of a run's problems, rationales, calls and dollars: `errata status RUN --json`."""
    from errata.evidence.in_force import status_with_rule

    return status_with_rule(run)


def export(runs: str | Path | Sequence[str | Path], format: Any, out: str | Path, **options: Any) -> Exported:
    """Writes a data set from the logs of one or more runs, with a card beside it: `errata export`.

    Args:
        format: the name of a shipped format (`sft`, `edit`, ...), or a Format of one's own.
        options: as those of the command: `roles`, `authors`, `grader_only`, `max_edit_ratio`, `sound_only`,
            `by_scores`, `cut_off`, `unjudged`, `reasoning`, `wrong_from`, `min_step_probability`, `against`,
            `exclude_overlap`, `keep_duplicates`, `accept`, `precision`.

    Raises:
        UsageError: a format that the logs cannot serve, with the stages that could; an option without effect.
    """
    from errata.cli_helpers import write_export

    several = (runs,) if isinstance(runs, str | Path) else tuple(runs)
    return write_export(tuple(str(run) for run in several), format, Path(out), **options)  # type: ignore[no-any-return]


def train(method: Any, *, progress: bool = False, **settings: Any) -> int:
    """Trains a student by a method: `errata train METHOD --flag value ...`; the exit code.

    Args:
        method: the name of a shipped method (`sft`, `mapd`, ...), or a Method of one's own.
        progress: says and shows what the command would: the data on stderr, steps with their loss, the folder.
        settings: TRL's flags and the method's by name, e.g. `dataset_name="runs/demo", learning_rate=1e-4`; `config`
            names a file of them.
    """
    from errata.training.job import train as run

    words: list[str] = []
    for name, value in settings.items():
        values = value if isinstance(value, list | tuple) else [value]
        words += [f"--{name}", *(str(each) for each in values)]
    return run(method, words, quiet=not progress)


def evaluate(recipe: Any, overrides: Sequence[str] = (), **more: Any) -> Evaluation:
    """Runs an eval recipe, or a file that holds one: `errata eval`; see errata.evals.evaluate.evaluate."""
    from errata.evals.evaluate import evaluate as run

    return run(recipe, overrides, **more)


def compare(evals: Sequence[Any], **more: Any) -> Comparison:
    """Compares evals on the same items: `errata compare`; see errata.evals.compare.compare."""
    from errata.evals.compare import compare as run

    return run(evals, **more)
