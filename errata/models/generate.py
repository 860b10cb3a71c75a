"""Batched generation with a key-value cache: each row by its own settings, as if it were alone.

Prompts are padded on the left and the padding is masked; a row that has finished leaves the batch. Greedy rows equal
those decoded one by one, and a sampled row draws from its own seed, up to the rounding of the device: in bfloat16 a row
may still turn out otherwise beside other mates, where two tokens are nearly equally likely. On CUDA greedy rows go
through transformers' continuous batching (errata.models.continuous).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from errata.models import continuous, vllm_engine
from errata.models.load import Checkpoint
from errata.models.sampling import Dice, Job

if TYPE_CHECKING:
    from torch import Tensor

ROWS, ROWS_ON_CUDA = 32, 64
"""Rows decoded together at most. On two CPU cores 32 rows of a 135M model give 185 tokens/s, 16 give 154, one 18."""
AT_ONCE_ON_CUDA = 512
"""Rows worth handing over together there: continuous batching fills places as they become free."""

_CLOSING = frozenset(".:\n")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Generated:
    """A completion. `tokens` are the ids generated, the end token included, so that they may be more than `text` shows;
    `finish_reason` is "stop" at an end token, a stop text or where the job is settled, "length" at max_tokens or at the
    end of the context."""

    text: str
    tokens: tuple[int, ...]
    finish_reason: Literal["stop", "length"]


class ContextOverflow(ValueError):
    """A prompt that leaves no room for an answer.

    Args:
        found: tokens of the prompt.
        limit: tokens the model can read and write together.
    """

    def __init__(self, found: int, limit: int) -> None:
        super().__init__(f"the prompt has {found} tokens, the model's context {limit}: no room for an answer")


def most_rows(checkpoint: Checkpoint) -> int:
    """How many sequences are worth handing over at once on the checkpoint's device."""
    return AT_ONCE_ON_CUDA if checkpoint.device.type == "cuda" else ROWS


def check_length(checkpoint: Checkpoint, prompt: Sequence[int]) -> None:
    """Raises ContextOverflow where the prompt fills the context, ValueError where it is empty."""
    if not prompt:
        raise ValueError("the prompt has no tokens")
    if checkpoint.context is not None and len(prompt) >= checkpoint.context:
        raise ContextOverflow(len(prompt), checkpoint.context)


def generate(checkpoint: Checkpoint, jobs: Sequence[Job], rows: int | None = None) -> list[Generated]:
    """The jobs' completions, in their order; decoded in batches of at most `rows` prompts of similar length."""
    done = dict(stream(checkpoint, jobs, rows))
    return [done[place] for place in range(len(jobs))]


def stream(
    checkpoint: Checkpoint,
    jobs: Sequence[Job],
    rows: int | None = None,
    unwanted: Callable[[int], bool] = lambda _: False,
) -> Iterator[tuple[int, Generated]]:
    """The jobs' completions with their places, each as soon as it is finished.

    `unwanted` is asked at every step; a place it names leaves the batch and yields nothing. Raises ContextOverflow and
    ValueError as `check_length` does, before anything is generated.
    """
    for job in jobs:
        check_length(checkpoint, job.prompt)
    if checkpoint.engine is not None:
        yield from _by_vllm(checkpoint, jobs, unwanted)
        return
    left = set(range(len(jobs)))
    if rows is None:
        for place, generated in _continuously(checkpoint, jobs, unwanted):
            left.discard(place)
            yield place, generated
    rows = rows or (ROWS_ON_CUDA if checkpoint.device.type == "cuda" else ROWS)
    order = sorted((place for place in left if not unwanted(place)), key=lambda place: (len(jobs[place].prompt), place))
    for start in range(0, len(order), rows):
        yield from _Batch(checkpoint, jobs, order[start : start + rows]).run(unwanted)


def _by_vllm(
    checkpoint: Checkpoint, jobs: Sequence[Job], unwanted: Callable[[int], bool]
) -> Iterator[tuple[int, Generated]]:
    rows = {place: _Row(checkpoint, job) for place, job in enumerate(jobs) if not unwanted(place)}
    done: dict[int, Generated] = {}

    def over(place: int, tokens: Sequence[int]) -> bool:
        for token in tokens:
            if (generated := rows[place].take(token)) is not None:
                done[place] = generated
                return True
        return False

    rooms = {place: row.room for place, row in rows.items()}
    wanted = {place: row.job for place, row in rows.items()}
    for place in vllm_engine.decode(checkpoint.engine, wanted, rooms, unwanted, over):
        yield place, done.get(place) or rows[place].whole(rows[place].tokens)


