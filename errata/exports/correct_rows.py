"""Formats of right rationales: sft, messages, mcc-kd, and mapd, which adds explanations of mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from errata.exports.format import PROMPT, Format, Likeness, likeness
from errata.exports.sequences import conversation, group_sequences, right_sequences, task_sequences
from errata.exports.transcript_view import LeftOut, Row, TranscriptView, distinct, row_meta, unfit_to_teach
from errata.records import Explanation, Rationale


def usable(view: TranscriptView) -> Iterator[Rationale | LeftOut]:
    """What a student may learn from as right: what the stages write for it, by teachers or rewritten by them."""
    for rationale in view.targets():
        if view.options.grader_only and rationale.role == "revised":
            yield LeftOut("owed_to_the_panel")  # without reviewers nobody would have revised it
        else:
            fault = unfit_to_teach(rationale, view) or view.unshortened(rationale)
            yield LeftOut(fault) if fault else rationale


def sft_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, completion."""
    for each in usable(view):
        if isinstance(each, LeftOut):
            yield each
        else:
            yield {"prompt": view.prompt, "completion": view.completion(each), "meta": row_meta(view, each)}


def messages_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """The rows of sft as a conversation, with the student's system line where the recipe gives it one."""
    turns = [{"role": message.role, "content": message.content} for message in view.messages]
    for each in usable(view):
        if isinstance(each, LeftOut):
            yield each
        else:
            yield {
                "messages": [*turns, {"role": "assistant", "content": view.completion(each)}],
                "meta": row_meta(view, each),
            }


# ---- MAPD ------------------------------------------------------------------------------------------------------------


def mapd_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """task, prompt, completion: sft's rows as task `rationale`, explanations of the student's mistakes as `mistake`.

    An item may have several of either (`meta.problem_id` tells which belong together); the paper draws one of each.
    """
    for each in usable(view):
        if isinstance(each, LeftOut):
            yield each
        else:
            row = {"task": "rationale", "prompt": view.prompt, "completion": view.completion(each)}
            yield {**row, "meta": row_meta(view, each, more=of_explanation(None))}
    for explanation in view.transcript.explanations:
        yield _mistake_row(view, explanation, view.by_id[explanation.rationale_id])


def _mistake_row(view: TranscriptView, explanation: Explanation, mistaken: Rationale) -> Row | LeftOut:
    if mistaken.role != "student":
        return LeftOut("mistake_of_another")
    if view.options.authors and explanation.author not in view.options.authors:
        return LeftOut("not_asked_for")
    if mistaken.is_right is not False or not explanation.text.strip():
        return LeftOut("right_after_all" if mistaken.is_right else "empty")
    if view.answered is None:
        return LeftOut("no_agreed_answer")
    if (mistaken.truncated or view.is_cut_off(explanation)) and not view.options.cut_off:
        return LeftOut("cut_off")
    return {
        "task": "mistake",
        "prompt": view.explain_prompt(mistaken),
        "completion": explanation.text,
        "meta": row_meta(view, mistaken, explanation=explanation, more=of_explanation(explanation)),
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


def mcc_kd_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, completions, answer, answer_spans: all diverse usable rationales of one problem, at least two.

    `answer_spans` are the answers' characters in the completions; null where a completion writes its answer unlike
    most, since answers are compared token by token.
    """
    candidates = list(usable(view))
    yield from (each for each in candidates if isinstance(each, LeftOut))
    group, repeats = distinct([each for each in candidates if not isinstance(each, LeftOut)])
    yield from (LeftOut("near_duplicate") for _ in range(repeats))
    answers = [_written_answer(each) for each in group]
    counts = Counter(answer for answer in answers if answer)
    usual = max(counts, key=lambda answer: (counts[answer], answer), default=None)
    if usual is None or counts[usual] < 2:
        yield from (LeftOut("alone_of_its_problem") for _ in group)
        return
    yield {
        "prompt": view.prompt,
        "completions": [view.completion(each) for each in group],
        "answer": view.answer,
        "answer_spans": [
            view.span(each, each.answer_span) if each.answer_span and answer == usual else None
            for each, answer in zip(group, answers, strict=True)
        ],
        "meta": row_meta(view, *group),
    }


def _written_answer(rationale: Rationale) -> str | None:
    span = rationale.answer_span
    return rationale.text[span.start : span.end] if span else None


# ---- the formats -----------------------------------------------------------------------------------------------------


def _of_conversation(row: Row) -> Likeness:
    *before, last = (turn["content"] for turn in row["messages"])
    return Likeness("\n".join(before), [last], [each["answer"] for each in row["meta"]["rationales"]])


def _of_group(row: Row) -> Likeness:
    return Likeness(row["prompt"], ["\n".join(row["completions"])], [])


_RIGHT = "right rationales by teachers, rectified or revised; accepted where a panel sat or the gold answer was shown"
_TARGETS = (("target",),)
_OPTIONS = ("grader_only", "cut_off", "unjudged", "reasoning")

SFT = Format(
    name="sft",
    rows=sft_rows,
    takes=_RIGHT,
    columns={**PROMPT, "completion": "a rationale"},
    needs=_TARGETS,
    sequences=right_sequences,
    options=_OPTIONS,
)
MESSAGES = Format(
    name="messages",
    rows=messages_rows,
    takes=_RIGHT,
    columns={"messages": "the exam's prompt and a rationale, as a conversation"},
    needs=_TARGETS,
    sequences=conversation,
    reads=("messages",),
    likeness=_of_conversation,
    options=_OPTIONS,
)
MAPD = Format(
    name="mapd",
    rows=mapd_rows,
    takes="the rows of sft, and explanations of the student's wrong rationales",
    columns={
        "task": "`rationale` or `mistake`",
        "prompt": "what the student is asked: to answer, or to explain a mistake given the right answer",
        "completion": "a rationale, or the explanation of a mistake",
    },
    needs=(*_TARGETS, ("mistake_explanation",)),
    sequences=task_sequences,
    reads=("task", "prompt", "completion"),
    likeness=likeness("completion"),
    kind=lambda row: str(row["task"]),
    options=_OPTIONS,
)
MCC_KD = Format(
    name="mcc-kd",
    rows=mcc_kd_rows,
    takes="problems with two or more right and diverse rationales, accepted where a panel sat",
    columns={
        **PROMPT,
        "completions": "the rationales",
        "answer": "the gold answer",
        "answer_spans": "[start, end) characters of the answer in each completion; null where it is written "
        "unlike in most",
    },
    needs=_TARGETS,
    sequences=group_sequences,
    reads=("prompt", "completions"),
    likeness=_of_group,
    options=_OPTIONS,
)
