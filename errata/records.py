"""The nouns: problem, call, rationale, review, explanation, pair, transcript; typed, versioned, JSON in and out.

    Problem --calls--> Rationale <- Review
                         |  ^------ Explanation (of a mistake)
                         +-- Pair (right, wrong)
    Transcript = one problem's whole story, one line of transcripts.jsonl

Records are frozen; a later state of the same thing (a reviewed rationale) is a new record with the same id. Ids are
hashes of what identifies the thing: no clock, no uuid, no random generator enters them.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import PydanticSerializationError

SCHEMA = 1
"""Version of the transcript line. Raised when a reader of the old lines would misread the new ones."""

AnswerKind = Literal["number", "latex", "choice", "boolean", "string", "list", "set", "ratio", "interval"]
MistakeKind = Literal["logical", "knowledge", "calculation", "other"]
Origin = Literal["rectified", "corrupted", "natural", "student"]
Status = Literal["done", "rejected", "failed"]


class Span(NamedTuple):
    """A stretch of a text as character offsets, end exclusive."""

    start: int
    end: int


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SparseRecord(Record):
    """A record that is written without the fields it names, where they have their defaults."""

    written_where_set: ClassVar[tuple[str, ...]]

    @model_serializer(mode="wrap")
    def _without_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = write(self)
        for name in self.written_where_set:
            if getattr(self, name) == type(self).model_fields[name].default:
                fields.pop(name, None)
        return fields


class Problem(SparseRecord):
    """One question with its gold answer, None where nobody has one. `position` is its place in the input, counted
    from 0; it is not in the id."""

    id: str
    task: str
    question: str
    answer: str | None
    kind: AnswerKind
    position: int = 0
    split: str | None = None
    choices: tuple[str, ...] = ()
    """Option texts without their letters; option 0 is A."""
    rationale: str | None = None
    """The data set's own worked solution."""
    meta: dict[str, Any] = Field(default_factory=dict)
    answers: tuple[str, ...] = ()
    """Further golds: each is as right as `answer`. Written only where there are some."""
    written_where_set = ("answers",)


class Message(Record):
    role: Literal["system", "user", "assistant"]
    content: str


class Call(SparseRecord):
    """One logged call: what was asked of which model and what came back, reply or failure.

    `price_usd` is that of the first payment and None where the price is unknown. Whether *this* run paid for it or had
    it in its store stands in the manifest, so that a resumed run writes the same line.
    """

    id: str
    agent: str
    stage: str | None = None
    """The stage of the pipeline that made it; None in logs of versions before it was recorded."""
    verb: str
    """The prompt's name without its folder: `solve` of `teacher/solve`."""
    about: str | None = None
    """Id of the rationale the call is about: the one reviewed, explained, rectified, corrupted or revised."""
    prompt: str
    """Prompt id and version, as in `teacher/solve@1`."""
    prompt_hash: str
    model: str
    served: str | None = None
    """The model name the provider says it used."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    messages: tuple[Message, ...]
    sample: int = 0
    attempt: int = 0
    """0 for the first try of this sample, 1 for the second, ..."""
    reply: str | None = None
    reasoning: str | None = None
    """The provider's separate thinking, where it sends any."""
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that the provider read from its cache; this and the next are written only where there are some."""
    cache_write_tokens: int = 0
    """Prompt tokens that the provider wrote to its cache, where it charges for that."""
    price_usd: float | None = 0.0
    failure: str | None = None
    """Why no reply came, after all retries; None when `reply` is there."""
    fallback: str | None = None
    """The agent that answered in place of `agent`, which was refused or out; `model` is then this one's."""
    unreadable: str | None = None
    """Why the reply could not be read, so that a fresh try followed unless there was none left. Written only where
    there is a reason; logs of versions before it was recorded have none."""
    written_where_set = ("unreadable", "cached_tokens", "cache_write_tokens")


class Review(Record):
    id: str
    reviewer: str
    score: int | None
    """1 to 5; None where the reply held no valid score or the call was lost."""
    valid: bool
    text: str
    blind: bool = False
    """True where the reviewer was not shown the gold answer."""
    lost: bool = False
    """True where the provider failed, so that the reviewer has not spoken at all."""
    call_ids: tuple[str, ...] = ()


class StepVote(Record):
    """What one source says of the first wrong step of a rationale."""

    source: str
    """arithmetic, rewritten, prefixes or reviewer; person, of a mark that was laid over the log."""
    by: str = ""
    """The agent behind it: who rewrote, went on or judged; empty where it is nobody's."""
    step: int | None = None
    """The step's number, counted from 0; None where the source finds none."""


class WrongStep(Record):
    """Where a rationale first goes wrong: a distribution over its steps, and the likeliest one."""

    span: Span
    """The likeliest first wrong step."""
    probability: float
    """That it is this one."""
    steps: tuple[Span, ...]
    """All steps; they tile the text."""
    probabilities: tuple[float, ...]
    """Of each step; their sum is 1 but for rounding."""
    votes: tuple[StepVote, ...] = ()


