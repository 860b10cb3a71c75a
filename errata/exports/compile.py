"""Rows of one format from the logs of one or more runs, streamed, with what was left out counted.

    logs --transcripts in input order--> format --> near-duplicates, overlap --> rows

Memory: 22 bytes per problem and at most 50 bytes per row, plus the hashes of the evaluation sets compared with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errata.agents.prompts import load_prompts
from errata.config.env import expand
from errata.data.contamination import EvalSet
from errata.errors import UsageError, did_you_mean
from errata.evidence.view import verdicts_of, with_verdicts
from errata.exports.dedup import Duplicates
from errata.exports.format import Format, Needs
from errata.exports.formats import format_of
from errata.exports.own_answers import SELF
from errata.exports.transcript_view import ALL, LeftOut, Options, Row, Source, TranscriptView
from errata.exports.wrong_from import UNKNOWN, UNSURE
from errata.graphs.pipeline import LESSON, STAGES, in_order
from errata.graphs.stage import AnyStage
from errata.graphs.stages.shorten_thinking import SHORTEN_THINKING
from errata.records import Problem, Transcript
from errata.runs.acceptance import Acceptance
from errata.runs.funnel import funnel_of
from errata.runs.log_lines import damage_note
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

TAKEN_WITH = {"cut_off": "--cut-off", "saw_answer_unjudged": "--unjudged"}
"""The option that takes what is left out for this reason."""
LACKING = {UNKNOWN: "add locate to `stages` of the recipe", UNSURE: "lower --min-step-probability"}
"""What else helps where all is left out for this reason."""


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


@dataclass(frozen=True)
class Selection:
    """How a data set is made: the options of its format, and what becomes of near-duplicates and overlap."""

    options: Options = ALL
    keep_duplicates: bool = False
    """Near-duplicates are counted in any case."""
    eval_sets: tuple[EvalSet, ...] = ()
    exclude_overlap: bool = False
    """Leave out problems that overlap with an evaluation set; they are counted in any case."""


@dataclass
class ExportCounts:
    """What came of the logs: rows, and what gave none."""

    rows: int = 0
    example: Row | None = None
    """The first row."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Problems without a row, by how they ended."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rationales, explanations and pairs that the format would have taken but for this reason."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Rows that repeat an earlier one: the same, or like it."""
    authors: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rationales in rows, by author and role."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Rows by kind, of a format that has several."""
    overlap: dict[str, Counter[str]] = field(default_factory=dict)
    """By evaluation set: its size, problems that meet it by measure, and their rows."""
    excluded: int = 0
    """Problems left out for overlap."""
    notes: list[str] = field(default_factory=list)
    """What was wrong with the logs."""

    @property
    def duplicates(self) -> int:
        return self.repeated.total()

    def figures(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "rows": self.rows,
            "near_duplicates": {"same": self.repeated["same"], "like": self.repeated["like"]},
            "left_out": dict(sorted(self.left_out.items())),
            "problems_without_a_row": dict(sorted(self.skipped.items())),
            "kinds": dict(sorted(self.kinds.items())),
            "overlap": {name: dict(sorted(counts.items())) for name, counts in self.overlap.items()},
            "excluded_for_overlap": self.excluded,
            "notes": self.notes,
        }


# ---- logs ------------------------------------------------------------------------------------------------------------


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


def no_row(logs: Sequence[Log], form: Format, counts: ExportCounts) -> UsageError:
    """What to say of logs that have given no row."""
    rationales: Counter[str] = Counter()
    for log in logs:
        funnel = funnel_of(log.run, log.index)
        rationales.update(funnel.rationales())
        rationales["estimated"] += funnel.estimates.totals["right"]
    why = ", ".join(f"{number} {reason}" for reason, number in counts.left_out.most_common(5))
    if counts.excluded:
        why = f"{counts.excluded} problems left out for overlap{', ' * bool(why)}{why}"
    flags = [flag for reason, flag in TAKEN_WITH.items() if counts.left_out[reason] and _takes(form, flag)]
    return UsageError(
        f"no row: of {rationales['written']} rationales {rationales['correct']} are right, "
        + (f"{rationales['estimated']} estimated right, " if any(log.source.estimates for log in logs) else "")
        + f"{rationales['accepted']} accepted",
        f"{form.name} takes {form.takes}; left out: {why or 'nothing, there was nothing to take'}",
        "`errata status RUN` tells the reasons; let the run finish, or run the graph lesson for more to learn from"
        + "".join(f"; or take them: {flag}" for flag in flags)
        + "".join(f"; or {what}" for reason, what in LACKING.items() if counts.left_out[reason]),
    )


def _takes(form: Format, flag: str) -> bool:
    return flag.removeprefix("--").replace("-", "_") in form.options


# ---- rows ------------------------------------------------------------------------------------------------------------


def compile_rows(
    logs: Sequence[Log], form: Format, selection: Selection | None = None, counts: ExportCounts | None = None
) -> Iterator[Row]:
    """The rows of all logs, log by log and in input order; `counts` counts as they go."""
    selection, counts = selection or Selection(), ExportCounts() if counts is None else counts
    counts.overlap.update({each.name: Counter(size=each.size) for each in selection.eval_sets})
    duplicates = Duplicates()
    for log in logs:
        if log.index.damaged:
            counts.notes.append(damage_note(log.run.log, log.index.damaged))
        for transcript in log.transcripts():
            duplicates.next_problem()
            view = TranscriptView(transcript, log.source, selection.options)
            meeting = _meeting(transcript.problem, selection.eval_sets, counts)
            if meeting and selection.exclude_overlap:
                rows = sum(not isinstance(row, LeftOut) for row in form.rows(view))
                counts.excluded += 1
            else:
                rows = 0
                for row in _fresh(view, form, duplicates, selection, counts):
                    rows += 1
                    _count(row, form, counts)
                    yield row
            for name in meeting:
                counts.overlap[name]["rows"] += rows
            if not rows:
                counts.skipped[transcript.outcome.reason or transcript.outcome.status] += 1


def _meeting(problem: Problem, eval_sets: Sequence[EvalSet], counts: ExportCounts) -> list[str]:
    """Names of the evaluation sets that this problem meets."""
    names = []
    for each in eval_sets:
        if measure := each.meets(problem):
            counts.overlap[each.name][measure] += 1
            names.append(each.name)
    return names


def _fresh(
    view: TranscriptView, form: Format, duplicates: Duplicates, selection: Selection, counts: ExportCounts
) -> Iterator[Row]:
    """The format's rows of one problem, near-duplicates and what is left out counted."""
    for row in form.rows(view):
        if isinstance(row, LeftOut):
            counts.left_out[row.reason] += 1
            continue
        _check_row(row, form)
        if repeated := duplicates.repeats(*form.likeness(row)):
            counts.repeated[repeated] += 1
            if not selection.keep_duplicates:
                continue
        yield row


def _check_row(row: Row, form: Format) -> None:
    if "rationales" not in row.get("meta", {}) or set(row) - {"meta"} != set(form.columns):
        raise UsageError(
            f"a row of the format {form.name} with the columns {', '.join(row)}",
            f"the format states {', '.join(form.columns)}, and every row says in `meta` where it comes from",
            "state them in `columns`, and add meta=row_meta(view, rationale)",
        )


def _count(row: Row, form: Format, counts: ExportCounts) -> None:
    counts.rows += 1
    counts.example = counts.example or row
    for rationale in row["meta"]["rationales"]:
        counts.authors[rationale["author"], rationale["role"]] += 1
    kind = form.kind(row)
    if kind is not None:
        counts.kinds[kind] += 1
