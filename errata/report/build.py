"""`errata report RUN [EVAL ...]`: one self-contained HTML file about a run and what was trained on it.

    log --one pass--> funnel, totals, archive     evals --> comparison, changes, items
                              \\                      /
                           sections of figures --Vega-Lite--> SVG --Jinja2--> report.html

Memory: the sums, one block of transcripts, and about 200 bytes per transcript for the index of the page.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from errata import __version__
from errata.config.files import draft_of, open_own
from errata.errors import ErrataError, UsageError
from errata.evals.comparison import Comparison
from errata.evals.results import Eval, evals_of, read_eval
from errata.evals.sources import read_evals
from errata.evidence.in_force import accepted_by
from errata.records import draw as drawn
from errata.records import to_json
from errata.report.audit_link import audit_of
from errata.report.embedded_data import Archive, Index, compact, packed
from errata.report.embedded_items import embed
from errata.report.eval_results import Results, read_results
from errata.report.figures import Chart, Link, Section
from errata.report.log_totals import LogTotals
from errata.report.sections import accuracy, mistakes, reviewers, synthesis, teachers, training_curves
from errata.report.sections.overview import RUN, About, overview
from errata.report.sections.synthesis import RunView
from errata.report.vega_svg import draw, need_vl_convert
from errata.runs.funnel import Funnel
from errata.runs.log_lines import damage_note
from errata.runs.marks import marks_in, with_marks
from errata.runs.progress import worked
from errata.runs.ran_stages import judged_roles
from errata.runs.recipe import SynthRecipe
from errata.runs.run_dir import LogIndex, RunDir, find_run
from errata.runs.saved_recipe import load_saved_recipe
from errata.runs.status import figures
from errata.runs.times import times_in
from errata.runs.transcripts import read_transcripts

MOST_TRANSCRIPTS = 20_000
"""Transcripts in a page. Of a larger log so many are drawn by hash; the figures are of the whole log."""
SAY_EVERY_S = 1.8
SCRIPTS = ("base.js", "blocks.js", "list.js", "texts.js", "transcripts.js", "pairs.js", "items.js", "page.js")
Say = Callable[[str], None]


@dataclass(frozen=True)
class WrittenReport:
    """What was written. `browsable` of `transcripts` can be read in the page."""

    out: Path
    transcripts: int
    browsable: int
    items: int
    bytes: int

    def figures(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "out": str(self.out)}


def write_report(
    run: str | Path,
    evals: Sequence[str | Path] = (),
    out: str | Path | None = None,
    say: Say = lambda _: None,
    comparison: Comparison | None = None,
    first: Sequence[Section] = (),
    about: About = RUN,
) -> WrittenReport:
    """Writes the report of a run to `out`, by default RUN/report.html.

    Args:
        evals: eval directories, JSONL files with `id` and `correct`, other tools' logs; by default all of RUN/evals.
        say: hears what is being done.
        comparison: of the evals, where it is made already: that of a study, with its claims, or of a school's students.
        first: sections that stand before all others; with them RUN may hold neither log nor evals.
        about: what the head says of a study or school.

    Raises UsageError where RUN is no run directory, evals cannot be compared, or the extra `report` is missing.
    """
    need_vl_convert()
    given = comparison is not None or bool(first)
    directory = RunDir(Path(run)) if given else _opened(run, evals)
    target = Path(out) if out is not None else directory.path / "report.html"
    results = Results(comparison) if comparison is not None else None if given else _results(directory, evals)
    index = directory.index()
    with _scratch(target) as blocks, _scratch(target) as more:
        listing = Index(judged_roles(directory.manifest()))
        archive, items = Archive(blocks), Archive(more)
        say(f"reading {len(index):,} transcripts")
        if index.damaged:
            say(damage_note(directory.log, index.damaged))
        view = _read(directory, index, archive, listing, say, target)
        answers = embed(results, items) if results else None
        sections = [*first, *_sections(view, results)]
        drawing = _Drawing(sum(len(figure.charts) for section in sections for figure in section.figures), say)
        page = {
            "overview": overview(view, results, about),
            "sections": [_drawn(section, drawing) for section in sections],
            "provenance": _provenance(view, results),
            "browsable": archive.entries,
            "left_out": len(index) - archive.entries,
        }
        archive.close()
        items.close()
        data = [_data("transcripts", listing.columns(), archive)]
        if answers:
            data.append(_data("items", answers, items))
        size = _write(target, page, data)
    return WrittenReport(target, len(index), archive.entries, items.entries, size)


def _opened(run: str | Path, evals: Sequence[str | Path]) -> RunDir:
    """The run directory; one that holds evals and nothing else is reported, too, as is one named beside evals."""
    if Path(run).is_dir() and (evals or evals_of(run)):
        return RunDir(Path(run))
    return find_run(run)


def _results(run: RunDir, evals: Sequence[str | Path]) -> Results | None:
    """The evals, compared: those named, else all finished ones of the run. UsageError where they do not match."""
    if evals:
        named, notes = read_evals(evals)
        results = read_results(named)
        return Results(results.comparison, (*notes, *results.notes))
    read = [read_eval(path) for path in evals_of(run.path)]
    finished = [each for each in read if each.manifest.status == "finished"]
    if not finished:
        return None
    try:
        results = read_results(finished)
    except UsageError as error:
        do = f"name those that belong together: errata report {run.path} EVAL ..."
        raise UsageError(error.found, error.why, do) from error
    running = ", ".join(each.name for each in read if each.manifest.status != "finished")
    return results.with_note(f"not finished, and left out: {running}") if running else results


def _scratch(target: Path) -> IO[bytes]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=target.parent)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror or error}", "the report goes there", "choose another: --out"
        ) from error


# ---- reading ---------------------------------------------------------------------------------------------------------


def _read(run: RunDir, index: LogIndex, archive: Archive, listing: Index, say: Say, target: Path) -> RunView:
    """One pass over the last lines of the log, in input order."""
    last_notice = time.monotonic()
    manifest, recipe = run.manifest(), _recipe(run)
    funnel, totals = Funnel(judged_roles(manifest)), LogTotals(judged_roles(manifest))
    limit = MOST_TRANSCRIPTS / len(index) if len(index) > MOST_TRANSCRIPTS else 1.0
    for number, transcript in enumerate(with_marks(read_transcripts(run.log, index.in_input_order()), marks_in(run))):
        if time.monotonic() > last_notice + SAY_EVERY_S:
            last_notice = time.monotonic()
            say(f"{number:,} of {len(index):,} transcripts read")
        try:
            funnel.add(transcript)
            totals.add(transcript)
            chosen = limit == 1.0 or drawn("report", transcript.problem.id) < limit
            if chosen and archive.add(compact(transcript)):
                listing.add(transcript)
        except (KeyError, IndexError, ValueError, OverflowError) as error:
            raise UsageError(
                f"{run.log}: the transcript of {transcript.problem.id} contradicts itself: {error!r}",
                "it names a rationale or a place that it does not hold",
                "restore the line, or run the problem again in a new run",
            ) from error
    name = str(manifest.get("name") or (recipe.name if recipe else run.path.resolve().name))
    facts = {**figures(run, index, funnel), "accepted_by": accepted_by(run), "audit": audit_of(run, target)}
    return RunView(name, facts, totals, recipe, manifest)


def _recipe(run: RunDir) -> SynthRecipe | None:
    """None where the recipe is missing or of another version: the figures do without it."""
    try:
        return load_saved_recipe(run.recipe)
    except ErrataError:
        return None


def _sections(view: RunView, results: Results | None) -> list[Section]:
    sections = [
        accuracy.section(results) if results else None,
        synthesis.section(view) if view.status["problems"]["total"] or not results else None,
        reviewers.section(view),
        teachers.section(view),
        mistakes.section(view),
        mistakes.pairs(view),
        training_curves.section(results.evals) if results else None,
    ]
    return [section for section in sections if section]


class _Drawing:
    """Draws charts, and says how far it is."""

    def __init__(self, charts: int, say: Say) -> None:
        self.charts, self.say = charts, say
        self.done, self.last_notice = 0, time.monotonic()
        say(f"drawing {charts} charts")

    def __call__(self, chart: Chart, own: str) -> Markup:
        if time.monotonic() > self.last_notice + SAY_EVERY_S:
            self.last_notice = time.monotonic()
            self.say(f"{self.done:,} of {self.charts:,} charts drawn")
        self.done += 1
        return draw(chart.spec, own)


def _drawn(section: Section, drawing: _Drawing) -> dict[str, Any]:
    """The section with its charts as SVG."""
    drawn_figures = [
        {
            "figure": figure,
            "id": f"{section.id}-{place}",
            "charts": [
                (chart, drawing(chart, f"{section.id}{place}{number}")) for number, chart in enumerate(figure.charts)
            ],
        }
        for place, figure in enumerate(section.figures, 1)
    ]
    return {"section": section, "figures": drawn_figures}


def _provenance(view: RunView, results: Results | None) -> dict[str, Any]:
    manifest = view.manifest
    models = manifest.get("agents", {})
    return {
        "models": models if isinstance(models, dict) else {},
        "versions": manifest.get("versions", {}),
        "code": _own_code([manifest, *(each.manifest.model_dump() for each in (results.evals if results else ()))]),
        "prompts": manifest.get("prompts", {}),
        "sent": sorted(view.totals.sent.items()),
        "seed": manifest.get("seed"),
        "licence": manifest.get("licence"),
        "git": (manifest.get("git") or {}).get("commit"),
        "evals": [(each.name, each.manifest, _worked(each)) for each in results.evals] if results else [],
        "notes": [
            *(view.status["notes"] if view.status["problems"]["total"] else ()),
            *(results.notes if results else ()),
        ],
    }


def _worked(evaluated: Eval) -> str | None:
    times = times_in({"times": evaluated.manifest.times})
    return worked(times) if times else None


def _own_code(manifests: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """The hash of each file of one's own code that the run or an eval was made with, by the part's name."""
    stated = [code for manifest in manifests if isinstance(code := manifest.get("code"), dict)]
    return {name: each.get("sha256") for code in stated for name, each in code.items() if isinstance(each, dict)}


# ---- the page --------------------------------------------------------------------------------------------------------


def _data(name: str, index: dict[str, Any], archive: Archive) -> dict[str, Any]:
    packed_index = packed(to_json(index | {"blocks": archive.blocks})).decode("ascii")
    return {"name": name, "index": packed_index, "blocks": archive.read()}


def _text(name: str) -> str:
    return files("errata.report").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Link):
        return Markup('<a href="{}">{}</a>').format(value.href, value.name)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _settings(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _write(target: Path, page: dict[str, Any], data: list[dict[str, Any]]) -> int:
    """Streams the page into place; a reader sees the old file or the whole new one. Returns its size in bytes."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(cell=_cell, settings=_settings)
    style = _text("report.css")
    script = '"use strict";\n(() => {\n' + "\n".join(_text(name) for name in SCRIPTS) + "\n})();\n"
    template = environment.from_string(_text("report.html"))
    pieces = template.generate(
        **page,
        data=data,
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    draft = draft_of(target)
    try:
        opened = open_own(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(opened, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            for piece in pieces:
                file.write(piece)
        size = draft.stat().st_size
        draft.replace(target)
    except OSError as error:
        raise ErrataError(f"{target} cannot be written: {error.strerror or error}", do="make room, or --out") from error
    finally:
        draft.unlink(missing_ok=True)
    return size
