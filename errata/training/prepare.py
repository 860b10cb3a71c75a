"""What a training is given: the student, its rows as token ids, and the objective that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from datasets import Dataset

from errata.errors import UsageError
from errata.export.transcript_view import Options
from errata.models.ranker import encode
from errata.training.arguments import TABLE
from errata.training.combine import FORMAT_OF, EditEntry, combine, method_objective, parse_entries
from errata.training.encode import Row
from errata.training.group_rows import Groups, answers_only, fitting, repeat_to, right_sides, target_tokens
from errata.training.load_rows import Record, Told, Where, is_run, read
from errata.training.load_student import Student, Texts, open_student
from errata.training.methods.ranker import pair_rows
from errata.training.objective import Objective, mix
from errata.training.parse_args import listed


@dataclass
class Prepared:
    """All that a trainer is built from, and what the manifest says of it. `objective` is None for the ranker."""

    student: Student
    rows: Any
    eval_rows: Any
    objective: Any
    names: str
    sources: list[dict[str, Any]]
    sequences: int
    target_tokens: int | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    texts: Any = None
    """Gives the texts of which `tiny` makes its tokenizer."""


@dataclass
class Share:
    """Rows that one term, or the method, reads."""

    format: str
    names: list[str]
    marked: bool


def prepare(method: str, lesson: Any, args: Any, config: Any) -> Prepared:
    """Reads the data, opens the student and makes the rows. Raises UsageError; writes nothing."""
    entries = parse_entries(listed(lesson.terms)) if lesson.terms else []
    objective = combine(entries) if entries else method_objective(method, args)
    objective.refuse(packing=args.packing, teacher=method == "nce")
    reads = Objective(mix()) if method == "nat" and args.variant == "nat" and not entries else objective
    names = lesson.dataset_name or []
    shares = [Share(FORMAT_OF[each.kind], each.data or names, each.kind.startswith("mcc")) for each in entries]
    shares = shares or [Share(TABLE[method].format, names, method == "mcc-kd")]
    source = Source(lesson, args, shares, lesson.dataset_train_split, by_problem=bool(entries) or method == "mapd")
    repeated = _repeated(source) if getattr(args, "control", "none") == "repeat_sft" else None

    def texts() -> Texts:
        gathered = [source.groups.texts()] + ([repeated.groups.texts()] if repeated else [])
        return [text for each in gathered for text in each[0]], [text for each in gathered for text in each[1]]

    student = open_student(config, texts, args.seed)
    if args.eos_token:
        student.tokenizer.eos_token = args.eos_token
    longest = _longest(args, student)
    align = next((each.align for each in entries if isinstance(each, EditEntry)), getattr(args, "align", "edit"))
    left_out: dict[str, int] = {}
    if repeated:
        own = Objective(method_objective(method, _without_control(args)).terms)
        pattern = source.rows(student, own, lesson.too_long, longest, align, {})
        rows = repeated.rows(student, objective, lesson.too_long, longest, "none", left_out)
        rows = repeat_to(rows, target_tokens(pattern, own, args.seed), args.seed)
    else:
        rows = source.rows(student, reads, lesson.too_long, longest, align, left_out)
    if getattr(args, "target_tokens", None):
        rows = repeat_to(rows, args.target_tokens, args.seed)
    reads.check(rows)
    held = None
    if lesson.eval_dataset_name:
        shares = [Share(each.format, lesson.eval_dataset_name, each.marked) for each in shares]
        test = Source(lesson, args, shares, lesson.dataset_test_split, source.by_problem)
        held = _dataset(test.rows(student, reads, lesson.too_long, longest, align, {}))
    told = (repeated or source).told
    return Prepared(
        student=student,
        rows=_dataset(rows),
        eval_rows=held,
        objective=objective,
        names=", ".join(dict.fromkeys(each.name for each in told)),
        sources=[{"name": each.name, "rows": len(each.records), "sha256": each.sha256} for each in told],
        sequences=sum(len(row["members"]) for row in rows),
        target_tokens=target_tokens(rows, reads, args.seed),
        left_out=left_out,
        texts=texts,
    )


class Source:
    """The rows of one split, read and gathered."""

    def __init__(self, lesson: Any, args: Any, shares: Sequence[Share], split: str, by_problem: bool) -> None:
        self.lesson, self.args, self.shares, self.by_problem = lesson, args, shares, by_problem
        self.where = Where(lesson.dataset_config, split, _options(lesson, args))
        self.told: list[Told] = []
        self.groups = Groups(lesson.system, lesson.answer_sentence, by_problem)
        for share in shares:
            told = read(share.names, share.format, self.where)
            if told not in self.told:
                self.told.append(told)
            self.groups.add(self._changed(told.records), share.marked)

    def _changed(self, records: list[Record]) -> list[Record]:
        if getattr(self.args, "control", "none") == "answer_only":
            return answers_only(records, self.lesson.answer_sentence)
        return records

    def rows(
        self, student: Student, objective: Objective, too_long: str, longest: int, align: Any, left_out: dict[str, int]
    ) -> list[Row]:
        """Rows that the objective reads something of; what is left out is counted in `left_out`."""
        made = list(self.groups.rows(student.tokenizer, align, self.args.seed))
        if too_long == "skip":
            before = sum(len(row["members"]) for row in made)
            made = [fit for row in made if (fit := fitting(row, longest)) is not None]
            left_out["too long"] = before - sum(len(row["members"]) for row in made)
        kept = [row for row in made if objective.takes(row)]
        left_out["not read by any term"] = len(made) - len(kept)
        return kept or made  # the trainer says what is missing in them


def _repeated(source: Source) -> Source:
    """Plain rationales for the control repeat_sft: of runs their sft rows, of files the right sides."""
    shares = [Share("sft", each.names, False) for each in source.shares]
    args = _without_control(source.args)
    plain = Source(source.lesson, args, shares, source.where.split, by_problem=False)
    if not all(is_run(name) for each in shares for name in each.names):
        plain.groups = Groups(source.lesson.system, source.lesson.answer_sentence)
        for told in plain.told:
            plain.groups.add(right_sides(told.records))
    return plain


def _without_control(args: Any) -> Any:
    import copy

    plain = copy.copy(args)
    plain.control = "none"
    return plain


def _options(lesson: Any, args: Any) -> Options:
    return Options(
        roles=tuple(lesson.roles or ()),
        authors=tuple(lesson.authors or ()),
        grader_only=getattr(args, "control", "none") == "grader_only",
        max_edit_ratio=getattr(args, "max_edit_ratio", None),
        by_scores=getattr(args, "by_scores", False),
    )


def _longest(args: Any, student: Student) -> int:
    """Tokens that a sequence may have; told to the trainer, which refuses longer ones with their count."""
    limits = [limit for limit in (args.max_length, student.context) if limit]
    args.max_length = min(limits, default=None)
    return args.max_length or 1 << 30


def _dataset(rows: Sequence[Row]) -> Dataset:
    return Dataset.from_list([cast("dict[str, Any]", row) for row in rows])


def prepare_pairs(lesson: Any, args: Any, config: Any) -> Prepared:
    """The ranker's student and its pairs. Raises UsageError; writes nothing."""
    if lesson.terms:
        raise UsageError("terms for a ranker", "it has one loss of its own", "leave them out")
    told = [
        read(
            lesson.dataset_name or [],
            "ranker",
            Where(lesson.dataset_config, lesson.dataset_train_split, _options(lesson, args)),
        )
    ]
    if lesson.eval_dataset_name:
        where = Where(lesson.dataset_config, lesson.dataset_test_split, _options(lesson, args))
        told.append(read(lesson.eval_dataset_name, "ranker", where))

    def texts() -> Texts:
        rows = [record.data for each in told for record in each.records]
        return [str(row.get("prompt")) for row in rows], [
            str(row.get(side)) for row in rows for side in ("chosen", "rejected")
        ]

    student = open_student(config, texts, args.seed)
    longest = _longest(args, student)
    left_out: dict[str, int] = {}
    sets = []
    for each in told:
        pairs = [record.data for record in each.records]
        if lesson.too_long == "skip":
            kept = [pair for pair in pairs if _fits(pair, student.tokenizer, longest)]
            left_out["too long"] = left_out.get("too long", 0) + len(pairs) - len(kept)
            pairs = kept
        sets.append(pair_rows(pairs, student.tokenizer, longest))
    return Prepared(
        student=student,
        rows=sets[0],
        eval_rows=sets[1] if len(sets) > 1 else None,
        objective=None,
        names=told[0].name,
        sources=[{"name": each.name, "rows": len(each.records), "sha256": each.sha256} for each in told],
        sequences=2 * len(sets[0]),
        left_out=left_out,
        texts=texts,
    )


def _fits(pair: dict[str, Any], tokenizer: Any, longest: int) -> bool:
    sides = [pair.get("chosen"), pair.get("rejected")]
    return all(
        isinstance(side, str) and len(encode(tokenizer, str(pair.get("prompt")), side).ids) <= longest for side in sides
    )
