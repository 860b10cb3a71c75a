"""Near-duplicates: texts that say the same in almost the same words.

Two measures. Everywhere in a data set: equal but for letter case and white space. Among the rows of one prompt from one
transcript: word 3-grams that overlap by nine tenths (Jaccard), answers alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from errata.data.problems import Fingerprints, fingerprint
from errata.graphs.stages.diversity_filter import NGrams, jaccard
from errata.graphs.stages.diversity_filter import ngrams as ngrams_of
from errata.records import canonical

NGRAM, MAX_SIMILARITY = 3, 0.9


@lru_cache(maxsize=256)
def ngrams(text: str) -> NGrams:
    return ngrams_of(text, NGRAM)


def alike(left: NGrams, right: NGrams) -> bool:
    return jaccard(left, right) >= MAX_SIMILARITY


def folded(text: str) -> str:
    return " ".join(text.casefold().split())


class Duplicates:
    """Told row by row, says which repeat an earlier one. At most 50 bytes a row, plus the rows of one problem."""

    def __init__(self) -> None:
        self._fingerprints = Fingerprints()
        self._near: dict[bytes, list[tuple[NGrams, ...]]] = {}

    def next_problem(self) -> None:
        self._near.clear()

    def repeats(self, prompt: str, texts: Sequence[str], same: Any = None) -> Literal["same", "like"] | None:
        """How this row repeats an earlier one of its prompt and `same` (label, answers); None where it is new."""
        key = canonical([folded(prompt), same])
        if (
            self._fingerprints.add(fingerprint(canonical([key.decode(), [folded(text) for text in texts]])), 1)
            is not None
        ):
            return "same"
        grams = tuple(ngrams(text) for text in texts)
        before = self._near.setdefault(key, [])
        if any(all(alike(one, other) for one, other in zip(grams, known, strict=True)) for known in before):
            return "like"
        before.append(grams)
        return None
