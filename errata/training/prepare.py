"""What a training is given: the student, its groups as token ids, and the objective that reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from datasets import Dataset

from errata.errors import NothingToLearn, UsageError
from errata.exports.correct_rows import SFT
from errata.exports.format import Format
from errata.exports.transcript_view import ALL, Options
from errata.runs.run_dir import is_run
from errata.training.align import AlignMode
from errata.training.combine import combine, entry_terms, method_terms
from errata.training.comparable import comparable
from errata.training.encode import Group
from errata.training.group_rows import (
    Change,
    Groups,
    answers_only,
    fitting,
    repeat_to,
    right_sides,
    target_tokens,
    thinking_at_most,
)
from errata.training.load_rows import LoadedRow, LoadedRows, Overlap, Where, read, total
from errata.training.load_student import Student, Texts, open_student
from errata.training.method_arguments import Arguments
from errata.training.mistaken import Fault
from errata.training.objective import Objective
from errata.training.row_cache import Preparation, cached_rows, key_of
from errata.training.terms import Likelihood, Term

UNLIMITED = 1 << 30


@dataclass
class Prepared:
    """All that a trainer is built from, and what the manifest says of it."""

    student: Student
    rows: Dataset
    eval_rows: Dataset | None
    terms: tuple[Term, ...]
    """Those of the objective; none for a method that has a loss of its own."""
    names: str
    sources: list[dict[str, Any]]
    sequences: int
    target_tokens: int | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    in_eval_sets: int | None = None
    """Problems learned though they stand in an evaluation set that a run's recipe names; None: no set was looked at."""
    texts: Callable[[], Texts] = lambda: ([], [])
    """Gives the texts of which `tiny` makes its tokenizer."""

    @property
    def objective(self) -> Objective:
        return Objective(self.terms)


class Share(NamedTuple):
    """Rows that one entry of a combination, or the method, reads."""

    form: Format
    stated: Format | None
    names: list[str]
    marked: bool
    change: Change | None = None


def prepare(arguments: Arguments) -> Prepared:
    """Reads the data, opens the student and makes the groups. Raises UsageError; writes nothing but the cache."""
    method, data, knobs, training = arguments.method, arguments.data, arguments.knobs, arguments.training
    control, entries = arguments.control, arguments.entries
    repeats = control is not None and control.repeats_sft
    own = method_terms(method, knobs)
    objective = combine(entries) if entries else Objective((Likelihood(),) if repeats else own)
    objective.refuse(packing=training.packing, teacher=method.needs_teacher)
    reads = objective
    if method.reads is not None and not entries and not repeats:
        reads = Objective(method.reads(knobs))
    shares = _shares(arguments, own)
    by_problem = bool(entries) or _gathers(own)
    source = Split(arguments, shares, data.dataset_train_split, by_problem, knobs.row_fault())
    plain = _plain(arguments, source) if repeats else None

    def texts() -> Texts:
        both = [split.groups.texts() for split in (source, plain) if split is not None]
        return [text for prompts, _ in both for text in prompts], [text for _, texts in both for text in texts]

    student = open_student(arguments.model, texts, training.seed, training.device_map)
    if training.eos_token:
        student.tokenizer.eos_token = training.eos_token
    limit = limit_length(arguments, student)
    fit = Fit(data.too_long, limit, _alignment(arguments), training.seed, data.max_reasoning_tokens)

    def make() -> Preparation:
        left_out = Counter[str]()
        if plain is not None:
            pattern = source.encoded(student, Objective(own), fit, Counter())
            rows = plain.encoded(student, objective, fit._replace(align="none"), left_out)
            rows = repeat_to(rows, target_tokens(pattern, Objective(own), training.seed), training.seed)
        else:
            rows = source.encoded(student, reads, fit, left_out)
        if tokens := knobs.epoch_tokens():
            rows = repeat_to(rows, tokens, training.seed)
        reads.check(rows)
        sequences = sum(len(row["members"]) for row in rows)
        tokens = target_tokens(rows, reads, training.seed)
        return rows, {"left_out": dict(left_out), "sequences": sequences, "target_tokens": tokens}

    splits = [source] if plain is None else [source, plain]
    rows, facts = cached_rows(_key(arguments, student, splits, [reads, objective, Objective(own)], fit), make)
    loaded = (plain or source).loaded
    return Prepared(
        student=student,
        rows=rows,
        eval_rows=_eval_rows(arguments, source, student, reads, fit),
        terms=objective.terms,
        names=", ".join(dict.fromkeys(each.name for each in loaded)),
        sources=[{"name": each.name, "rows": len(each.rows), "sha256": each.sha256} for each in loaded],
        texts=texts,
        in_eval_sets=source.overlap.learned,
        **facts,
    )


