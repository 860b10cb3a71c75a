"""Formats of graded rationales, right and wrong: nat and kto, ranker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import lcm
from statistics import mean

from errata.export.transcript_view import LeftOut, Row, Told, distinct, meta, unfit_as_wrong
from errata.records import Rationale, draw

PAIRS_A_PROBLEM = 8
"""Rows of the ranker a problem gives at most, so that problems with many samples do not outweigh the rest."""


def unaided(told: Told) -> Iterator[Rationale | LeftOut]:
    """Every graded rationale whose author was not shown the gold answer, the student's among them."""
    for rationale in told.rationales():
        fault = "shown_the_answer" if rationale.saw_answer else unfit_as_wrong(rationale)
        yield LeftOut(fault) if fault else rationale


def nat_rows(told: Told) -> Iterator[Row | LeftOut]:
    """prompt, completion, label: true where the answer grader finds it right."""
    for each in unaided(told):
        if isinstance(each, LeftOut):
            yield each
        else:
            row = {"prompt": told.prompt, "completion": each.text, "label": bool(each.correct)}
            yield {**row, "meta": meta(told, each)}


def ranker_rows(told: Told) -> Iterator[Row | LeftOut]:
    """prompt, chosen, rejected: right x wrong of one problem, at most PAIRS_A_PROBLEM of them, picked by hash.

    With `by_scores`, better x worse by the panel's mean score, at least one point apart, whatever the grades.
    """
    found = list(unaided(told))
    yield from (each for each in found if isinstance(each, LeftOut))
    rationales, repeated = distinct([each for each in found if not isinstance(each, LeftOut)])
    yield from (LeftOut("near_duplicate") for _ in range(repeated))
    pairs = _by_scores(told, rationales) if told.options.by_scores else _by_grade(told, rationales)
    if not pairs:
        reason = "no_two_scores" if told.options.by_scores else "nothing_to_compare"
        yield from (LeftOut(reason) for _ in rationales)
    for chosen, rejected in pairs:
        row = {"prompt": told.prompt, "chosen": chosen.text, "rejected": rejected.text}
        yield {**row, "meta": meta(told, chosen, rejected)}


def _by_grade(told: Told, rationales: Sequence[Rationale]) -> list[tuple[Rationale, Rationale]]:
    """Pair i joins the i-th of both sides, round and round, so that none comes much oftener than another; after a
    common multiple of both lengths one side moves on by one, so that no pair comes twice."""
    right = _shuffled(told, [each for each in rationales if each.correct])
    wrong = _shuffled(told, [each for each in rationales if not each.correct])
    if not right or not wrong:
        return []
    rounds = lcm(len(right), len(wrong))
    count = min(len(right) * len(wrong), PAIRS_A_PROBLEM)
    return [(right[i % len(right)], wrong[(i + i // rounds) % len(wrong)]) for i in range(count)]


def _by_scores(told: Told, rationales: Sequence[Rationale]) -> list[tuple[Rationale, Rationale]]:
    scored = []
    for each in rationales:
        scores = [review.score for review in each.reviews if review.valid and review.score is not None]
        if scores:
            scored.append((each, mean(scores)))
    apart = [(better, worse) for better, high in scored for worse, low in scored if high - low >= 1]
    order = {pair: draw(told.seed, told.problem.id, "ranker", *pair) for pair in ((a.id, b.id) for a, b in apart)}
    return sorted(apart, key=lambda pair: order[pair[0].id, pair[1].id])[:PAIRS_A_PROBLEM]


def _shuffled(told: Told, rationales: Sequence[Rationale]) -> list[Rationale]:
    return sorted(rationales, key=lambda each: draw(told.seed, told.problem.id, "ranker", each.id))
