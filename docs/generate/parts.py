"""What pages are filled with when the site is built: a page says `<!-- generate: NAME -->`, PARTS[NAME] writes it."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from docs.generate.notebook import page_of
from docs.generate.tables import default_text, fields_of, model_section, table
from errata import _HOME
from errata.cli import cli
from errata.cli_examples import EXAMPLES
from errata.schema import KINDS, models_in, recipe_class

DOCS = Path(__file__).parents[1]
RECIPES = DOCS.parent / "recipes" / "train"


def recipe_keys() -> str:
    """A section per settings class, those of several recipes once."""
    sections, known = [], set()
    for kind in KINDS:
        outer, *inner = models_in(recipe_class(kind))
        sections.append(f"## Keys of `errata {kind}`")
        sections.append(fields_of(outer))
        for model in inner:
            if model.__name__ not in known:
                known.add(model.__name__)
                sections.append(model_section(model))
    return "\n\n".join(sections)


def records() -> str:
    """Every record of the log with its fields."""
    from errata.records import Transcript

    return "\n\n".join(model_section(model) for model in models_in(Transcript))


@cache
def classroom_run() -> Path:
    """A run of the starter recipe and the stage locate on the simulated teachers, in a folder of this build."""
    from errata.api import synthesize
    from errata.starter import write_starter

    folder = Path(tempfile.mkdtemp(prefix="errata-docs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_starter(folder)
    places = [f"runs={folder / 'runs'}", f"problems.source={folder / 'problems.jsonl'}", "name=recipe"]
    stages = "stages=[exam,rationales,peer_review,mistake_explanation,dual_cot,locate]"
    return synthesize(folder / "recipe.yaml", [*places, stages]).run


def transcript() -> str:
    """The shortest line of that run."""
    log = (classroom_run() / "transcripts.jsonl").read_text(encoding="utf-8")
    return _json(json.loads(min(log.splitlines(), key=len)))


def export_rows() -> str:
    """Of every format what it takes, its columns, and its first row of that run; of stepwise one with a wrong step."""
    from errata.api import export
    from errata.exports.formats import FORMATS

    run, sections = classroom_run(), []
    for form in FORMATS:
        out = run.parent / f"{form.name}.jsonl"
        export([run], form.name, out)
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        row = next((each for each in rows if False in each.get("labels", ())), rows[0])
        columns = table(["column", "what is in it"], [[f"`{name}`", text] for name, text in form.columns.items()])
        sections += [f"### {form.name}", f"It takes {form.takes}.", columns, _json(row)]
    return "\n\n".join(sections)


def figure_of(method: str) -> str:
    """What a method came to on the embedded student, as the header of its recipe has it."""
    recipe = RECIPES / f"{method.replace('-', '_')}.yaml"
    lines = re.search(r"^# figure: +(.*(?:\n# +.*)*)", recipe.read_text(encoding="utf-8"), re.MULTILINE)
    if lines is None:
        raise ValueError(f"the header of {recipe} has no figure")
    sentence = re.sub(r"\n# +", " ", lines[1])
    return f"{sentence} (`recipes/train/{recipe.name}`)."


def methods() -> str:
    """Of every training method its source, what differs from it, the figure reached, its knobs and its controls."""
    from errata.training.methods.shipped import METHODS

    sections = []
    for method in METHODS:
        module = import_module((method.run or method.flags_class).__module__)
        knobs = [
            [f"`--{each.name}`", default_text(each.default), each.metadata.get("help", "")]
            for each in fields(method.flags_class)
        ]
        sections += [f"### {method.name}", cleandoc(module.__doc__ or "")]
        sections.append(f"Source: {method.paper or 'none'}. It reads the format `{method.format.name}`.")
        sections.append(f"Figure reached: {figure_of(method.name)}")
        if knobs:
            sections.append(table(["flag", "default", "what it sets"], knobs))
        if method.controls:
            controls = [[f"`--control {each.name}`", each.help] for each in method.controls]
            sections.append(table(["control", "what it is"], controls))
    return "\n\n".join(sections)


def commands() -> str:
    """Every verb with its usage, help and options."""
    sections = []
    for name, command in cli.commands.items():
        context = click.Context(command, info_name=f"errata {name}", help_option_names=["-h", "--help"])
        usage = " ".join(command.collect_usage_pieces(context))
        options = [each for each in command.params if isinstance(each, click.Option)]
        rows = [[f"`{', '.join(each.opts)}`", (each.get_help_record(context) or ("", ""))[1]] for each in options]
        about = cleandoc(command.help or "").replace("\b\n", "")
        examples = "\n".join(EXAMPLES[name])
        sections += [f"## errata {name}", f"```\nerrata {name} {usage}\n```", about, table(["option", ""], rows)]
        sections.append(f"```bash\n{examples}\n```")
        if isinstance(command, click.Group):
            names = ((each, command.get_command(context, each)) for each in command.list_commands(context))
            rows = [[f"`{each}`", part.get_short_help_str(200) if part else ""] for each, part in names]
            sections.append(table(["method", ""], rows))
    return "\n\n".join(sections)


def notebook() -> str:
    """docs/own_data.ipynb, as it was last run."""
    return page_of(json.loads((DOCS / "own_data.ipynb").read_text(encoding="utf-8")))


def names() -> str:
    """What `errata` itself exports, as mkdocstrings reads it."""
    return "\n\n".join(f"::: {home}.{name}" for name, home in _HOME.items())


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, indent=1, ensure_ascii=False)}\n```"


PARTS: dict[str, Callable[[], str]] = {
    each.__name__: each for each in (recipe_keys, records, transcript, export_rows, methods, commands, notebook, names)
}
