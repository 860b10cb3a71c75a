"""An objective from a method's settings, or from the list of `terms` of a combination.

terms:
  - {kind: mapd, lambda: 1.0, alpha: 0.5}
  - {kind: edit, lambda: 0.5, data: runs/other}
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from errata.config.base import Settings
from errata.errors import UsageError
from errata.training import objective
from errata.training.align import AlignMode
from errata.training.encode import Kind
from errata.training.objective import Objective, Term
from errata.training.terms import Consistency, Likelihood


class Entry(Settings):
    """One part of a combination; `data` are the rows it reads, by default the command's."""

    model_config = ConfigDict(populate_by_name=True)

    scale: float = Field(default=1.0, ge=0, alias="lambda")
    data: list[str] | None = None

    def terms(self) -> tuple[Term, ...]:
        raise NotImplementedError


class SftEntry(Entry):
    kind: Literal["sft"]

    def terms(self) -> tuple[Term, ...]:
        return objective.sft()


class MapdEntry(Entry):
    kind: Literal["mapd"]
    alpha: float = Field(default=0.5, ge=0, le=1)

    def terms(self) -> tuple[Term, ...]:
        return objective.mapd(self.alpha)


class EditEntry(Entry):
    kind: Literal["edit"]
    alpha: float = 1.0
    beta: float = 0.025
    gamma: float = 0.0
    bounded: bool = False
    align: AlignMode = "edit"

    def terms(self) -> tuple[Term, ...]:
        return objective.edit(self.alpha, self.beta, self.gamma, self.bounded)


class MccKdEntry(Entry):
    kind: Literal["mcc-kd", "mcc_kd"]
    alpha: float = 0.1
    temperature: float = 1.0
    pairs: int | None = 1
    reads: tuple[Kind, ...] = ("right",)
    """Whose answers are compared; anything but right rationales is refused."""

    def terms(self) -> tuple[Term, ...]:
        compared = Consistency(weight=self.alpha, temperature=self.temperature, pairs=self.pairs, reads=self.reads)
        return Likelihood(), compared


class UnlearnEntry(Entry):
    kind: Literal["nt", "ul"]
    strength: float = Field(default=0.05, ge=0)

    def terms(self) -> tuple[Term, ...]:
        make = objective.negative_training if self.kind == "nt" else objective.unlikelihood
        return make(self.strength)


AnyEntry = SftEntry | MapdEntry | EditEntry | MccKdEntry | UnlearnEntry
FORMAT_OF = {
    "sft": "sft",
    "mapd": "mapd",
    "edit": "edit",
    "mcc-kd": "mcc-kd",
    "mcc_kd": "mcc-kd",
    "nt": "nat",
    "ul": "nat",
}
_ENTRIES: TypeAdapter[list[AnyEntry]] = TypeAdapter(list[Annotated[AnyEntry, Field(discriminator="kind")]])


def parse_entries(entries: Sequence[Any]) -> list[AnyEntry]:
    """The `terms` of a config. Raises UsageError naming the entry."""
    try:
        return _ENTRIES.validate_python([_listed(entry) for entry in entries])
    except ValidationError as error:
        raise settings_error(error, "terms.") from error


def _listed(entry: Any) -> Any:
    if isinstance(entry, dict) and isinstance(entry.get("data"), str):
        return {**entry, "data": [entry["data"]]}
    return entry


def combine(entries: Sequence[AnyEntry]) -> Objective:
    """All entries' terms, each times its lambda.

    MCC-KD, NT and UL bring plain distillation with them; where another entry brings it too, it is there once, with the
    weight that sft or mapd, else the first entry, gives it.
    """
    first = sorted(range(len(entries)), key=lambda i: (entries[i].kind not in ("sft", "mapd"), i))
    told: dict[str, Term] = {}
    for entry in (entries[i] for i in first):
        own = entry.kind in ("sft", "mapd")
        for term in entry.terms():
            name = term.parts()[0].name
            if name in told and not own and isinstance(term, Likelihood) and term.reads == ("right",):
                continue
            if name in told:
                raise UsageError(
                    f"terms: {entry.kind} and another entry both bring {name}",
                    "their shares could not be told apart",
                    "merge them into one with the sum of their lambdas",
                )
            told[name] = term.model_copy(update={"weight": term.weight * entry.scale})
    return Objective(tuple(told.values()))


def settings_error(error: ValidationError, prefix: str = "") -> UsageError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    do = "see `errata train METHOD --help`"
    if first["type"] == "extra_forbidden":
        known = sorted({name for entry in get_args(AnyEntry) for name in entry.model_fields} | {"lambda"})
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        do = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    found = first["msg"].removeprefix("Value error, ")
    return UsageError(
        f"{prefix}{place}: {found}" if place else f"{prefix}{found}", "the objective cannot be built from it", do
    )


def method_objective(method: str, args: Any) -> Objective:
    """The method's own objective with its control."""
    try:
        return Objective(_terms(method, args))
    except ValidationError as error:
        raise settings_error(error) from error


def _terms(method: str, args: Any) -> tuple[Term, ...]:
    if getattr(args, "control", "none") == "repeat_sft":
        return objective.sft()
    match method:
        case "mapd":
            if not 0 <= args.alpha <= 1:
                raise UsageError(f"alpha {args.alpha}", "it is a share", "set it between 0 and 1")
            return objective.mapd(args.alpha)
        case "edit":
            return objective.edit(args.alpha, args.beta, args.gamma, args.bounded)
        case "mcc-kd":
            alpha = 0.0 if args.control == "alpha_zero" else args.alpha
            return objective.mcc_kd(alpha, args.temperature, args.pairs)
        case "nce":
            return objective.nce(args.a, args.temperature, calibrate=args.control != "weights_one")
        case "nat":
            return _nat_terms(args)
    return objective.sft()


def _nat_terms(args: Any) -> tuple[Term, ...]:
    match args.variant:
        case "mix":
            return objective.mix()
        case "nt":
            return objective.negative_training(args.strength)
        case "ul":
            return objective.unlikelihood(args.strength)
    return objective.sft()
