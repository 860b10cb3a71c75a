"""Which parts of a record make a problem: ready mappings for the known data sets, and the recipe's own.

A mapping is a pure function from a record to `Fields`. What a record lacks is a `BadField`; whoever knows the
file and the line adds them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from errata.data.fields import (
    BadField,
    Fields,
    Record,
    at,
    boxed,
    joined_at,
    letter,
    options_at,
    plain_number,
    text_at,
    truth,
)
from errata.data.own_mapping import own
from errata.data.source import Gold, Mapping
from errata.errors import UsageError
from errata.records import AnswerKind, digest, draw

Reader = Callable[[Record], Fields]


def gsm8k(record: Record) -> Fields:
    """The answer stands after ####; calculator marks <<48/2=24>> are no part of the solution's text."""
    solution, mark, answer = text_at(record, "answer").rpartition("####")
    if not mark:
        raise BadField("answer", "it has no line `#### N`", "the gold answer stands after ####")
    return Fields(
        question=text_at(record, "question"),
        answer=plain_number(answer, "answer"),
        kind="number",
        rationale=re.sub(r"<<[^<>\n]*>>", "", solution).strip(),
    )


def svamp(record: Record) -> Fields:
    """Body and question joined by a space, as in the data derived from it, even where the body ends without a mark."""
    return Fields(
        question=joined_at(record, "{Body} {Question}"),
        answer=plain_number(at(record, "Answer"), "Answer"),
        kind="number",
        id=text_at(record, "ID"),
        meta={key: record[key] for key in ("Type", "Equation") if key in record},
    )


def multiarith(record: Record) -> Fields:
    return Fields(
        question=text_at(record, "sQuestion"),
        answer=plain_number(at(record, "lSolutions.0"), "lSolutions.0"),
        kind="number",
        id=str(at(record, "iIndex")),
        meta={"lEquations": record["lEquations"]} if "lEquations" in record else {},
    )


def aqua(record: Record) -> Fields:
    labels, choices = options_at(record, "options")
    return Fields(
        question=text_at(record, "question"),
        answer=letter(text_at(record, "correct"), labels, choices, "correct"),
        kind="choice",
        choices=tuple(choices),
        rationale=text_at(record, "rationale"),
    )


def commonsenseqa(record: Record) -> Fields:
    labels, choices = options_at(record, "question.choices")
    return Fields(
        question=text_at(record, "question.stem"),
        answer=letter(text_at(record, "answerKey"), labels, choices, "answerKey"),
        kind="choice",
        id=text_at(record, "id"),
        choices=tuple(choices),
        meta={"question_concept": text_at(record, "question.question_concept")},
    )


def strategyqa(record: Record) -> Fields:
    """Facts are the gold reasoning; the decomposition into questions is kept as meta."""
    facts = at(record, "facts")
    return Fields(
        question=text_at(record, "question"),
        answer=truth(at(record, "answer"), "answer"),
        kind="boolean",
        id=text_at(record, "qid"),
        rationale="\n".join(str(fact).strip() for fact in facts) if isinstance(facts, list) else None,
        meta={"decomposition": record["decomposition"]} if "decomposition" in record else {},
    )


_LABEL = re.compile(r"([A-D](?=[.?、\s])|[a-d](?=\.))[.?、]?\s*(?=\S)")


def logiqa(record: Record) -> Fields:
    """Options stand in the order of their own letters.

    In 20 blocks of Test.txt they come in two columns, A C B D, and the right letter is that of the label. A translated
    file: a few labels are misplaced within the text ("Professor C.Lin quit"), which is left as it is.
    """
    lines = at(record, "options")
    marks = [_LABEL.match(line) for line in lines]
    names = [match[1].upper() if match else None for match in marks]
    if sorted(name or "" for name in names) != list("ABCD"):
        names = [name if name == own else own for name, own in zip(names, "ABCD", strict=True)]
        marks = [m if m and m[1].upper() == own else None for m, own in zip(marks, "ABCD", strict=True)]
    texts = [line[match.end() if match else 0 :].strip() for line, match in zip(lines, marks, strict=True)]
    choices = [text for _, text in sorted(zip(names, texts, strict=True), key=lambda pair: str(pair[0]))]
    return Fields(
        question=joined_at(record, "{context}\n{question}"),
        answer=letter(text_at(record, "answer"), (), choices, "answer"),
        kind="choice",
        choices=tuple(choices),
    )


BBH: dict[str, AnswerKind] = {
    "boolean_expressions": "boolean",
    "causal_judgement": "boolean",
    "date_understanding": "choice",
    "disambiguation_qa": "choice",
    "dyck_languages": "string",
    "formal_fallacies": "choice",
    "geometric_shapes": "choice",
    "hyperbaton": "choice",
    "logical_deduction_five_objects": "choice",
    "logical_deduction_seven_objects": "choice",
    "logical_deduction_three_objects": "choice",
    "movie_recommendation": "choice",
    "multistep_arithmetic_two": "number",
    "navigate": "boolean",
    "object_counting": "number",
    "penguins_in_a_table": "choice",
    "reasoning_about_colored_objects": "choice",
    "ruin_names": "choice",
    "salient_translation_error_detection": "choice",
    "snarks": "choice",
    "sports_understanding": "boolean",
    "temporal_sequences": "choice",
    "tracking_shuffled_objects_five_objects": "choice",
    "tracking_shuffled_objects_seven_objects": "choice",
    "tracking_shuffled_objects_three_objects": "choice",
    "web_of_lies": "boolean",
    "word_sorting": "string",
}


