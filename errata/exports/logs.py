"""The logs of runs that a data set is made from, indexed, and refused where they cannot serve its format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from errata.agents.prompts import load_prompts
from errata.config.env import expand
from errata.errors import UsageError, did_you_mean
from errata.evidence.view import verdicts_of, with_verdicts
from errata.exports.format import Format, Needs
from errata.exports.formats import format_of
from errata.exports.own_answers import SELF
from errata.exports.transcript_view import ALL, Options, Source
from errata.graphs.pipeline import LESSON, STAGES, in_order
from errata.graphs.stage import AnyStage
from errata.graphs.stages.shorten_thinking import SHORTEN_THINKING
from errata.records import Transcript
from errata.runs.acceptance import Acceptance
from errata.runs.marks import marks_in, with_marks
from errata.runs.run_dir import LogIndex, RunDir, find_run
from errata.runs.saved_recipe import load_saved_recipe, stages_run
from errata.runs.transcripts import read_transcripts

USES = {
    "target": "a stage that writes rationales to learn from",
    "attempt": "a student's answers",
    "contrast": "rationales written to be wrong",
}
"""What the logs lack where they hold no rationale for a use."""


@dataclass(frozen=True)
class Log:
    """A run directory to read from."""

    run: RunDir
    index: LogIndex
    source: Source
    acceptance: Acceptance | None = None
    """The rule whose verdicts stand in place of the panel's; None: the panel's own."""

    def transcripts(self) -> Iterator[Transcript]:
        """The last line of every problem, in input order. Raises UsageError on one that is no transcript."""
        read = with_marks(read_transcripts(self.run.log, self.index.in_input_order()), marks_in(self.run))
        if self.acceptance is None:
            return read
        verdicts = verdicts_of(self.run, self.acceptance)
        return (with_verdicts(transcript, verdicts) for transcript in read)


def open_logs(
    runs: Sequence[str | Path], form: str | Format, options: Options = ALL, acceptance: Acceptance | None = None
) -> list[Log]:
    """The runs' logs, indexed. `acceptance` goes before what the runs' recipes say.

    Raises UsageError where there is no run directory, where no run has one of the authors or roles of the options,
    where problems without a gold answer are to be taken by their grade, where thinking shall be short and a run has
    shortened none, or where together they cannot serve the format.
    """
    form, logs = format_of(form), [open_log(run, acceptance) for run in runs]
    check_authors(logs, options)
    check_roles(logs, options)
    check_graded(logs, options)
    check_shortened(logs, options)
    for needs in _needs_of(form, options):
        if not any(log.source.holds(need, options) for log in logs for need in needs):
            raise _unserved(logs, form, needs)
    return logs


def open_log(run: str | Path, acceptance: Acceptance | None = None) -> Log:
    """A run's log, indexed, with the acceptance given or its recipe's. Raises UsageError where there is no run."""
    directory = find_run(run)
    recipe = load_saved_recipe(directory.recipe)
    prompts = load_prompts(recipe.prompts and expand(recipe.prompts))
    source = Source(recipe, prompts, stages_run(directory.manifest(), recipe))
    return Log(directory, directory.index(), source, acceptance or recipe.accept)


def check_authors(logs: Sequence[Log], options: Options) -> None:
    """Raises UsageError for an author that is no agent of the runs, with the nearest one."""
    known = sorted({spec.name for log in logs for spec in log.source.recipe.agents.everyone})
    _check_names("agent", options.authors, known, logs)


def check_roles(logs: Sequence[Log], options: Options) -> None:
    """Raises UsageError for a role that no stage of the runs writes, with the nearest one."""
    own = [SELF] if any(log.source.roles("attempt") for log in logs) else []
    known = list(dict.fromkeys([*(role for log in logs for role in log.source.roles()), *own]))
    _check_names("role", options.roles, known, logs)


def check_graded(logs: Sequence[Log], options: Options) -> None:
    """Raises UsageError where rows shall go by the grader alone and problems of a run may lack a gold answer."""
    for log in logs:
        if options.grader_only and log.source.estimates:
            raise UsageError(
                f"--grader-only with {log.run.path}",
                f"its recipe has problems.gold: {log.source.recipe.problems.gold}, and without a gold answer there is "
                "no grade: verdicts are estimated, from the panel's scores too",
                "leave it out",
            )


def check_shortened(logs: Sequence[Log], options: Options) -> None:
    """Raises UsageError where thinking shall be short and a run has not shortened any."""
    for log in logs:
        if options.reasoning == "short" and SHORTEN_THINKING.name not in log.source.stages:
            raise UsageError(
                f"--reasoning short with {log.run.path}",
                f"its stages are {', '.join(log.source.stages)}, and none of them shortens thinking",
                f"name {SHORTEN_THINKING.name} last in `stages` of the recipe and run it as a run of its own: "
                "replies in the store are not paid again; or --reasoning keep",
            )


def _check_names(what: str, names: Sequence[str], known: Sequence[str], logs: Sequence[Log]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(
                f"no {what} {name} in {', '.join(str(log.run.path) for log in logs)}",
                f"the {what}s are {', '.join(known)}",
                did_you_mean(name, known, "name one of them"),
            )


def _needs_of(form: Format, options: Options) -> Needs:
    for option, needs in form.needs_with.items():
        if getattr(options, option) != getattr(ALL, option):
            return needs
    return form.needs


def _unserved(logs: Sequence[Log], form: Format, needs: Sequence[str]) -> UsageError:
    graphs = graphs_with(needs)
    stages = ", ".join(dict.fromkeys(stage for log in logs for stage in log.source.stages))
    runs = ", ".join(f"{log.run.path} (graph {log.source.recipe.graph})" for log in logs)
    lacking = " or ".join(USES.get(need, need) for need in needs)
    do = f"run one of the graphs {', '.join(graphs)}: `errata synth RECIPE graph={graphs[-1]} name=...`"
    examined = "target" in needs and any(log.source.roles("attempt") for log in logs)
    own = "or take the student's own right answers: --roles self" if examined else ""
    return UsageError(
        f"{runs} cannot serve {form.name}: the stages run are {stages}, and it needs {lacking}",
        f"{form.name} takes {form.takes}",
        "; ".join(
            text for text in (do if graphs else f"name {lacking} in `stages` of the recipe", own, form.hint) if text
        ),
    )


def graphs_with(needs: Sequence[str], stages: Sequence[AnyStage] = STAGES) -> list[str]:
    """The graphs of the shipped stages that hold one of these: a stage by name, or one that writes for a use."""
    of_graph = {stage.name: in_order((stage,)) for stage in stages} | {LESSON: tuple(stages)}
    return [
        name
        for name, running in of_graph.items()
        if any(need == stage.name or need in stage.roles.values() for need in needs for stage in running)
    ]
