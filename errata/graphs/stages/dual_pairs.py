"""Dual chains of thought: which rewrites are wanted, and which right and wrong rationales make a pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from errata.agents.demonstration import Demonstration
from errata.config.base import Settings
from errata.graphs.estimated import as_agreed
from errata.graphs.stages.parroting import parroting
from errata.graphs.stages.word_diff import LONGEST, align
from errata.graphs.state import State, mistakes_of, rationales_of
from errata.llm.spec import Sampling
from errata.records import Origin, Pair, Rationale, digest


class DualCotSettings(Settings):
    """Dual CoTs (methods.md 3a): rectify wrong rationales given the answer (AHP), corrupt right ones (CCP)."""

    rectify: bool = True
    corrupt: bool = True
    student: bool = True
    """Rectify the student's wrong rationales as well as the teachers'."""
    band: tuple[float, float] = (0.0, 0.5)
    """Edit ratio allowed for a pair, both ends included; the sides must differ.

    Of 75 dual pairs released with EDIT (the demonstrations of its CCP prompts) 92 % lie in this one, at a median of
    0.15, and all rewrites of the classroom; of two texts about different problems of MATH or SVAMP 0 to 0.2 %.
    """
    tries: int = Field(default=2, ge=1)
    """Rewrites asked for until one flips the answer, falls in the band and is no copy of a demonstration."""
    max_per_problem: int | None = Field(default=None, ge=1)
    """Rewrite at most this many rationales per problem and direction."""
    demonstrations: tuple[Demonstration, ...] | None = None
    """Shown to both rewrites; by default the run's own natural pairs, else the shipped ones. One that asks the very
    question at hand is not shown."""
    shots: int = Field(default=3, ge=0)
    warmup: int = Field(default=0, ge=0)
    """The first problems, in input order, whose natural pairs serve the others as demonstrations; 0: shipped ones."""
    review: bool | None = None
    """The panel also reviews the rectified rationales; by default where one has sat, in peer_review, before."""
    sampling: Sampling = Sampling()

    @model_validator(mode="after")
    def _band_is_ordered(self) -> Self:
        if not 0 <= self.band[0] <= self.band[1] <= 1:
            raise ValueError(f"band {list(self.band)}: two shares between 0 and 1, the lower first")
        return self


Band = tuple[float, float]
REWRITES = ("rectified", "corrupted")
"""Roles of what is written from another rationale, with demonstrations shown."""


class Rewrite(NamedTuple):
    """One rewrite to ask for; `round` counts those asked of the same rationale before."""

    verb: Literal["rectify", "corrupt"]
    source: Rationale
    round: int


def sources(state: State, settings: DualCotSettings) -> list[tuple[Literal["rectify", "corrupt"], Rationale]]:
    """What there is to rewrite: the wrong to rectify, the right (and, where a panel sat, accepted) to corrupt.

    A rationale without a readable end, cut off or over LONGEST has no dual; of equal texts by one author the first
    counts.
    """
    teachers = rationales_of(state, "teacher")
    wrong = [each for each in teachers if each.is_right is False] + (mistakes_of(state) if settings.student else [])
    right = [
        each for each in rationales_of(state, "teacher", "revised") if each.is_right and each.accepted is not False
    ]
    if as_agreed(state["problem"], list(state.get("rationales", {}).values())) is None:
        wrong = []  # there is no answer to rectify towards
    rectified = _distinct(wrong)[: settings.max_per_problem] if settings.rectify else []
    corrupted = _distinct(right)[: settings.max_per_problem] if settings.corrupt else []
    return [("rectify", each) for each in rectified] + [("corrupt", each) for each in corrupted]


def rewrites_of(state: State, settings: DualCotSettings) -> list[Rewrite]:
    """The rewrites still to ask for: no pair in the band yet, tries left, none lost to the provider."""
    paired = {parent for pair in state.get("pairs", {}).values() if pair.in_band for parent in _rewritten(pair)}
    rewrites = []
    for verb, source in sources(state, settings):
        calls = [call for call in state.get("calls", {}).values() if call.verb == verb and call.about == source.id]
        rounds = len({call.sample for call in calls})
        if source.id not in paired and rounds < settings.tries and all(call.failure is None for call in calls):
            rewrites.append(Rewrite(verb, source, rounds))
    return rewrites


def copies(state: State, demonstrations: Sequence[Demonstration]) -> list[Rationale]:
    """The rewrites that are none, with the reason in `dropped`: they parrot what they were shown."""
    dropped = []
    for each in rationales_of(state, *REWRITES):
        source = state["rationales"].get(each.parent_id or "")
        if source and (why := parroting(state["problem"], source, each, demonstrations)):
            dropped.append(each.model_copy(update={"dropped": why}))
    return dropped


def rewritten_pairs(state: State, band: Band) -> list[Pair]:
    """Each rewrite that flipped its source's answer, with its source."""
    pairs = []
    for each in state.get("rationales", {}).values():
        if each.role not in REWRITES or each.parent_id is None or each.dropped or not _whole(each):
            continue
        source = state["rationales"][each.parent_id]
        if each.role == "rectified" and each.is_right is True:
            pairs.append(pair_of(each, source, "student" if source.role == "student" else "rectified", band))
        elif each.role == "corrupted" and each.is_right is False:
            pairs.append(pair_of(source, each, "corrupted", band))
    return pairs


def natural_pairs(state: State, settings: DualCotSettings) -> list[Pair]:
    """For each author with a right and a wrong rationale of the problem, the two that are least apart."""
    of_author: dict[str, list[Rationale]] = {}
    for each in rationales_of(state, "teacher", *(("student",) if settings.student else ())):
        of_author.setdefault(each.author, []).append(each)
    return [
        min(
            (pair_of(right, wrong, "natural", settings.band) for right, wrong in both),
            key=lambda pair: (pair.edit_ratio, pair.id),
        )
        for rationales in of_author.values()
        if (both := _right_and_wrong(rationales))
    ]


def _right_and_wrong(rationales: Iterable[Rationale]) -> list[tuple[Rationale, Rationale]]:
    whole = _distinct(rationales)
    return [(right, wrong) for right in whole if right.is_right for wrong in whole if wrong.is_right is False]


def pair_of(right: Rationale, wrong: Rationale, origin: Origin, band: Band) -> Pair:
    aligned = align(right.text, wrong.text)
    return Pair(
        id=digest("pair", right.problem_id, right.id, wrong.id, origin),
        right=right.id,
        wrong=wrong.id,
        origin=origin,
        edit_ratio=aligned.ratio,
        in_band=aligned.ratio > 0 and band[0] <= aligned.ratio <= band[1],
        right_spans=aligned.left_spans,
        wrong_spans=aligned.right_spans,
    )


def _rewritten(pair: Pair) -> set[str]:
    """The rewritten rationale behind a pair of a rewrite; none for a natural pair."""
    if pair.origin == "natural":
        return set()
    return {pair.right if pair.origin == "corrupted" else pair.wrong}


def _whole(each: Rationale) -> bool:
    return each.answer is not None and not each.truncated and len(each.text) <= LONGEST


def _distinct(rationales: Iterable[Rationale]) -> list[Rationale]:
    first: dict[tuple[str, str], Rationale] = {}
    for each in rationales:
        if _whole(each):
            first.setdefault((each.author, each.text), each)
    return list(first.values())
