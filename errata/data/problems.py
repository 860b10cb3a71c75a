"""A file, hub id or the classroom becomes problems: a stream that can be begun again, each problem once.

    rows (readers.py) -> where -> mapping (mappings.py) -> split -> exclude -> duplicates out -> Problem

Ids are `task:ID` from the data's own ids, else `task:` and a hash of the question and its options. Memory is that of
one row (of a whole JSON array, its file), plus at most 80 bytes per problem.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from errata.config.env import expand
from errata.data.fields import BadField, Fields, at, preview
from errata.data.mappings import Reader, reader
from errata.data.only import ids_in
from errata.data.readers import rows_of
from errata.data.source import ProblemSource
from errata.errors import UsageError
from errata.records import Problem, canonical, digest

EXAMPLES = 3
DEEPEST = 64
"""Levels of a problem's meta; JSON, as problems are logged in, ends at four times that."""
_SPLITS = {"train", "test", "dev", "validation", "valid", "val", "eval"}
_NOTED = {
    "duplicates": "left out: the same record stood there before",
    "repeated": "kept: the same question stood there before under another id",
    "skipped": "left out: the record is no problem",
    "excluded": "left out: an excluded source asks the same question",
    "without_gold": "kept: there is no gold answer, so verdicts are estimated",
}
"""What is counted of the input, and in words."""
_MARKS = re.compile(r"(?<!\d)[.,;:!?\"'“”‘’]|[.,;:!?\"'“”‘’](?!\d)")


class Problems:
    """The problems of a source in input order, `position` counted from 0; `limit` cuts off what comes after it.

    Iterating raises UsageError naming file, place and field: a record that is no problem, two problems of one id, a
    set that is empty. The counts are those of the latest iteration, as far as it went.
    """

    def __init__(self, source: ProblemSource, limit: int | None = None) -> None:
        self._source, self._limit = source, limit
        self._name = expand(source.source)
        self._banned: Fingerprints | None = None
        self._begin()
        if self._name == "classroom":
            return
        if source.options:
            what = f"problems.options is set for {self._name}"
            raise UsageError(what, "options belong to the classroom", "remove problems.options")
        for name in _files(self._name):
            self._reader(name)

    def _reader(self, name: str) -> tuple[Reader, str]:
        """How the records of this file are read, and the task they are named by."""
        source = self._source
        names = [each for each in (source.task, source.config, Path(name).stem) if each]
        read, task = reader(source.mapping, names, source.gold)
        return read, source.task or task

    def _begin(self) -> None:
        self.duplicates = 0
        """Records left out because they stood there before, the same in id and content."""
        self.repeated = 0
        """Problems kept whose question and options stood there before under another id."""
        self.skipped = 0
        """Records left out because they are no problem, where `on_bad_record` is skip."""
        self.excluded = 0
        """Problems left out because a source in `exclude` asks the same question."""
        self.without_gold = 0
        """Problems kept that have no gold answer."""
        self._number: int | None = None
        """Of all problems, where the iteration has come to their end before the limit."""
        self._examples: dict[str, list[str]] = {name: [] for name in _NOTED}

    def notes(self) -> list[str]:
        """What was left out or looks twice, with the places of the first few, and a limit that is not reached."""
        notes = []
        for what, words in _NOTED.items():
            if count := getattr(self, what):
                places = ", ".join(self._examples[what]) + (", ..." if count > EXAMPLES else "")
                notes.append(f"{count} {what}, {words} ({places})")
        if self._number is not None and self._limit is not None:
            notes.append(f"limit is {self._limit:,}, and {self._name} gives {self._number:,} problems")
        return notes

    def __iter__(self) -> Iterator[Problem]:
        self._begin()
        contents, questions = Fingerprints(), Fingerprints()
        banned = self._banned_questions()
        only = ids_in(Path(expand(self._source.only))) if self._source.only else None
        position = 0
        for place, problem, own_id in self._mapped():
            if only is not None and problem.id not in only:
                continue
            question = fingerprint(overlap_key(problem))
            if banned is not None and banned.get(question) is not None:
                self._count("excluded", place)
                continue
            content = _content(problem)
            before = contents.add(fingerprint(problem.id), content)
            if before == content:
                self._count("duplicates", place)
                continue
            if before is not None:
                self._bad(place, self._clash(place, problem, own_id))
                continue
            if own_id and questions.add(question, 1) is not None:
                self._count("repeated", place)
            if problem.answer is None:
                self._count("without_gold", place)
            yield problem.model_copy(update={"position": position})
            position += 1
            if position == self._limit:
                return
        if not position:
            raise self._empty()
        self._number = position

    def _count(self, what: str, place: str) -> None:
        setattr(self, what, getattr(self, what) + 1)
        if len(self._examples[what]) < EXAMPLES:
            file, _, rest = place.partition(", ")
            self._examples[what].append(", ".join(filter(None, (file.rpartition("/")[2], rest))))

    def _bad(self, place: str, error: UsageError) -> None:
        """Count a record that is no problem, with the reason; raise where bad records are refused."""
        if self._source.on_bad_record == "refuse":
            raise error from None
        self._count("skipped", f"{place}: {error.found.removeprefix(f'{place}').lstrip(', :')[:80]}")

    def _mapped(self) -> Iterator[tuple[str, Problem, bool]]:
        """Place, problem, and whether its id is the data's own."""
        if self._name != "classroom":
            for name in _files(self._name):
                yield from self._of_file(name)
            return
        from errata.classroom import problems as classroom

        source, split = self._source, self._source.split
        options = source.options if split is None else {"split": split, **source.options}
        for number, problem in enumerate(classroom.problems(options), 1):
            if source.gold == "none":
                problem = problem.model_copy(update={"answer": None, "rationale": None})
            yield f"problem {number}", problem, False

    def _of_file(self, name: str) -> Iterator[tuple[str, Problem, bool]]:
        source, split = self._source, self._source.split
        read, task = self._reader(name)
        presumed = _presumed_split(name, source)
        for row in rows_of(name, source):
            place = f"{name}, {row.place}"
            if row.error:
                self._bad(place, row.error)
                continue
            try:
                if any(at(row.data, path) != wanted for path, wanted in source.where.items()):
                    continue
                fields = read(row.data)
                belongs = fields.split or presumed
                if split is not None and belongs is None:
                    do = "name it in the mapping (split: FIELD), or leave problems.split out"
                    raise BadField("split", "it is not known", "problems.split asks for it", do)
                if split is None or belongs == split:
                    yield place, _problem(fields, task, belongs), fields.id is not None
            except BadField as bad:
                self._bad(place, UsageError(f"{place}, field {bad.path}: {bad.found}", bad.why, bad.do))

    def _banned_questions(self) -> Fingerprints | None:
        if self._banned is None and self._source.exclude:
            banned = Fingerprints()
            for source in self._source.exclude:
                for problem in Problems(source):
                    banned.add(fingerprint(overlap_key(problem)), 1)
            self._banned = banned
        return self._banned

    def _clash(self, place: str, problem: Problem, own_id: bool) -> UsageError:
        return UsageError(
            f"{place}, field {'id' if own_id else 'question'}: another record has the id {problem.id}",
            "the two differ in question, options or answer, and an id stands for one problem",
            "mend the ids" if own_id else "remove one of the two, or name a field with ids in the mapping",
        )

    def _empty(self) -> UsageError:
        source = self._source
        narrowed = [key for key in ("split", "where", "only", "exclude") if getattr(source, key)]
        passes = f" that passes {', '.join(narrowed)}" if narrowed else ""
        return UsageError(
            f"{self._name} holds no problem{passes}",
            f"{self.excluded} were excluded" if self.excluded else "there is nothing to work on",
            f"widen problems.{narrowed[0]}, or check the file" if narrowed else "check the file",
        )