def _key(
    arguments: Arguments, student: Student, splits: Sequence[Split], objectives: Sequence[Objective], fit: Fit
) -> str:
    """Of everything that rows as token ids depend on."""
    terms = [[term.settings() for term in objective.terms] for objective in objectives]
    code = sorted(str(each.sha256) for each in arguments.code.values())
    texts = [[split.groups.content_hash(), sorted(split.left_out.items())] for split in splits]
    settings = [list(fit), arguments.knobs.epoch_tokens(), bool(arguments.entries), len(splits)]
    return key_of(student.tokenizer, texts, terms, settings, code)


def _shares(arguments: Arguments, own: Sequence[Term]) -> list[Share]:
    """What each entry of a combination reads, or the method."""
    names, control = arguments.data.dataset_name or [], arguments.control
    change = answers_only(arguments.data.answer_sentence) if control is not None and control.answer_only else None
    if not arguments.entries:
        return [Share(arguments.method.format, arguments.form, names, _marks(own), change)]
    return [
        Share(
            each.method.format,
            each.form if each.keys.data else arguments.form,
            each.keys.data or names,
            _marks(entry_terms(each)),
            change,
        )
        for each in arguments.entries
    ]


def _marks(terms: Sequence[Term]) -> bool:
    return any(term.reads_answers for term in terms)


def _gathers(terms: Sequence[Term]) -> bool:
    return any(term.gathers() for term in terms)


def _alignment(arguments: Arguments) -> AlignMode:
    knobs = [*(each.knobs for each in arguments.entries), arguments.knobs]
    return next((mode for each in knobs if (mode := each.alignment()) is not None), "edit")


class Fit(NamedTuple):
    """How sequences become token ids: what becomes of those over `longest`, how key tokens are chosen, the seed."""

    too_long: str
    longest: int
    align: AlignMode
    seed: int
    thinking: int | None = None
    """Tokens of thinking that a sequence may have."""


class Split:
    """The rows of one split, read and gathered."""

    def __init__(
        self, arguments: Arguments, shares: Sequence[Share], split: str, by_problem: bool, fault: Fault | None = None
    ) -> None:
        self.shares, self.by_problem, self.combined = shares, by_problem, bool(arguments.entries)
        self.fault, self.left_out = fault, Counter[str]()
        self.loaded: list[LoadedRows] = []
        data = arguments.data
        self.groups = Groups(data.system, data.answer_sentence, by_problem, data.answer_at)
        overlaps: dict[str, Overlap] = {}
        for share in shares:
            loaded = read(share.names, where_of(arguments, share.form, share.stated, split))
            overlaps[loaded.name] = loaded.overlap
            if (loaded.name, loaded.sha256) not in [(each.name, each.sha256) for each in self.loaded]:
                self.loaded.append(loaded)
            self.groups.add(self._fitting_rows(loaded.rows), share.marked, share.change)
        self.overlap = total(overlaps.values())
        self.left_out.update(self.overlap.counts())

    def _fitting_rows(self, rows: Sequence[LoadedRow]) -> list[LoadedRow]:
        """Rows without a fault, the others counted. Raises UsageError where none is left."""
        if self.fault is None:
            return list(rows)
        faults = [self.fault(each.row) for each in rows]
        self.left_out.update(fault for fault in faults if fault)
        fitting = [each for each, fault in zip(rows, faults, strict=True) if not fault]
        if not fitting:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
            raise NothingToLearn(
                f"no row is left of {len(rows)}: {reasons}",
                f"a row of this training is of the problem {rows[0].row.problem_id}",
                "name an eval of the same problems, or train on all of them",
            )
        return fitting

    def encoded(self, student: Student, objective: Objective, fit: Fit, left_out: Counter[str]) -> list[Group]:
        """Groups that the objective reads something of; what is left out is counted in `left_out`."""
        groups = list(self.groups.encoded(student.tokenizer, fit.align, fit.seed))
        left_out.update(self.left_out)
        if (tokens := fit.thinking) is not None:
            groups = _counting(
                groups,
                lambda group: thinking_at_most(group, tokens),
                left_out,
                "thinking too long",
                "max_reasoning_tokens",
            )
        if fit.too_long == "skip":
            groups = _counting(groups, lambda group: fitting(group, fit.longest), left_out, "too long", "max_length")
        if (draws := objective.reading().draws) is not None:
            groups = comparable(groups, draws.kinds, left_out, keep=self.combined)
        read_by_one = [group for group in groups if objective.takes(group)]
        left_out["not read by any term"] = len(groups) - len(read_by_one)
        return read_by_one or groups  # the trainer says what is missing in them


