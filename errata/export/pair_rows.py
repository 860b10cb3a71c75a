"""Formats of right and wrong side by side: edit and dpo, and privileged, a mistake beside what was said of it."""

from __future__ import annotations

from collections.abc import Iterator

from errata.export.correct_rows import of_explanation
from errata.export.transcript_view import LeftOut, Row, Told, meta, of_pair, unfit_as_wrong, unreadable
from errata.graphs.stages.dual_pairs import DualCotSettings, natural_pairs
from errata.records import Explanation, Pair, Rationale


def edit_pairs(told: Told) -> Iterator[Pair | LeftOut]:
    """Pairs inside the band whose sides are graded and end in different answers.

    Of a log without rewrites, the natural pairs that `max_edit_ratio` lets pass.
    """
    mined = "dual_cot" not in told.source.stages
    for pair in _mined(told) if mined else told.transcript.pairs:
        fault = _fault(told, pair, gated=True)
        yield LeftOut(fault) if fault else pair


def _mined(told: Told) -> list[Pair]:
    """For each author with a right and a wrong rationale of the problem, the two that are least apart."""
    return natural_pairs({"rationales": told.by_id}, DualCotSettings())


def _fault(told: Told, pair: Pair, *, gated: bool) -> str | None:
    right, wrong = told.by_id[pair.right], told.by_id[pair.wrong]
    limit, want = told.options.max_edit_ratio, told.options.want
    if not (want(right) and want(wrong)):
        return "not_asked_for"
    if fault := unreadable(right) or unfit_as_wrong(wrong):
        return fault
    if not right.correct or wrong.correct or right.answer == wrong.answer or right.text == wrong.text:
        return "answers_do_not_differ"
    if gated and not pair.in_band:
        return "out_of_band"
    return "beyond_max_edit_ratio" if limit is not None and pair.edit_ratio > limit else None


def edit_rows(told: Told) -> Iterator[Row | LeftOut]:
    """prompt, chosen, rejected, spans: the key words of both sides as [start, end) characters."""
    for pair in edit_pairs(told):
        if isinstance(pair, LeftOut):
            yield pair
        else:
            spans = {"chosen": [*map(list, pair.right_spans)], "rejected": [*map(list, pair.wrong_spans)]}
            yield {**_sides(told, pair), "spans": spans, "meta": _meta(told, pair)}


def dpo_rows(told: Told) -> Iterator[Row | LeftOut]:
    """prompt, chosen, rejected: the pairs of edit; of a problem without one, its natural pairs, however far apart."""
    found = list(edit_pairs(told)) if "dual_cot" in told.source.stages else []
    pairs = [pair for pair in found if isinstance(pair, Pair)]
    if not pairs:
        natural = [(pair, _fault(told, pair, gated=False)) for pair in _mined(told)]
        found = [LeftOut(fault) if fault else pair for pair, fault in natural]
    for pair in found:
        if isinstance(pair, LeftOut):
            yield pair
        else:
            yield {**_sides(told, pair), "meta": _meta(told, pair)}


def _sides(told: Told, pair: Pair) -> Row:
    return {"prompt": told.prompt, "chosen": told.by_id[pair.right].text, "rejected": told.by_id[pair.wrong].text}


def _meta(told: Told, pair: Pair) -> Row:
    return meta(told, told.by_id[pair.right], told.by_id[pair.wrong], more=of_pair(pair))


# ---- privileged ------------------------------------------------------------------------------------------------------


def privileged_rows(told: Told) -> Iterator[Row | LeftOut]:
    """prompt, completion, privileged_context: a wrong rationale, and what its author did not know when writing it.

    The context is an explanation of that very mistake or the same text rectified. Self-distillation (SDFT, SDPO) lets
    the student see it as its own teacher; the completion is an attempt, not a target.
    """
    for explanation in told.transcript.explanations:
        mistaken = told.by_id[explanation.rationale_id]
        yield _privileged(told, mistaken, "explanation", explanation.text, explanation, None)
    for rectified in told.transcript.rationales:
        if rectified.role == "rectified" and rectified.parent_id is not None:
            mistaken = told.by_id[rectified.parent_id]
            yield _privileged(told, mistaken, "rectified", rectified.text, None, rectified)


def _privileged(
    told: Told,
    mistaken: Rationale,
    kind: str,
    context: str,
    explanation: Explanation | None,
    rectified: Rationale | None,
) -> Row | LeftOut:
    if not told.options.want(mistaken):
        return LeftOut("not_asked_for")
    fault = unfit_as_wrong(mistaken) or ("right_after_all" if mistaken.correct else None)
    if rectified and not fault:
        fault = unreadable(rectified) or (None if rectified.correct else "not_rectified")
    if fault or not context.strip():
        return LeftOut(fault or "empty")
    shown = (mistaken, rectified) if rectified else (mistaken,)
    return {
        "prompt": told.prompt,
        "completion": mistaken.text,
        "privileged_context": context,
        "meta": meta(told, *shown, explanation=explanation, more={"context": kind, **of_explanation(explanation)}),
    }
