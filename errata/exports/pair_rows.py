"""Formats of right and wrong side by side: edit and dpo, and privileged, a mistake beside a text about it."""

from __future__ import annotations

from collections.abc import Iterator

from errata.exports.correct_rows import of_explanation
from errata.exports.format import ANY_RATIONALE, PROMPT, Format, likeness
from errata.exports.sequences import pair_sequences
from errata.exports.transcript_view import (
    LeftOut,
    Row,
    TranscriptView,
    doubtful,
    of_pair,
    row_meta,
    unfit_as_wrong,
    unreadable,
)
from errata.exports.wrong_from import of_wrong_side, unplaced
from errata.graphs.stages.dual_pairs import DualCotSettings, natural_pairs
from errata.records import Explanation, Pair, Rationale


def edit_pairs(view: TranscriptView) -> Iterator[Pair | LeftOut]:
    """Pairs inside the band whose sides are graded and end in different answers, none rejected as right by a panel.

    Of a log without rewrites, the natural pairs that `max_edit_ratio` lets pass.
    """
    rewrites = "dual_cot" in view.source.stages
    for pair in view.transcript.pairs if rewrites else _natural(view):
        fault = _fault(view, pair, gated=True)
        yield LeftOut(fault) if fault else pair


def _natural(view: TranscriptView) -> list[Pair]:
    """For each author with a right and a wrong rationale of the problem, the two that are least apart."""
    return natural_pairs({"rationales": view.by_id}, DualCotSettings(band=(0.0, 1.0)))


def _fault(view: TranscriptView, pair: Pair, *, gated: bool) -> str | None:
    right, wrong = view.by_id[pair.right], view.by_id[pair.wrong]
    limit, wants = view.options.max_edit_ratio, view.options.wants
    if not (wants(right) and wants(wrong)):
        return "not_asked_for"
    if fault := unreadable(right, view) or unfit_as_wrong(wrong, view):
        return fault
    if right.accepted is False and not view.options.grader_only:
        return "rejected_by_panel"
    if fault := unplaced(wrong, view.options):
        return fault
    if not right.is_right or wrong.is_right or right.answer == wrong.answer or right.text == wrong.text:
        return "answers_do_not_differ"
    if gated and not pair.in_band:
        return "out_of_band"
    if limit is not None and pair.edit_ratio > limit:
        return "beyond_max_edit_ratio"
    if view.options.sound_only and (fault := doubtful(right)):
        return fault
    return view.unshortened(right) or view.unshortened(wrong)


def edit_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, chosen, rejected, spans: the key words of both sides as [start, end) characters."""
    for pair in edit_pairs(view):
        if isinstance(pair, LeftOut):
            yield pair
        else:
            right, wrong = view.by_id[pair.right], view.by_id[pair.wrong]
            spans = {
                "chosen": [view.span(right, span) for span in pair.right_spans],
                "rejected": [view.span(wrong, span) for span in pair.wrong_spans],
            }
            yield {**_sides(view, pair), "spans": spans, "meta": _meta(view, pair)}


def dpo_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, chosen, rejected: the pairs of edit; of a problem without one, its natural pairs, however far apart."""
    candidates = list(edit_pairs(view)) if "dual_cot" in view.source.stages else []
    pairs = [pair for pair in candidates if isinstance(pair, Pair)]
    if not pairs:
        natural = [(pair, _fault(view, pair, gated=False)) for pair in _natural(view)]
        candidates = [LeftOut(fault) if fault else pair for pair, fault in natural]
    for pair in candidates:
        if isinstance(pair, LeftOut):
            yield pair
        else:
            yield {**_sides(view, pair), "meta": _meta(view, pair)}


def _sides(view: TranscriptView, pair: Pair) -> Row:
    right, wrong = view.by_id[pair.right], view.by_id[pair.wrong]
    return {"prompt": view.prompt, "chosen": view.completion(right), "rejected": view.completion(wrong)}


def _meta(view: TranscriptView, pair: Pair) -> Row:
    right, wrong = view.by_id[pair.right], view.by_id[pair.wrong]
    return row_meta(view, right, wrong, more={**of_pair(pair), **of_wrong_side(view, wrong)})


