"""One sequence while it grows: which token is drawn next, where it is over, and the completion that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from errata.models.load import Checkpoint
from errata.models.sampling import Draw, Job

_CLOSING = frozenset(".:\n")


@dataclass(frozen=True, slots=True)
class Generated:
    """A completion. `tokens` are the ids generated, the end token included, so that they may be more than `text` shows;
    `finish_reason` is "stop" at an end token, a stop text or where the job is settled, "length" at max_tokens or at the
    end of the context."""

    text: str
    tokens: tuple[int, ...]
    finish_reason: Literal["stop", "length"]


class Row:
    """One sequence while it grows."""

    def __init__(self, checkpoint: Checkpoint, job: Job) -> None:
        self.job, self.tokens = job, list[int]()
        self._tokenizer, self._ends = checkpoint.tokenizer, checkpoint.ends
        room = checkpoint.context - len(job.prompt) if checkpoint.context is not None else job.decoding.max_tokens
        self.room = min(job.decoding.max_tokens, room)
        # a token that is text holds a byte at least, so a stop text that ends now starts within this window
        self._window = max((len(text.encode()) for text in job.decoding.stop), default=0) + 8

    @property
    def next_draw(self) -> Draw:
        return Draw(self.job.decoding, self.job.seed, len(self.tokens))

    def take(self, token: int) -> Generated | None:
        """Adds the next token; the completion where it is over."""
        self.tokens.append(token)
        if token in self._ends:
            return self._finished("stop", self._text(self.tokens[:-1]))
        if self.job.decoding.stop and self._stops(self._text(self.tokens[-self._window :])):
            text = self._text(self.tokens)
            places = [text.find(stop) for stop in self.job.decoding.stop if stop in text]
            if places:
                return self._finished("stop", text[: min(places)])
        if self.job.settled and _CLOSING & set(self._text([token])):
            text = self._text(self.tokens)
            if (end := self.job.settled(text)) is not None:
                return self._finished("stop", text[:end])
        if len(self.tokens) >= self.room:
            return self._finished("length", self._text(self.tokens))
        return None

    def whole(self, tokens: list[int]) -> Generated:
        """The completion of tokens that were decoded elsewhere, the end token included."""
        self.tokens = tokens
        ended = bool(tokens) and tokens[-1] in self._ends
        text = self._text(tokens[:-1] if ended else tokens)
        end = self.job.settled(text) if self.job.settled else None
        return self._finished("stop" if ended or end is not None else "length", text[:end])

    def _stops(self, text: str) -> bool:
        return any(stop in text for stop in self.job.decoding.stop)

    def _finished(self, reason: Literal["stop", "length"], text: str) -> Generated:
        return Generated(text, tuple(self.tokens), reason)

    def _text(self, tokens: list[int]) -> str:
        text = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text)
