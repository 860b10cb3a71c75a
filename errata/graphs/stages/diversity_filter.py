"""Which rationales of a problem are set aside: too long, or too much like one that stays (MCC-KD)."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from errata.config.base import Settings
from errata.records import Problem, Rationale


class DiversityFilter(Settings):
    """Keep rationales whose n-gram Jaccard similarity to every staying one stays below `max_similarity` (4a.3)."""

    ngram: int = Field(default=3, ge=1)
    max_similarity: float = Field(default=0.8, gt=0, le=1)
    keep: int | None = Field(default=None, ge=1)
    """At most this many per problem."""


NGrams = frozenset[tuple[str, ...]]


def ngrams(text: str, n: int) -> NGrams:
    """The text's word n-grams, case ignored; a shorter text is one gram of its own."""
    words = text.casefold().split()
    return frozenset(tuple(words[start : start + n]) for start in range(max(len(words) - n + 1, 1)))


def jaccard(left: NGrams, right: NGrams) -> float:
    """|A ∩ B| / |A ∪ B|, from 0 to 1; two n-gram sets are never empty."""
    return len(left & right) / len(left | right)


def set_aside(
    problem: Problem, rationales: Iterable[Rationale], max_chars: int | None, diversity: DiversityFilter | None
) -> list[Rationale]:
    """Those that a filter drops, with its name in `dropped`.

    The length limit holds for right and wrong ones; near-duplicates are looked for among the right ones, which are
    gone through in the order given, so that the first of several like ones stays.
    """
    dropped, right = [], []
    for each in rationales:
        if max_chars is not None and len(problem.question) + len(each.text) > max_chars:
            dropped.append(each.model_copy(update={"dropped": "too_long"}))
        elif each.is_right:
            right.append(each)
    return dropped if diversity is None else dropped + _alike(right, diversity)


def _alike(rationales: Iterable[Rationale], limits: DiversityFilter) -> list[Rationale]:
    staying: list[NGrams] = []
    dropped = []
    for each in rationales:
        grams = ngrams(each.text, limits.ngram)
        if any(jaccard(grams, other) >= limits.max_similarity for other in staying):
            dropped.append(each.model_copy(update={"dropped": "near_duplicate"}))
        elif limits.keep is not None and len(staying) >= limits.keep:
            dropped.append(each.model_copy(update={"dropped": "beyond_keep"}))
        else:
            staying.append(grams)
    return dropped
