"""Transcripts and eval items inside the page: compact JSON, in blocks of gzip as base64, with an index to filter by.

    transcript -> compact (below) -> block of about BLOCK bytes -> gzip -> base64 -> a <script> of the page

The page inflates a block when one of its transcripts is opened, and all of them for a full-text search. Messages of
calls are left out (prompts repeat: the prompt's id and version stand there); a reply stands once, in the rationale,
review or explanation it became, and at the call only where it became none. Null and empty values are left out.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Collection, Iterator, Sequence
from typing import IO, Any

from errata.records import Pair, Rationale, Transcript, to_json
from errata.report.log_totals import difficulty
from errata.runs.ran_stages import JUDGED_ROLES

Json = dict[str, Any]
BLOCK = 1 << 18
"""Bytes of JSON in a block, before compression: inflating and parsing one takes a few milliseconds."""
QUESTION = 200
"""Characters of a question that the list shows."""
MOST_BYTES = 96 << 20
"""Of base64 in a page; what comes after is left out, and the page says so."""


class Archive:
    """Writes blocks to `out` (a scratch file) and keeps the index: about 200 bytes per transcript."""

    def __init__(self, out: IO[bytes], most_bytes: int = MOST_BYTES, block: int = BLOCK) -> None:
        self._out, self._most, self._block, self._size = out, most_bytes, block, 0
        self._pending: list[bytes] = []
        self._weight = 0
        self._first = 0
        self.blocks: list[int] = []
        """Number of the first entry of each block."""
        self.lengths: list[int] = []
        self.entries = 0
        self.left_out = 0

    def add(self, entry: Any) -> bool:
        """Appends one entry; False where the page is full and it was left out."""
        if self._size + self._weight // 4 > self._most:
            self.left_out += 1
            return False
        line = to_json(entry)
        self._pending.append(line)
        self._weight += len(line)
        self.entries += 1
        if self._weight >= self._block:
            self._flush()
        return True

    def close(self) -> None:
        """Ends the last block; nothing is added afterwards."""
        self._flush()

    def _flush(self) -> None:
        if self._pending:
            block = packed(b"[" + b",".join(self._pending) + b"]")
            self._out.write(block)
            self.blocks.append(self._first)
            self.lengths.append(len(block))
            self._size += len(block)
        self._first, self._pending, self._weight = self.entries, [], 0

    def read(self) -> Iterator[str]:
        """The blocks of a closed archive, one at a time."""
        self._out.seek(0)
        for length in self.lengths:
            yield self._out.read(length).decode("ascii")


def packed(data: bytes) -> bytes:
    """gzip as base64, the same bytes every time. Base64 holds nothing that HTML could take for markup."""
    return base64.b64encode(gzip.compress(data, 6, mtime=0))


# ---- transcripts -----------------------------------------------------------------------------------------------------


def compact(transcript: Transcript) -> Json:
    """A transcript as the page reads it. Offsets are in UTF-16 units, as JavaScript counts."""
    problem, numbers = transcript.problem, {each.id: n for n, each in enumerate(transcript.rationales)}
    texts = {each.id: each.text for each in transcript.rationales}
    return _filled({
        "id": problem.id,
        "task": problem.task,
        "split": problem.split,
        "question": problem.question,
        "gold": problem.answer,
        "choices": problem.choices,
        "solution": problem.rationale,
        "meta": problem.meta,
        "outcome": transcript.outcome.model_dump(),
        "rationales": [_rationale(each, numbers) for each in transcript.rationales],
        "explanations": [
            _filled({"by": e.author, "of": numbers[e.rationale_id], "text": e.text, "kinds": e.kinds})
            for e in transcript.explanations
        ],
        "pairs": [_pair(each, numbers, texts) for each in transcript.pairs],
        "calls": _calls(transcript, numbers),
    })  # fmt: skip


def _rationale(each: Rationale, numbers: dict[str, int]) -> Json:
    return _filled({
        "by": each.author,
        "role": each.role,
        "text": each.text,
        "reasoning": each.reasoning,
        "sample": each.sample,
        "answer": each.answer,
        "correct": each.correct,
        "estimated": each.estimated,
        "rule": each.grade_rule,
        "span": utf16(each.text, [each.answer_span])[0] if each.answer_span else None,
        "sound": each.sound,
        "saw": each.saw_answer or None,
        "truncated": each.truncated or None,
        "dropped": each.dropped,
        "accepted": each.accepted,
        "parent": numbers.get(each.parent_id) if each.parent_id else None,
        "reviews": [
            _filled({
                "by": review.reviewer,
                "score": review.score if review.valid else None,
                "text": review.text,
                "lost": review.lost or None,
                "blind": review.blind or None,
            })
            for review in each.reviews
        ],
    })  # fmt: skip


def _pair(pair: Pair, numbers: dict[str, int], texts: dict[str, str]) -> Json:
    right, wrong = texts[pair.right], texts[pair.wrong]
    return _filled({
        "right": numbers[pair.right],
        "wrong": numbers[pair.wrong],
        "origin": pair.origin,
        "ratio": round(pair.edit_ratio, 4),
        "band": pair.in_band,
        "right_spans": utf16(right, joined(right, pair.right_spans)),
        "wrong_spans": utf16(wrong, joined(wrong, pair.wrong_spans)),
    })  # fmt: skip


def joined(text: str, spans: Sequence[Sequence[int]]) -> list[list[int]]:
    """Spans with nothing but white space between them as one."""
    merged: list[list[int]] = []
    for start, end in spans:
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1][1] = end
        else:
            merged.append([start, end])
    return merged


def utf16(text: str, spans: Sequence[Sequence[int]]) -> list[list[int]]:
    """Character offsets as UTF-16 offsets: characters beyond the basic plane count twice."""
    if text.isascii() or max(text, default="") <= "\uffff":
        return [list(span) for span in spans]
    units = [0]
    for letter in text:
        units.append(units[-1] + (2 if letter > "\uffff" else 1))
    return [[units[start], units[end]] for start, end in spans]


def _calls(transcript: Transcript, numbers: dict[str, int]) -> list[Json]:
    became: dict[str, set[str]] = {}
    for each in transcript.rationales:
        for id_ in each.call_ids:
            became.setdefault(id_, set()).add(each.text)
        for review in each.reviews:
            for id_ in review.call_ids:
                became.setdefault(id_, set()).add(review.text)
    for explanation in transcript.explanations:
        for id_ in explanation.call_ids:
            became.setdefault(id_, set()).add(explanation.text)
    return [
        _filled({
            "agent": call.agent,
            "verb": call.verb,
            "about": numbers.get(call.about) if call.about else None,
            "prompt": call.prompt,
            "model": call.served or call.model,
            "sample": call.sample or None,
            "attempt": call.attempt or None,
            "tokens": [call.prompt_tokens, call.completion_tokens],
            "usd": call.price_usd,
            "finish": call.finish_reason,
            "failure": call.failure,
            "reply": None if call.reply in became.get(call.id, ()) else call.reply,
        })
        for call in transcript.calls
    ]  # fmt: skip


def _filled(record: Json) -> Json:
    """Without what is null or an empty list; false and 0 stay."""
    return {key: value for key, value in record.items() if value is not None and value != [] and value != ()}


# ---- the index -------------------------------------------------------------------------------------------------------


class Index:
    """Columns over the transcripts, for lists and filters: numbers of transcripts by what is true of them."""

    def __init__(self, judged_roles: Collection[str] = JUDGED_ROLES) -> None:
        self._judged_roles = judged_roles
        self.ids: list[str] = []
        self.questions: list[str] = []
        self.counts: list[list[int | None]] = []
        """Rationales written, right (None without a gold answer), accepted; the spread of the most disputed one's
        scores."""
        self.facets: dict[str, dict[str, list[int]]] = {}
        """By filter and value: the transcripts' numbers."""
        self.pairs: list[list[Any]] = []
        """Transcript, place in it, origin, edit ratio, author of the wrong side."""

    def add(self, transcript: Transcript) -> None:
        number, problem = len(self.ids), transcript.problem
        rationales = transcript.rationales
        self.ids.append(problem.id)
        self.questions.append(" ".join(problem.question[: QUESTION + 1].split())[:QUESTION])
        self.counts.append([
            len(rationales),
            None if problem.answer is None else sum(bool(each.correct) for each in rationales),
            sum(each.accepted is True for each in rationales),
            max((_spread(each) for each in rationales), default=0),
        ])  # fmt: skip
        for name, value in _facets(transcript, self._judged_roles):
            self.facets.setdefault(name, {}).setdefault(value, []).append(number)
        authors = {each.id: each.author for each in rationales}
        for place, pair in enumerate(transcript.pairs):
            self.pairs.append([number, place, pair.origin, round(pair.edit_ratio, 3), authors[pair.wrong]])

    def columns(self) -> Json:
        """What the page reads."""
        return {
            "ids": self.ids,
            "questions": self.questions,
            "counts": self.counts,
            "facets": {
                name: {value: _gaps(numbers) for value, numbers in values.items()}
                for name, values in self.facets.items()
            },
            "pairs": self.pairs,
        }