def _continuously(
    checkpoint: Checkpoint, jobs: Sequence[Job], unwanted: Callable[[int], bool]
) -> Iterator[tuple[int, Generated]]:
    """Those jobs that transformers' continuous batching takes; where it gives up, what is left stays for batches."""
    places = [place for place, job in enumerate(jobs) if continuous.takes(checkpoint, job)]
    if not places:
        return
    chosen = [jobs[place] for place in places]
    rooms = [_Row(checkpoint, job).room for job in chosen]
    try:
        for number, tokens in continuous.decode(checkpoint, chosen, rooms, lambda n: unwanted(places[n])):
            yield places[number], _Row(checkpoint, chosen[number]).whole(tokens)
    except (RuntimeError, ValueError, AttributeError) as error:
        logger.warning("continuous batching gave up, decoding in batches: %s", error)


class _Batch:
    """Rows decoded together. Every list and tensor holds the rows still running, in the same order."""

    def __init__(self, checkpoint: Checkpoint, jobs: Sequence[Job], places: Sequence[int]) -> None:
        self.checkpoint, self.places = checkpoint, list(places)
        self.rows = [_Row(checkpoint, jobs[place]) for place in places]
        self.dice = Dice([row.job.decoding for row in self.rows], [row.job.seed for row in self.rows])

    def run(self, unwanted: Callable[[int], bool]) -> Iterator[tuple[int, Generated]]:
        import torch

        ids_BT, mask_BT = _padded([row.job.prompt for row in self.rows], self.checkpoint)
        cache: Any = None
        step = 0
        while self.rows:
            with torch.inference_mode():  # not around the yield, whose caller would run in it
                logits_BV, cache = self._forward(ids_BT, mask_BT, cache)
                picked = self.dice.pick(logits_BV, step)
            finished = [row.take(token) for row, token in zip(self.rows, picked, strict=True)]
            left = [
                place
                for place, (done, at) in enumerate(zip(finished, self.places, strict=True))
                if done is None and not unwanted(at)
            ]
            ready = [(at, done) for done, at in zip(finished, self.places, strict=True) if done is not None]
            if len(left) < len(self.rows):
                picked, mask_BT = self._keep(left, picked, mask_BT, cache)
            ids_BT = torch.tensor(picked, device=mask_BT.device)[:, None]
            mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(picked), 1)], dim=-1)
            yield from ready
            step += 1

    def _forward(self, ids_BT: Tensor, mask_BT: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Logits after the last token of every row. `mask_BT` covers the cached tokens as well as `ids_BT`."""
        positions_BT = (mask_BT.cumsum(-1) - 1).clamp_min(0)[:, -ids_BT.shape[1] :]
        out = self.checkpoint.model(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            position_ids=positions_BT,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1], out.past_key_values

    def _keep(self, left: list[int], picked: list[int], mask_BT: Tensor, cache: Any) -> tuple[list[int], Tensor]:
        import torch

        self.rows = [self.rows[row] for row in left]
        self.places = [self.places[row] for row in left]
        self.dice.keep(left)
        index = torch.tensor(left, dtype=torch.long, device=mask_BT.device)
        if left:
            cache.batch_select_indices(index)
        return [picked[row] for row in left], mask_BT[index]


class _Row:
    """One sequence while it grows."""

    def __init__(self, checkpoint: Checkpoint, job: Job) -> None:
        self.job, self.tokens = job, list[int]()
        self._tokenizer, self._ends = checkpoint.tokenizer, checkpoint.ends
        room = checkpoint.context - len(job.prompt) if checkpoint.context is not None else job.decoding.max_tokens
        self.room = min(job.decoding.max_tokens, room)
        # a token that is text holds a byte at least, so a stop text that ends now starts within this window
        self._window = max((len(text.encode()) for text in job.decoding.stop), default=0) + 8

    def take(self, token: int) -> Generated | None:
        """Adds the next token; the completion where it is over."""
        self.tokens.append(token)
        if token in self._ends:
            return self._finished("stop", self._text(self.tokens[:-1]))
        if self.job.decoding.stop and self._stops(self._text(self.tokens[-self._window :])):
            text = self._text(self.tokens)
            found = [text.find(stop) for stop in self.job.decoding.stop if stop in text]
            if found:
                return self._finished("stop", text[: min(found)])
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


def _padded(prompts: Sequence[Sequence[int]], checkpoint: Checkpoint) -> tuple[Tensor, Tensor]:
    """Ids and mask, padded on the left; what stands under the mask is never attended to, so any id will do."""
    import torch

    longest = max(map(len, prompts))
    ids_BT = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    for row, prompt in enumerate(prompts):
        ids_BT[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask_BT[row, longest - len(prompt) :] = 1
    return ids_BT.to(checkpoint.device), mask_BT.to(checkpoint.device)
