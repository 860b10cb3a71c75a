"""NAT's baselines, which learn wrong rationales in the same weights as right ones, or push them down.

MIX learns them as right ones, NT (negative training) lowers their likelihood, UL raises their unlikelihood (arXiv
2312.12832, section on baselines).
"""

from __future__ import annotations

from dataclasses import dataclass

from errata.errors import UsageError
from errata.exports.labeled_rows import NAT as FORMAT
from errata.training.arguments import option
from errata.training.method import Knobs, Method
from errata.training.terms import Likelihood, Term


@dataclass(frozen=True)
class UnlearnKnobs(Knobs):
    strength: float = option(0.05, "Of nt and ul: the weight of wrong rationales.")


def mix() -> tuple[Term, ...]:
    """The baseline MIX of NAT's paper: wrong rationales learned as right ones."""
    return (Likelihood(reads=("right", "wrong")),)


def negative_training(knobs: UnlearnKnobs) -> tuple[Term, ...]:
    """The baseline NT of NAT's paper."""
    return Likelihood(), Likelihood(weight=-_strength(knobs), reads=("wrong",))


def unlikelihood(knobs: UnlearnKnobs) -> tuple[Term, ...]:
    """The baseline UL of NAT's paper."""
    return Likelihood(), Likelihood(weight=_strength(knobs), reads=("wrong",), form="unlikelihood")


def _strength(knobs: UnlearnKnobs) -> float:
    if knobs.strength < 0:
        raise UsageError(f"strength {knobs.strength}", "wrong rationales are pushed down by it", "set it to 0 or more")
    return knobs.strength


NT = Method(
    name="nt",
    help="Negative training, a baseline of NAT's paper.",
    format=FORMAT,
    terms=negative_training,
    knobs=UnlearnKnobs,
)
UL = Method(
    name="ul",
    help="Unlikelihood, a baseline of NAT's paper.",
    format=FORMAT,
    terms=unlikelihood,
    knobs=UnlearnKnobs,
)