def _files(name: str) -> list[str]:
    """The files that a name with * or ? in it stands for, sorted; else the name itself."""
    if not set(name) & set("*?") or Path(name).exists():
        return [name]
    files = sorted(each for each in glob(name) if Path(each).is_file())
    if not files:
        raise UsageError(f"{name}: no such file", "problems are read from the files it stands for", "check the path")
    return files


def _problem(fields: Fields, task: str, split: str | None) -> Problem:
    name = fields.id if fields.id is not None else digest(fields.question, *fields.choices)
    try:
        return Problem(
            id=f"{task}:{name}",
            task=task,
            question=fields.question,
            answer=fields.answer,
            kind=fields.kind,
            split=split,
            choices=fields.choices,
            answers=fields.answers,
            rationale=fields.rationale,
            meta=_plain(fields.meta),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadField(".".join(map(str, first["loc"])), preview(first.get("input")), first["msg"]) from None


def _content(problem: Problem) -> int:
    parts = [problem.question, problem.answer, problem.choices, problem.kind, *problem.answers]
    return fingerprint(canonical(parts))


def _presumed_split(name: str, source: ProblemSource) -> str | None:
    """The split a whole source belongs to: what a data set was loaded as, else what the file's name says."""
    path = Path(name)
    if (path.is_dir() and not (path / "state.json").exists()) or not path.exists():
        return source.split or "train"
    named = {word for word in re.split(r"[^a-z]+", path.stem.lower()) if word in _SPLITS}
    return named.pop() if len(named) == 1 else None


def _plain(value: Any, depth: int = 0) -> Any:
    """Meta as JSON can hold it; tables may hold dates, decimals and bytes."""
    if depth > DEEPEST:
        raise BadField("meta", f"it is nested more than {DEEPEST} deep", "no line of the log could hold it")
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


# ---- the same question? ----------------------------------------------------------------------------------------------


def normalised(question: str) -> str:
    """A question without what two prints of it may differ in: case, white space, punctuation not within a number."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(_MARKS.sub(" ", text).split())


def overlap_key(problem: Problem) -> bytes:
    """Equal for problems that ask the same: the normalised question and, in any order, its options."""
    return canonical([normalised(problem.question), sorted(normalised(choice) for choice in problem.choices)])


def fingerprint(text: str | bytes) -> int:
    """64 bits that stand for a text; never 0."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") or 1


class Fingerprints:
    """A map from fingerprints to fingerprints, at most 30 bytes per entry, 50 while it grows; a dict takes over 100.

    Open addressing with linear probing, at most four fifths full; key 0 marks an empty slot.
    """

    def __init__(self) -> None:
        self._keys, self._values = _zeros(64), _zeros(64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: int) -> int | None:
        slot = self._slot(key)
        return self._values[slot] if self._keys[slot] else None

    def add(self, key: int, value: int) -> int | None:
        """The value this key has already; None where it is new and now has `value`."""
        slot = self._slot(key)
        if self._keys[slot]:
            return self._values[slot]
        self._keys[slot], self._values[slot] = key, value
        self._count += 1
        if 5 * self._count > 4 * len(self._keys):
            self._grow()
        return None

    def _slot(self, key: int) -> int:
        size = len(self._keys)
        slot = key % size
        while self._keys[slot] not in (0, key):
            slot = (slot + 1) % size
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        size = len(keys) * 3 // 2 | 1
        self._keys, self._values = _zeros(size), _zeros(size)
        for key, value in zip(keys, values, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot], self._values[slot] = key, value


def _zeros(size: int) -> array[int]:
    return array("Q", [0]) * size
