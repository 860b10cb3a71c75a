"""Rows of one format from the logs of one or more runs, streamed, with what was left out counted.

    logs --transcripts in input order--> format --> near-duplicates, overlap --> rows

Memory: 22 bytes a problem and at most 50 bytes a row, plus the hashes of the evaluation sets compared with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from errata.agents.prompts import load_prompts
from errata.config.env import expand
from errata.data.contamination import EvalSet
from errata.errors import UsageError
from errata.export.dedup import Duplicates
from errata.export.formats import FORMATS, Format
from errata.export.transcript_view import ALL, LeftOut, Options, Row, Source, Told
from errata.records import Problem, Transcript
from errata.runs.run_dir import LogIndex, RunDir, find_run, index_log, read_lines
from errata.runs.saved_recipe import load_saved_recipe, stages_run

_GRAPHS: dict[str, tuple[str, ...]] = {
    "exam": ("exam", "lesson"),
    "rationales": ("rationales", "peer_review", "dual_cot", "lesson"),
    "peer_review": ("peer_review", "lesson"),
    "mistake_explanation": ("mistake_explanation", "lesson"),
    "dual_cot": ("dual_cot", "lesson"),
}
"""Which graphs have a stage; a lesson only if its recipe lets it run."""


@dataclass(frozen=True)
class Log:
    """A run directory to read from."""

    run: RunDir
    index: LogIndex
    source: Source


@dataclass(frozen=True)
class Handling:
    """How a data set is made: what the formats are asked, and what becomes of near-duplicates and overlap."""

    options: Options = ALL
    keep_duplicates: bool = False
    """Near-duplicates are counted in any case."""
    eval_sets: tuple[EvalSet, ...] = ()
    exclude_overlap: bool = False
    """Leave out problems that overlap with an evaluation set; they are counted in any case."""


@dataclass
class Tally:
    """What came of the logs."""

    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Problems without a row, by how they ended."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rationales, explanations and pairs that the format would have taken but for this reason."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Rows that repeat an earlier one: the same, or like it."""
    authors: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rationales in rows, by author and role."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Rows by task, label, or origin of the pair, where they have one."""
    overlap: dict[str, Counter[str]] = field(default_factory=dict)
    """By evaluation set: its size, problems that meet it by measure, and their rows."""
    excluded: int = 0
    """Problems left out for overlap."""

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
            "overlap": {name: dict(sorted(counted.items())) for name, counted in self.overlap.items()},
            "excluded_for_overlap": self.excluded,
        }


# ---- logs ------------------------------------------------------------------------------------------------------------


def open_logs(runs: Sequence[str | Path], format_name: str, options: Options = ALL) -> list[Log]:
    """The runs' logs, indexed. Raises UsageError where no directory or together they cannot serve the format."""
    form, logs = FORMATS[format_name], []
    for run in runs:
        directory = find_run(run)
        recipe = load_saved_recipe(directory.recipe)
        source = Source(
            recipe, load_prompts(recipe.prompts and expand(recipe.prompts)), stages_run(directory.manifest(), recipe)
        )
        logs.append(Log(directory, index_log(directory.log), source))
    _refuse_strangers(logs, options)
    for stages in _needed(form, format_name, options):
        if not any(set(stages) & set(log.source.stages) for log in logs):
            raise _unserved(logs, format_name, form, stages)
    return logs


def _refuse_strangers(logs: Sequence[Log], options: Options) -> None:
    known = sorted({spec.name for log in logs for spec in log.source.recipe.agents.everyone})
    for name in options.authors:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise UsageError(
                f"no agent {name} in {', '.join(str(log.run.path) for log in logs)}",
                f"the agents are {', '.join(known)}",
                f"did you mean {near[0]}?" if near else "name one of them",
            )


def _needed(form: Format, name: str, options: Options) -> tuple[tuple[str, ...], ...]:
    if name == "edit" and options.max_edit_ratio is not None:
        return (("dual_cot", "rationales", "exam"),)  # natural pairs are mined
    return form.needs


