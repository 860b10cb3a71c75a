"""The export formats by name: what makes their rows, what a log must hold to serve them, what their columns mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from errata.errors import UsageError
from errata.export.correct_rows import mapd_rows, mcc_kd_rows, messages_rows, sft_rows
from errata.export.labeled_rows import PAIRS_A_PROBLEM, nat_rows, ranker_rows
from errata.export.pair_rows import dpo_rows, edit_rows, privileged_rows
from errata.export.transcript_view import ALL, LeftOut, Options, Row, Told


@dataclass(frozen=True)
class Format:
    """`needs`: of each group of stages the logs must hold one. `columns` says what is in them, but for `meta`.
    `heeds`: the options beside `roles` and `authors` that change its rows."""

    rows: Callable[[Told], Iterator[Row | LeftOut]]
    needs: tuple[tuple[str, ...], ...]
    takes: str
    columns: dict[str, str]
    heeds: tuple[str, ...] = ()


_PROMPT = {"prompt": "what the student is asked in the exam"}
_RIGHT = "right rationales by teachers, rectified or revised; accepted where a panel sat"
_UNAIDED = "every graded rationale whose author was not shown the gold answer, teachers' and student's"
_NAT = Format(
    nat_rows,
    (("rationales", "exam"),),
    _UNAIDED,
    {**_PROMPT, "completion": "a rationale", "label": "true where the answer grader finds it right"},
)
_SIDES = {**_PROMPT, "chosen": "a right rationale", "rejected": "a wrong one of the same problem"}

_GRADER = ("grader_only",)

FORMATS: dict[str, Format] = {
    "sft": Format(sft_rows, (("rationales",),), _RIGHT, {**_PROMPT, "completion": "a rationale"}, _GRADER),
    "messages": Format(
        messages_rows,
        (("rationales",),),
        _RIGHT,
        {"messages": "the exam's prompt and a rationale, as a conversation"},
        _GRADER,
    ),
    "mapd": Format(
        mapd_rows,
        (("rationales",), ("mistake_explanation",)),
        "the rows of sft, and explanations of the student's wrong rationales",
        {
            "task": "`rationale` or `mistake`",
            "prompt": "what the student is asked: to answer, or to explain a mistake given the right answer",
            "completion": "a rationale, or the explanation of a mistake",
        },
        _GRADER,
    ),
    "edit": Format(
        edit_rows,
        (("dual_cot",),),
        "right and wrong sides of pairs inside the edit-ratio band, both graded, with different answers",
        {**_SIDES, "spans": "`chosen` and `rejected`: [start, end) characters of the words that differ"},
        ("max_edit_ratio",),
    ),
    "mcc-kd": Format(
        mcc_kd_rows,
        (("rationales",),),
        "problems with two or more right and diverse rationales, accepted where a panel sat",
        {
            **_PROMPT,
            "completions": "the rationales",
            "answer": "the gold answer",
            "answer_spans": "[start, end) characters of the answer in each completion; null where it is written "
            "unlike in most",
        },
        _GRADER,
    ),
    "nat": _NAT,
    "kto": _NAT,
    "ranker": Format(
        ranker_rows,
        (("rationales", "exam"),),
        f"right x wrong of one problem, not shown the gold answer, at most {PAIRS_A_PROBLEM} a problem, picked by hash",
        _SIDES,
        ("by_scores",),
    ),
    "dpo": Format(
        dpo_rows,
        (("rationales", "exam"),),
        "the pairs of edit; of a problem without one, each author's right and wrong rationale that are least apart",
        _SIDES,
        ("max_edit_ratio",),
    ),
    "privileged": Format(
        privileged_rows,
        (("mistake_explanation", "dual_cot"),),
        "wrong rationales, each beside an explanation of its mistake or its rectified text",
        {
            **_PROMPT,
            "completion": "a wrong rationale: an attempt, not a target",
            "privileged_context": "an explanation of its mistake, or the same text rectified",
        },
    ),
}


def refuse_idle(name: str, options: Options) -> None:
    """Raises UsageError where an option is set that changes nothing in the format `name`."""
    for option in ("grader_only", "max_edit_ratio", "by_scores"):
        if getattr(options, option) != getattr(ALL, option) and option not in FORMATS[name].heeds:
            heeding = ", ".join(each for each, form in FORMATS.items() if option in form.heeds)
            raise UsageError(
                f"--{option.replace('_', '-')} with --format {name}",
                "it would change no row",
                f"leave it out, or choose one of {heeding}",
            )
