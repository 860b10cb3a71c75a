"""The export formats that are shipped, and how a format is chosen: by name, as a value, or in a file of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from errata.config.code import Code, Loader, code_of, is_reference
from errata.errors import UsageError, did_you_mean
from errata.exports.correct_rows import MAPD, MCC_KD, MESSAGES, SFT
from errata.exports.format import Format
from errata.exports.labeled_rows import KTO, NAT, RANKER
from errata.exports.pair_rows import DPO, EDIT, PRIVILEGED
from errata.exports.problem_rows import GRPO
from errata.exports.step_rows import STEPWISE
from errata.exports.transcript_view import ALL, Options

FORMATS: tuple[Format, ...] = (SFT, MESSAGES, MAPD, EDIT, MCC_KD, NAT, KTO, RANKER, DPO, PRIVILEGED, GRPO, STEPWISE)


def format_of(choice: str | Format, loader: Loader | None = None, formats: Sequence[Format] = FORMATS) -> Format:
    """The format that a person chose: a value, a name, or `my_format.py:FORMAT`.

    Args:
        loader: loads a format of one's own; by default from anywhere, as a person names it on the command line.

    Raises:
        UsageError: no such format, with the nearest name; a reference to something else.
    """
    if isinstance(choice, Format):
        return choice
    for each in formats:
        if each.name == choice:
            return each
    if is_reference(choice):
        loader = loader or Loader(Path.cwd(), anywhere=True)
        return loader.load_value(choice, Format, "FORMAT = Format(name=..., rows=..., ...)")
    names = [each.name for each in formats]
    raise UsageError(
        f"no format is called {choice}",
        f"the formats are {', '.join(names)}; one's own is written my_format.py:FORMAT",
        did_you_mean(choice, names, "name one of them"),
    )


def own_code(form: Format, formats: Sequence[Format] = FORMATS) -> dict[str, Code]:
    """The file of a format of one's own with its hash, by the format's name; nothing for a shipped one."""
    return {} if form in formats else {form.name: code_of(form.rows)}


_OPTIONS = tuple(each.name for each in fields(Options) if each.name not in ("roles", "authors"))
"""All but those that every format takes."""


def check_options(form: Format, options: Options, formats: Sequence[Format] = FORMATS) -> None:
    """Raises UsageError where an option is set that changes nothing in the format."""
    for option in _OPTIONS:
        if getattr(options, option) != getattr(ALL, option) and option not in form.options:
            others = ", ".join(each.name for each in formats if option in each.options)
            raise UsageError(
                f"--{option.replace('_', '-')} with --format {form.name}",
                "it would change no row",
                f"leave it out, or choose one of {others}",
            )
    if "wrong_from" in form.options and options.wrong_from == "start":
        _refuse_idle_probability(options)


def _refuse_idle_probability(options: Options) -> None:
    if options.min_step_probability != ALL.min_step_probability:
        raise UsageError(
            "--min-step-probability without --wrong-from first_wrong_step",
            "it would change no row",
            "add it, or leave both out",
        )


def check_columns(
    place: str, columns: Iterable[str], form: Format, *, stated: bool, formats: Sequence[Format] = FORMATS
) -> None:
    """Raises UsageError for a row whose columns are those of another format, with its name.

    Args:
        columns: the names of the row's columns.
        stated: the format was stated for this data, and not taken for granted by the method: further columns are then
            of no meaning, as in data sets from elsewhere.
    """
    here, needed = set(columns), set(form.reads)
    if needed <= here and stated:
        return
    fits = [each for each in formats if set(each.reads) <= here and set(each.reads) != needed]
    if needed <= here:
        fits = [each for each in fits if set(each.reads) > needed]
    if not fits:
        return  # what is missing is said where it is read
    most = max(fits, key=lambda each: len(each.reads))
    raise UsageError(
        f"{place}: its columns are those of the format {most.name}, and {form.name} is read",
        f"{form.name} reads {', '.join(form.reads)}",
        f"state the data's format: --dataset_format {most.name}"
        + (
            f"; or {form.name}, if `{'`, `'.join(sorted(set(most.reads) - needed))}` is of no meaning"
            if needed <= here
            else ""
        ),
    )