def _unserved(logs: Sequence[Log], name: str, form: Format, stages: Sequence[str]) -> UsageError:
    graphs = list(dict.fromkeys(graph for stage in stages for graph in _GRAPHS[stage]))
    held = ", ".join(dict.fromkeys(stage for log in logs for stage in log.source.stages))
    runs = ", ".join(f"{log.run.path} (graph {log.source.recipe.graph})" for log in logs)
    mined = "; or mine natural pairs: --max-edit-ratio 0.3" if name == "edit" else ""
    return UsageError(
        f"{runs} cannot serve {name}: the stages run are {held}, and it needs {' or '.join(stages)}",
        f"{name} takes {form.takes}",
        f"run one of the graphs {', '.join(graphs)}: `errata synth RECIPE graph={graphs[-1]} name=...`{mined}",
    )


def transcripts(log: Log) -> Iterator[Transcript]:
    """The last line of every problem, in input order. Raises UsageError on one that is no transcript."""
    for line in read_lines(log.run.log, log.index.in_input_order()):
        try:
            yield Transcript.from_line(line)
        except ValueError as error:
            raise UsageError(
                f"{log.run.log}: a line is no transcript of this version",
                str(error).splitlines()[0],
                "export with the version named in its manifest.json",
            ) from error


# ---- rows ------------------------------------------------------------------------------------------------------------


def compile_rows(
    logs: Sequence[Log], form: Format, asked: Handling | None = None, tally: Tally | None = None
) -> Iterator[Row]:
    """The rows of all logs, log by log and in input order; `tally` counts as they go."""
    asked, done = asked or Handling(), Tally() if tally is None else tally
    done.overlap.update({each.name: Counter(size=each.size) for each in asked.eval_sets})
    duplicates = Duplicates()
    for log in logs:
        for transcript in transcripts(log):
            duplicates.next_problem()
            told = Told(transcript, log.source, asked.options)
            met = _met(transcript.problem, asked.eval_sets, done)
            if met and asked.exclude_overlap:
                rows = sum(not isinstance(made, LeftOut) for made in form.rows(told))
                done.excluded += 1
            else:
                rows = 0
                for row in _fresh(told, form, duplicates, asked, done):
                    rows += 1
                    _count(row, done)
                    yield row
            for name in met:
                done.overlap[name]["rows"] += rows
            if not rows:
                done.skipped[transcript.outcome.reason or transcript.outcome.status] += 1


def _met(problem: Problem, eval_sets: Sequence[EvalSet], done: Tally) -> list[str]:
    """Names of the evaluation sets that this problem meets."""
    met = []
    for each in eval_sets:
        if meeting := each.meets(problem):
            done.overlap[each.name][meeting] += 1
            met.append(each.name)
    return met


def _fresh(told: Told, form: Format, duplicates: Duplicates, asked: Handling, done: Tally) -> Iterator[Row]:
    """The format's rows of one problem, near-duplicates and what is left out counted."""
    for made in form.rows(told):
        if isinstance(made, LeftOut):
            done.left_out[made.reason] += 1
            continue
        prompt, texts, same = likened(made)
        if repeated := duplicates.repeats(prompt, texts, same):
            done.repeated[repeated] += 1
            if not asked.keep_duplicates:
                continue
        yield made


def likened(row: Row) -> tuple[str, list[str], list[Any]]:
    """A row's prompt, the texts that make it a near-duplicate of another, and what must be equal besides."""
    answers = [each["answer"] for each in row["meta"]["rationales"]]
    if "messages" in row:
        *asked, said = (turn["content"] for turn in row["messages"])
        return "\n".join(asked), [said], answers
    if "completions" in row:
        return row["prompt"], ["\n".join(row["completions"])], []
    texts = [row[name] for name in ("completion", "privileged_context", "chosen", "rejected") if name in row]
    return row["prompt"], texts, [row.get("label"), *answers]


def _count(row: Row, done: Tally) -> None:
    done.rows += 1
    for rationale in row["meta"]["rationales"]:
        done.authors[rationale["author"], rationale["role"]] += 1
    kind = row.get("task", row["meta"].get("origin", row["meta"].get("context")))
    if kind is None and "label" in row:
        kind = "right" if row["label"] else "wrong"
    if kind is not None:
        done.kinds[kind] += 1
