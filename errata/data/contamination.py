"""Do a data set's questions stand in an evaluation set? Two measures, on questions with their options.

question   equal but for letter case, white space and punctuation, options in any order
ngram      a run of 13 words in common; a text shorter than that counts as one run
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from errata.data.mappings import READY
from errata.data.problems import Problems, fingerprint, normalised, overlap_key
from errata.data.source import ProblemSource
from errata.errors import UsageError, did_you_mean
from errata.records import Problem

WORDS = 13
Meeting = Literal["question", "ngram"]


class EvalSet:
    """An evaluation set as sorted 64-bit hashes: 8 bytes per question and per 13-gram. `name` is for messages."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        questions, grams = array("Q"), array("Q")
        for problem in problems:
            questions.append(fingerprint(overlap_key(problem)))
            grams.extend(_grams(problem))
        self.size = len(questions)
        self._questions, self._grams = _sorted(questions), _sorted(grams)

    def meets(self, problem: Problem) -> Meeting | None:
        """How the problem's question stands in this set; None where it does not."""
        if _any_of(self._questions, [fingerprint(overlap_key(problem))]):
            return "question"
        return "ngram" if _any_of(self._grams, list(_grams(problem))) else None


def load_eval_set(source: ProblemSource) -> EvalSet:
    """Raises UsageError where the source cannot be read."""
    name = ", ".join(filter(None, (source.source, source.config, source.split)))
    return EvalSet(name, Problems(source))


def parse_against(text: str) -> ProblemSource:
    """`SOURCE` or `SOURCE:MAPPING` as a problem source. Raises UsageError where no ready mapping is named."""
    source, colon, mapping = text.rpartition(":")
    if text == "classroom":
        return ProblemSource(source=text)
    known = (*READY, "bbh")
    if colon and mapping in known:
        return ProblemSource(source=source, mapping=mapping)
    if colon and mapping.isidentifier():
        raise UsageError(
            f"--against {text}: no mapping is called {mapping}",
            "it says which fields of a record make a question",
            did_you_mean(mapping, known, "name other sets in the recipe's eval_sets"),
        )
    raise UsageError(
        f"--against {text}: no mapping is named",
        "it says which fields of a record make a question",
        f"write SOURCE:MAPPING with one of {', '.join(known)}; name other sets in the recipe's eval_sets",
    )


def _grams(problem: Problem) -> Iterator[int]:
    words = " ".join(normalised(text) for text in (problem.question, *problem.choices)).split()
    for start in range(max(len(words) - WORDS + 1, 1)):
        text = " ".join(words[start : start + WORDS])
        yield int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


Hashes = np.ndarray[Any, np.dtype[np.uint64]]


def _sorted(hashes: array[int]) -> Hashes:
    return np.unique(np.frombuffer(hashes, np.uint64)) if hashes else np.zeros(0, np.uint64)


def _any_of(known: Hashes, hashes: list[int]) -> bool:
    wanted = np.array(hashes, np.uint64)
    places = np.searchsorted(known, wanted)
    inside = places < len(known)
    return bool((known[places[inside]] == wanted[inside]).any())