def bbh(task: str, record: Record) -> Fields:
    """One of the 27 tasks. Options leave the question and become choices; of yes and no they just leave it.

    The id covers the target: causal_judgement asks two questions twice, each time with another answer. Three records of
    movie_recommendation and ruin_names have options cut apart at commas and a text as target: they stay strings. There
    is no split, so a hash makes one: four fifths of a task are train, the share EDIT takes (arXiv 2405.19737).
    """
    question, target, kind = text_at(record, "input"), text_at(record, "target"), BBH[task]
    stem, mark, listed = question.rpartition("\nOptions:\n")
    options = [re.sub(r"^(?:\([A-Z]\)|-)\s*", "", line).strip() for line in listed.splitlines()]
    name = digest("bbh", task, question, target)
    split = "train" if draw("bbh split", name) < 0.8 else "test"
    if kind == "choice" and re.fullmatch(r"\([A-Z]\)|valid|invalid", target) and mark:
        answer = letter(target, (), options, "target")
        return Fields(stem.strip(), answer, "choice", name, tuple(options), split=split)
    if kind == "boolean":
        return Fields(stem.strip() if mark else question, truth(target, "target"), "boolean", name, split=split)
    if kind == "number":
        return Fields(question, plain_number(target, "target"), "number", name, split=split)
    return Fields(question, target, "string", name, split=split)


_EMPTY_BOXES = (r"Therefore there are $\boxed{}$ primes in that range.", r"for any $n$, so the answer is $\boxed{}$.")


def tdg_math(record: Record) -> Fields:
    """MATH as in the NAT data: gold is the solution's last box; one file has `Problem:` before each question.

    Two solutions of MATH show that there are no such primes and end in an empty box: their gold answer is 0.
    """
    solution = text_at(record, "answer")
    return Fields(
        question=text_at(record, "question").removeprefix("Problem:").lstrip(),
        answer="0" if solution.endswith(_EMPTY_BOXES) else boxed(solution, "answer"),
        kind="latex",
        rationale=solution,
        split="train",
        meta={"level": text_at(record, "level"), "type": text_at(record, "type")},
    )


def mcc_kd_svamp(record: Record) -> Fields:
    """The sampled rationales (`output`) are no part of the problem: recorded/ replays them."""
    answer = plain_number(at(record, "label"), "label")
    return Fields(text_at(record, "instruction"), answer, "number", split="train")


def committee_svamp(record: Record) -> Fields:
    answer = plain_number(at(record, "gold_answer"), "gold_answer")
    return Fields(text_at(record, "question"), answer, "number", str(at(record, "id")), split="train")


def committee_strategyqa(record: Record) -> Fields:
    """The gold answer is a word, a full stop, and the facts."""
    word, _, facts = text_at(record, "gold_answer").partition(".")
    answer = truth(word, "gold_answer")
    question, name = text_at(record, "question"), str(at(record, "id"))
    return Fields(question, answer, "boolean", name, rationale=facts.strip() or None, split="train")


READY: dict[str, Reader] = {
    "gsm8k": gsm8k,
    "svamp": svamp,
    "multiarith": multiarith,
    "aqua": aqua,
    "commonsenseqa": commonsenseqa,
    "strategyqa": strategyqa,
    "logiqa": logiqa,
    "tdg_math": tdg_math,
    "mcc_kd_svamp": mcc_kd_svamp,
    "committee_svamp": committee_svamp,
    "committee_strategyqa": committee_strategyqa,
}
"""By name; `bbh` comes on top, which needs to know the task."""


def reader(mapping: str | Mapping | None, names: Sequence[str], gold: Gold = "all") -> tuple[Reader, str]:
    """The mapping as a function, and the task its problems are named by.

    `gold` says which problems have a gold answer: where none has, no answer and no worked solution is read. `names` say
    what the source may be called, the most telling first; `bbh` takes its task from them. Raises UsageError where a
    mapping is missing or unknown, or names no answer where some problem has one.
    """
    if isinstance(mapping, Mapping):
        return _own_reader(mapping, gold), names[-1]
    read, task = _ready(mapping, names)
    return (partial(_without_gold, read) if gold == "none" else read), task


def _own_reader(mapping: Mapping, gold: Gold) -> Reader:
    if gold == "none":
        return partial(own, mapping.model_copy(update={"answer": None, "answers": None, "rationale": None}))
    if mapping.answer is None:
        raise UsageError(
            "problems.mapping names no answer",
            "verdicts go by a gold answer",
            "add answer: FIELD to the mapping; if nobody has answers, set problems.gold: none",
        )
    return partial(own, mapping, may_lack_answer=gold == "some")


def _without_gold(read: Reader, record: Record) -> Fields:
    return replace(read(record), answer=None, answers=(), rationale=None)


def _ready(mapping: str | None, names: Sequence[str]) -> tuple[Reader, str]:
    known = ", ".join([*READY, "bbh"])
    if mapping is None:
        raise UsageError(
            f"{names[-1]}: no mapping is given",
            "it says which fields of a record make a problem",
            f"set problems.mapping to a ready one ({known}), or to question, answer and kind of your own",
        )
    if mapping == "bbh":
        task = next((name for name in names if name in BBH), None)
        if task is None:
            raise UsageError(
                f"{names[0]} is no task of BIG-Bench Hard",
                "mapping bbh takes the task from problems.task, problems.config or the file's name",
                f"name one of {', '.join(BBH)}",
            )
        return partial(bbh, task), f"bbh_{task}"
    if mapping not in READY:
        near = difflib.get_close_matches(mapping, [*READY, "bbh"], n=1, cutoff=0)[0]
        raise UsageError(f"no mapping is called {mapping}", f"the ready ones are {known}", f"did you mean {near}?")
    return READY[mapping], mapping