def _gaps(numbers: Sequence[int]) -> list[int]:
    """Ascending numbers as differences, which compress well; repeats (several of one transcript) are dropped."""
    unique = sorted(set(numbers))
    return [number - before for before, number in zip([0, *unique], unique, strict=False)]


def _spread(rationale: Rationale) -> int:
    scores = [review.score for review in rationale.reviews if review.valid and review.score is not None]
    return max(scores) - min(scores) if scores else 0


def _facets(transcript: Transcript, judged_roles: Collection[str]) -> Iterator[tuple[str, str]]:
    """(filter, value) of one transcript."""
    outcome, rationales = transcript.outcome, transcript.rationales
    yield "outcome", outcome.status + (f": {outcome.reason.replace('_', ' ')}" if outcome.reason else "")
    answers = [bool(each.correct) for each in rationales if each.role == "student"]
    if answers and transcript.problem.answer is not None:
        yield "student", "right" if all(answers) else "wrong" if not any(answers) else "mixed"
    for each in rationales:
        if each.role in judged_roles and each.accepted is True:
            yield "accepted from", each.author
        if each.role in judged_roles and each.accepted is not None:
            yield from (("panel", verdict) for verdict in _verdicts(each))
        if each.truncated:
            yield "calls", "a reply cut off"
    for explanation in transcript.explanations:
        for kind in explanation.kinds:
            yield "mistake", kind
    for pair in transcript.pairs:
        yield "pair", pair.origin
    if any(call.failure for call in transcript.calls):
        yield "calls", "a call failed"
    if any(call.attempt for call in transcript.calls):
        yield "calls", "asked again"
    for name, value in difficulty(transcript.problem.meta).items():
        yield name, str(value)


def _verdicts(each: Rationale) -> Iterator[str]:
    accepted, right, wrong = each.accepted, each.correct is True, each.correct is False
    if accepted and each.role == "revised":
        yield "accepted after revision"
    if accepted and wrong:
        yield "accepted though wrong"
    if not accepted and right:
        yield "rejected though right"
    if accepted and right and each.sound is False:
        yield "accepted though unsound"
    if _spread(each) >= 3:
        yield "reviewers far apart"