def _counting(
    groups: Sequence[Group], shortened: Callable[[Group], Group | None], left_out: Counter[str], reason: str, flag: str
) -> list[Group]:
    """The groups without some of their members; how many those are is counted under the reason.

    Raises UsageError naming the flag where none is left.
    """
    before = sum(len(group["members"]) for group in groups)
    left = [short for group in groups if (short := shortened(group)) is not None]
    left_out[reason] = before - sum(len(group["members"]) for group in left)
    if groups and not left:
        raise NothingToLearn(
            f"all {before} sequences are {reason}", "there is nothing to learn from", f"raise --{flag}"
        )
    return left


def _plain(arguments: Arguments, source: Split) -> Split:
    """Plain rationales for the control repeat_sft: of runs their sft rows, of files the right sides."""
    shares: list[Share] = []
    for share in source.shares:
        for name in share.names:
            form = SFT if is_run(name) else share.form
            one = Share(form, share.stated, [name], False, right_sides)
            if one not in shares:
                shares.append(one)
    plain = replace(arguments, control=None)
    return Split(plain, _joined(shares), arguments.data.dataset_train_split, by_problem=False, fault=source.fault)


def _joined(shares: Sequence[Share]) -> list[Share]:
    """Shares that are read alike as one, so that they are one source in the manifest."""
    joined: list[Share] = []
    for share in shares:
        if joined and joined[-1]._replace(names=[]) == share._replace(names=[]):
            joined[-1] = share._replace(names=[*joined[-1].names, *share.names])
        else:
            joined.append(share)
    return joined


def _eval_rows(arguments: Arguments, source: Split, student: Student, objective: Objective, fit: Fit) -> Dataset | None:
    names = arguments.data.eval_dataset_name
    if not names:
        return None
    shares = [each._replace(names=names) for each in source.shares]
    whole = replace(arguments, data=replace(arguments.data, max_per_problem=None, max_rows=None, exclude_overlap=False))
    split = Split(whole, shares, arguments.data.dataset_test_split, source.by_problem)
    key = _key(arguments, student, [split], [objective], fit)
    return cached_rows(key, lambda: (split.encoded(student, objective, fit, Counter()), {}))[0]


def where_of(arguments: Arguments, form: Format, stated: Format | None, split: str) -> Where:
    """How the rows of a split are read, by all flags that choose among them."""
    data = arguments.data
    return Where(
        form=form,
        stated=stated,
        options=options_of(arguments),
        config=data.dataset_config,
        split=split,
        per_problem=data.max_per_problem,
        most=data.max_rows,
        seed=arguments.training.seed,
        exclude_overlap=data.exclude_overlap,
    )


def options_of(arguments: Arguments) -> Options:
    """Which rationales are taken of a run."""
    data, control = arguments.data, arguments.control
    options = replace(
        arguments.knobs.options(),
        roles=tuple(data.roles or ()),
        authors=tuple(data.authors or ()),
        cut_off=data.cut_off,
        unjudged=data.unjudged,
        reasoning=data.reasoning,
        wrong_from=data.wrong_from,
        min_step_probability=data.min_step_probability,
    )
    _refuse_idle_start(arguments, options)
    return replace(options, grader_only=True) if control is not None and control.grader_only else options


def _refuse_idle_start(arguments: Arguments, options: Options) -> None:
    """Raises UsageError where `wrong_from` or its probability would change nothing that is trained on."""
    formats = [each.method.format for each in arguments.entries] or [arguments.method.format]
    if options.wrong_from == ALL.wrong_from and options.min_step_probability != ALL.min_step_probability:
        raise UsageError(
            "--min_step_probability without --wrong_from first_wrong_step", "it would change no row", "add it"
        )
    if options.wrong_from != ALL.wrong_from and not any("wrong_from" in each.options for each in formats):
        raise UsageError(
            f"--wrong_from {options.wrong_from} with {arguments.method.name}",
            f"it reads rows of the format {', '.join(dict.fromkeys(each.name for each in formats))}, which have no "
            "wrong texts, or none that count from a later step on",
            "leave it out, or choose nat, edit, or terms that read their rows",
        )


def limit_length(arguments: Arguments, student: Student) -> int:
    """Tokens that a sequence may have; told to the trainer, which refuses longer ones with their count."""
    limits = [limit for limit in (arguments.training.max_length, student.context) if limit]
    arguments.training.max_length = min(limits, default=None)
    return arguments.training.max_length or UNLIMITED
