"""A combination: the terms of several methods on the same rows, as the list `terms` of a config says.

terms:
  - {kind: mapd, lambda: 1.0, alpha: 0.5}
  - {kind: edit, lambda: 0.5, data: runs/other}
  - {kind: my_method.py:METHOD, lambda: 0.5}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from errata.config.base import Settings
from errata.config.code import Loader
from errata.config.yaml_file import parse_yaml
from errata.errors import UsageError, did_you_mean
from errata.exports.format import Format
from errata.exports.formats import format_of
from errata.training.method import AnyMethod, Knobs, knob_names, method_of
from errata.training.objective import Objective
from errata.training.terms import Likelihood, Term


class EntryKeys(Settings):
    """The keys of an entry beside its method's knobs; `data` are the rows it reads, by default the command's."""

    model_config = ConfigDict(populate_by_name=True)

    kind: str
    scale: float = Field(default=1.0, ge=0, alias="lambda")
    data: list[str] | None = None
    format: str | None = None
    """Of `data` that was made for another method."""


@dataclass(frozen=True)
class Entry:
    """One part of a combination."""

    keys: EntryKeys
    method: AnyMethod
    knobs: Knobs
    form: Format | None
    """The format that `data` is stated to have."""

    def terms(self) -> tuple[Term, ...]:
        """The method's terms with its knobs, before lambda."""
        terms: tuple[Term, ...] = self.method.terms(self.knobs)
        return terms


def parse_entries(entries: Sequence[Any], kinds: Sequence[AnyMethod], loader: Loader) -> list[Entry]:
    """The `terms` of a config, or of the command line, where each is a YAML mapping in quotes.

    Raises UsageError naming the entry.
    """
    read = [parse_yaml(entry, "--terms") if isinstance(entry, str) else entry for entry in entries]
    return [_entry(f"terms.{place}", entry, kinds, loader) for place, entry in enumerate(read)]


def _entry(place: str, entry: Any, kinds: Sequence[AnyMethod], loader: Loader) -> Entry:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kind"), str):
        raise UsageError(
            f"{place}: {str(entry)[:200]}", "an entry is a mapping with a kind", "e.g. {kind: edit, lambda: 0.5}"
        )
    try:
        method = method_of(entry["kind"], loader, kinds, "kind of terms")
    except UsageError as error:
        raise UsageError(f"{place}: {error.found}", error.why, error.do) from error
    own = knob_names(method.knobs)
    names = [*own, *(each.alias or name for name, each in EntryKeys.model_fields.items())]
    for key in entry:
        if key not in names:
            do = did_you_mean(str(key), names, f"known are {', '.join(sorted(names))}")
            raise UsageError(f"{place}.{key} is not known", "it would have no effect", do)
    rest = {key: value for key, value in entry.items() if key not in own}
    if isinstance(rest.get("data"), str):
        rest["data"] = [rest["data"]]
    try:
        keys = EntryKeys.model_validate(rest)
        knobs: Knobs = TypeAdapter(method.knobs).validate_python({key: entry[key] for key in own if key in entry})
    except ValidationError as error:
        raise settings_error(error, f"{place}.") from error
    return Entry(keys, method, knobs, format_of(keys.format, loader) if keys.format else None)


def combine(entries: Sequence[Entry]) -> Objective:
    """All entries' terms, each times its lambda.

    MCC-KD, NT and UL bring plain distillation with them, and one's own method may; where another entry brings it too,
    it is there once, with the weight that sft or mapd, else the first entry, gives it; MCC-KD's `per_rationale`, which
    would have no effect then, is refused. Raises UsageError.
    """
    first = sorted(range(len(entries)), key=lambda place: (entries[place].method.gives_way, place))
    terms: dict[str, Term] = {}
    for entry in (entries[place] for place in first):
        for term in entry_terms(entry):
            name = term.parts()[0].name
            if name in terms and entry.method.gives_way and _plain(term):
                continue
            if name in terms:
                raise UsageError(
                    f"terms: {entry.keys.kind} and another entry both bring {name}",
                    "their shares could not be told apart",
                    "merge them into one with the sum of their lambdas",
                )
            terms[name] = term.model_copy(update={"weight": term.weight * entry.keys.scale})
    return Objective(tuple(terms.values()))


def _plain(term: Term) -> bool:
    """Distillation that another entry's can stand for, whatever its weight."""
    return isinstance(term, Likelihood) and term.reads == ("right",) and not term.per_sequence


def entry_terms(entry: Entry) -> tuple[Term, ...]:
    """An entry's terms. Raises UsageError where its knobs cannot make them."""
    try:
        return entry.terms()
    except ValidationError as error:
        raise settings_error(error, f"terms: {entry.keys.kind}: ") from error


def method_terms(method: AnyMethod, knobs: Knobs) -> tuple[Term, ...]:
    """A method's own terms. Raises UsageError where its knobs cannot make them."""
    try:
        terms: tuple[Term, ...] = method.terms(knobs)
    except ValidationError as error:
        raise settings_error(error) from error
    return terms


def settings_error(error: ValidationError, prefix: str = "") -> UsageError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return UsageError(
        f"{prefix}{place}: {message}" if place else f"{prefix}{message}",
        "the objective cannot be built from it",
        "see `errata train METHOD --help`",
    )