# ---- privileged ------------------------------------------------------------------------------------------------------


def privileged_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, completion, privileged_context: a wrong rationale, and what its author did not know when writing it.

    The context is an explanation of that very mistake or the same text rectified. Self-distillation (SDFT, SDPO) lets
    the student see it as its own teacher; the completion is an attempt, not a target.
    """
    for explanation in view.transcript.explanations:
        mistaken = view.by_id[explanation.rationale_id]
        yield _privileged(view, mistaken, "explanation", explanation.text, explanation, None)
    for rectified in view.transcript.rationales:
        if rectified.role == "rectified" and rectified.parent_id is not None:
            mistaken = view.by_id[rectified.parent_id]
            yield _privileged(view, mistaken, "rectified", rectified.text, None, rectified)


def _privileged(
    view: TranscriptView,
    mistaken: Rationale,
    kind: str,
    context: str,
    explanation: Explanation | None,
    rectified: Rationale | None,
) -> Row | LeftOut:
    if not view.options.wants(mistaken):
        return LeftOut("not_asked_for")
    fault = unfit_as_wrong(mistaken, view) or ("right_after_all" if mistaken.is_right else None)
    if rectified and not fault:
        fault = unreadable(rectified, view) or (None if rectified.is_right else "not_rectified")
    if explanation and view.is_cut_off(explanation) and not view.options.cut_off:
        fault = fault or "cut_off"
    fault = fault or view.unshortened(mistaken)
    if fault or not context.strip():
        return LeftOut(fault or "empty")
    rationales = (mistaken, rectified) if rectified else (mistaken,)
    return {
        "prompt": view.prompt,
        "completion": view.completion(mistaken),
        "privileged_context": context,
        "meta": row_meta(
            view, *rationales, explanation=explanation, more={"context": kind, **of_explanation(explanation)}
        ),
    }


# ---- the formats -----------------------------------------------------------------------------------------------------

_SIDES = {**PROMPT, "chosen": "a right rationale", "rejected": "a wrong one of the same problem"}
_OPTIONS = ("grader_only", "max_edit_ratio", "sound_only", "reasoning")


def _origin(row: Row) -> str:
    return str(row["meta"]["origin"])


EDIT = Format(
    name="edit",
    rows=edit_rows,
    takes="right and wrong sides of pairs inside the edit-ratio band, both graded, with different answers; no right "
    "side that a panel rejected",
    columns={**_SIDES, "spans": "`chosen` and `rejected`: [start, end) characters of the words that differ"},
    needs=(("dual_cot",),),
    sequences=pair_sequences,
    reads=("prompt", "chosen", "rejected"),
    likeness=likeness("chosen", "rejected"),
    kind=_origin,
    options=(*_OPTIONS, "wrong_from", "min_step_probability"),
    needs_with={"max_edit_ratio": (("dual_cot", *ANY_RATIONALE),)},
    hint="or take natural pairs: --max-edit-ratio 0.3",
)
DPO = Format(
    name="dpo",
    rows=dpo_rows,
    takes="the pairs of edit; of a problem without one, each author's right and wrong rationale that are least apart",
    columns=_SIDES,
    needs=(ANY_RATIONALE,),
    sequences=pair_sequences,
    reads=("prompt", "chosen", "rejected"),
    likeness=likeness("chosen", "rejected"),
    kind=_origin,
    options=_OPTIONS,
)
PRIVILEGED = Format(
    name="privileged",
    rows=privileged_rows,
    takes="wrong rationales, each beside an explanation of its mistake or its rectified text",
    columns={
        **PROMPT,
        "completion": "a wrong rationale: an attempt, not a target",
        "privileged_context": "an explanation of its mistake, or the same text rectified",
    },
    needs=(("mistake_explanation", "dual_cot"),),
    reads=("prompt", "completion", "privileged_context"),
    likeness=likeness("completion", "privileged_context"),
    kind=lambda row: str(row["meta"]["context"]),
    options=("cut_off", "reasoning"),
)