class ShortReasoning(Record):
    """The thinking before a rationale in fewer words, by its author."""

    text: str
    call_ids: tuple[str, ...] = ()


class Rationale(SparseRecord):
    id: str
    problem_id: str
    author: str
    role: str
    """As what it was written: teacher, student, revised, rectified, corrupted, or a role of one's own stage."""
    text: str
    """As the model wrote it, unchanged."""
    reasoning: str | None = None
    sample: int = 0
    answer: str | None = None
    correct: bool | None = None
    """By the gold answer; None where there is none."""
    grade_rule: str | None = None
    """The grading rule that fired; without a gold answer, how the answer was read."""
    answer_span: Span | None = None
    """Where in `text` the answer was read."""
    sound: bool | None = None
    """Every written step is true; None where that cannot be known (anything but the classroom)."""
    saw_answer: bool = False
    """The author was shown the gold answer (rectified, corrupted, revised from a non-blind critique)."""
    truncated: bool = False
    """The reply was cut off at the length limit."""
    dropped: str | None = None
    """Why a filter set it aside (near-duplicate, too long); None where it stays."""
    accepted: bool | None = None
    """The panel's verdict; None where no panel sat or its verdict is open because reviews were lost."""
    reviews: tuple[Review, ...] = ()
    parent_id: str | None = None
    """The rationale this one rewrites."""
    call_ids: tuple[str, ...] = ()
    stand_in: str | None = None
    """The agent that wrote it in the author's place, by the recipe's `fallback`; None where the author did."""
    estimated: float | None = None
    """Without a gold answer, the probability that its answer is right, as far as the problem's other rationales and
    their reviews tell (errata.graphs.estimated). Written only where there is one."""
    wrong_step: WrongStep | None = None
    """Where it first goes wrong, as the stage `locate` finds it. Written only where there is one."""
    marked: bool | None = None
    """Right or wrong as a person marked it (`errata audit`). Laid over the log when it is read; it is never in it."""
    short_reasoning: ShortReasoning | None = None
    """`reasoning` in fewer words, by the stage `shorten_thinking`. Written only where there is one."""

    @property
    def is_right(self) -> bool | None:
        """By the gold answer where there is one, else by a person's mark, else by the estimate: over 0.5 is right.

        None: open.
        """
        if self.correct is not None or self.marked is not None:
            return self.marked if self.correct is None else self.correct
        return None if self.estimated is None else self.estimated > 0.5

    written_where_set = ("estimated", "wrong_step", "short_reasoning", "marked")


class Explanation(Record):
    """A teacher's explanation of the mistake in one rationale."""

    id: str
    author: str
    rationale_id: str
    text: str
    kinds: tuple[MistakeKind, ...] = ()
    call_ids: tuple[str, ...] = ()


class Pair(Record):
    """A right and a wrong rationale of one problem.

    `edit_ratio` is the Levenshtein distance over whitespace-delimited words, divided by the longer length; the key
    spans are the words of each side that the alignment does not match, as character offsets.
    """

    id: str
    right: str
    wrong: str
    origin: Origin
    edit_ratio: float
    in_band: bool
    right_spans: tuple[Span, ...] = ()
    wrong_spans: tuple[Span, ...] = ()


class Outcome(Record):
    status: Status
    reason: str | None = None


class Transcript(Record):
    """One problem's whole story. The line of transcripts.jsonl is `to_line()`."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    graph: str
    problem: Problem
    rationales: tuple[Rationale, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    pairs: tuple[Pair, ...] = ()
    calls: tuple[Call, ...] = ()
    outcome: Outcome

    def to_line(self) -> bytes:
        """The transcript as one line of JSON, newline included."""
        try:
            return self.model_dump_json(by_alias=True).encode() + b"\n"
        except (PydanticSerializationError, UnicodeEncodeError):
            return to_json(self.model_dump(by_alias=True)) + b"\n"

    @classmethod
    def from_line(cls, line: bytes | str) -> Transcript:
        """Raises pydantic.ValidationError on a line that is not a transcript."""
        return cls.model_validate_json(line)


def to_json(value: Any) -> bytes:
    """Compact JSON as UTF-8 bytes; a lone surrogate, which UTF-8 cannot hold, becomes U+FFFD."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(_encodable(value))


def _encodable(value: Any) -> Any:
    """`value` with everything JSON cannot hold exactly replaced: surrogates, integers over 64 bits, tuples."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_encodable(str(key)): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return str(value)
    return value


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: equal values give equal bytes."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return orjson.dumps(_encodable(value), option=orjson.OPT_SORT_KEYS)


def digest(*parts: Any, length: int = 16) -> str:
    """A hex id of `length` characters that depends on every part and its place."""
    return hashlib.sha256(canonical(parts)).hexdigest()[:length]


def draw(*parts: Any) -> float:
    """A number in [0, 1) that is a hash of the parts: errata's only source of random choices."""
    return int.from_bytes(hashlib.sha256(canonical(parts)).digest()[:7]) / 2**56
