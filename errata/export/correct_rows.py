"""Formats of right rationales: sft, messages, mcc-kd, and mapd, which adds explanations of mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from errata.export.transcript_view import TAUGHT, LeftOut, Row, Told, distinct, meta, unfit_to_teach
from errata.records import Explanation, Rationale


def usable(told: Told) -> Iterator[Rationale | LeftOut]:
    """What a student may learn from as right: by teachers, or rewritten by them."""
    for rationale in told.rationales(*TAUGHT):
        if told.options.grader_only and rationale.role == "revised":
            yield LeftOut("owed_to_the_panel")  # without reviewers nobody would have revised it
        else:
            fault = unfit_to_teach(rationale, told)
            yield LeftOut(fault) if fault else rationale


def sft_rows(told: Told) -> Iterator[Row | LeftOut]:
    """prompt, completion."""
    for each in usable(told):
        if isinstance(each, LeftOut):
            yield each
        else:
            yield {"prompt": told.prompt, "completion": each.text, "meta": meta(told, each)}


def messages_rows(told: Told) -> Iterator[Row | LeftOut]:
    """The rows of sft as a conversation, with the student's system line where the recipe gives it one."""
    asked = [{"role": message.role, "content": message.content} for message in told.asked]
    for each in usable(told):
        if isinstance(each, LeftOut):
            yield each
        else:
            yield {"messages": [*asked, {"role": "assistant", "content": each.text}], "meta": meta(told, each)}


# ---- MAPD ------------------------------------------------------------------------------------------------------------


def mapd_rows(told: Told) -> Iterator[Row | LeftOut]:
    """task, prompt, completion: sft's rows as task `rationale`, explanations of the student's mistakes as `mistake`.

    An item may have several of either (`meta.problem_id` tells which belong together); the paper draws one of each.
    """
    for each in usable(told):
        if isinstance(each, LeftOut):
            yield each
        else:
            row = {"task": "rationale", "prompt": told.prompt, "completion": each.text}
            yield {**row, "meta": meta(told, each, more=of_explanation(None))}
    for explanation in told.transcript.explanations:
        yield _mistake_row(told, explanation, told.by_id[explanation.rationale_id])


def _mistake_row(told: Told, explanation: Explanation, mistaken: Rationale) -> Row | LeftOut:
    if mistaken.role != "student":
        return LeftOut("mistake_of_another")
    if told.options.authors and explanation.author not in told.options.authors:
        return LeftOut("not_asked_for")
    if mistaken.correct is not False or not explanation.text.strip():
        return LeftOut("right_after_all" if mistaken.correct else "empty")
    return {
        "task": "mistake",
        "prompt": told.explain_prompt(mistaken),
        "completion": explanation.text,
        "meta": meta(told, mistaken, explanation=explanation, more=of_explanation(explanation)),
    }


def of_explanation(explanation: Explanation | None) -> Row:
    """What a row says of an explanation, for its lineage; kinds joined as in EDIT's labels (`logical+calculation`)."""
    if explanation is None:
        return {"explanation_id": "", "explainer": "", "kinds": ""}
    return {
        "explanation_id": explanation.id,
        "explainer": explanation.author,
        "kinds": "+".join(explanation.kinds),
    }


# ---- MCC-KD ----------------------------------------------------------------------------------------------------------


def mcc_kd_rows(told: Told) -> Iterator[Row | LeftOut]:
    """prompt, completions, answer, answer_spans: all diverse usable rationales of one problem, at least two.

    `answer_spans` are the answers' characters in the completions; null where a completion writes its answer unlike
    most, since answers are compared token by token.
    """
    found = list(usable(told))
    yield from (each for each in found if isinstance(each, LeftOut))
    kept, repeated = distinct([each for each in found if not isinstance(each, LeftOut)])
    yield from (LeftOut("near_duplicate") for _ in range(repeated))
    written = [_written_answer(each) for each in kept]
    counts = Counter(answer for answer in written if answer)
    usual = max(counts, key=lambda answer: (counts[answer], answer), default=None)
    if usual is None or counts[usual] < 2:
        yield from (LeftOut("alone_of_its_problem") for _ in kept)
        return
    yield {
        "prompt": told.prompt,
        "completions": [each.text for each in kept],
        "answer": told.problem.answer,
        "answer_spans": [
            list(each.answer_span) if each.answer_span and answer == usual else None
            for each, answer in zip(kept, written, strict=True)
        ],
        "meta": meta(told, *kept),
    }


def _written_answer(rationale: Rationale) -> str | None:
    span = rationale.answer_span
    return rationale.text[span.start : span.end] if span else None
