"""Batched generation with a key-value cache: each row by its own settings, as if it were alone.

Prompts are padded on the left and the padding is masked; a row that has finished leaves the batch, and another takes
its place. Greedy rows equal
those decoded one by one, and a sampled row draws from its own seed, up to the rounding of the device: in bfloat16 a row
may still turn out otherwise beside other mates, where two tokens are nearly equally likely. On CUDA greedy rows go
through transformers' continuous batching (errata.models.continuous).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from errata.models import continuous, vllm_engine
from errata.models.kv_cache import growing, joinable, joined, padded, without_left
from errata.models.load import Checkpoint
from errata.models.sampling import Draw, Job, pick

if TYPE_CHECKING:
    from torch import Tensor

ROWS, ROWS_ON_CUDA = 32, 64
"""Rows decoded together at most. On two CPU cores 32 rows of a 135M model give 185 tokens/s, 16 give 154, one 18."""
ROWS_OF_A_TINY_MODEL, TINY = 128, 10_000_000
"""The same of a model with fewer weights than TINY, whose steps take longer to begin than to compute. On one core 128
rows of the embedded student give 3,000 tokens/s, 32 give 1,900, 256 give 3,200."""

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

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"the prompt has {tokens} tokens, the model's context {limit}: no room for an answer")


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
    arrivals: Callable[[], Sequence[Job]] = tuple,
) -> Iterator[tuple[int, Generated]]:
    """The jobs' completions with their places, each as soon as it is finished.

    `unwanted` is asked at every step; a place it names leaves the batch and yields nothing. `arrivals` is asked for
    further jobs, whose places follow, where rows may join those that are running. Raises ContextOverflow and
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
    rows = rows or _rows_for(checkpoint)
    waiting = [(place, jobs[place]) for place in sorted(left, key=lambda place: (len(jobs[place].prompt), place))]
    numbers = count(len(jobs))
    yield from _Batch(checkpoint, waiting, rows, unwanted, lambda: [(next(numbers), job) for job in arrivals()]).run()


def _rows_for(checkpoint: Checkpoint) -> int:
    """How many rows are decoded together."""
    if sum(weights.numel() for weights in checkpoint.model.parameters()) < TINY:
        return ROWS_OF_A_TINY_MODEL
    return ROWS_ON_CUDA if checkpoint.device.type == "cuda" else ROWS


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


@dataclass
class _Running:
    """Rows in one batch, in one order everywhere. `mask_BT` covers what is cached and the next tokens, `ids_BT`."""

    rows: list[_Row]
    places: list[int]
    ids_BT: Tensor
    mask_BT: Tensor
    cache: Any = None


class _Batch:
    """Rows decoded together, at most `limit`; where a quarter has ended, waiting ones take their places."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        waiting: Sequence[tuple[int, Job]],
        limit: int,
        unwanted: Callable[[int], bool],
        arrivals: Callable[[], Sequence[tuple[int, Job]]],
    ) -> None:
        self.checkpoint, self.waiting, self.limit = checkpoint, deque(waiting), limit
        self.unwanted, self.arrivals = unwanted, arrivals

    def run(self) -> Iterator[tuple[int, Generated]]:
        import torch

        running: _Running | None = None
        while True:
            if running is not None:
                with torch.inference_mode():  # not around a yield, whose caller would run in it
                    running, ready = self._step(running)
                yield from ready
            fresh = self._admitted(running)
            if fresh is not None:
                with torch.inference_mode():
                    begun, ready = self._step(fresh)
                    running = _together(running, begun)
                yield from ready
            elif running is None:
                return

    def _admitted(self, running: _Running | None) -> _Running | None:
        """Waiting rows for the places that are free, once they are worth it."""
        room = self.limit - (len(running.rows) if running else 0)
        if running is not None and (4 * room < self.limit or not joinable(running.cache)):
            return None
        self.waiting.extend(self.arrivals())
        chosen: list[tuple[int, Job]] = []
        while self.waiting and len(chosen) < room:
            place, job = self.waiting.popleft()
            if not self.unwanted(place):
                chosen.append((place, job))
        if not chosen:
            return None
        ids_BT, mask_BT = _padded([job.prompt for _, job in chosen], self.checkpoint)
        rows = [_Row(self.checkpoint, job) for _, job in chosen]
        return _Running(rows, [place for place, _ in chosen], ids_BT, mask_BT)

    def _step(self, running: _Running) -> tuple[_Running | None, list[tuple[int, Generated]]]:
        """A token more for every row; the rows that go on, and those that are over."""
        import torch

        logits_BV, running.cache = self._forward(running)
        picked = pick(logits_BV, [row.next_draw for row in running.rows])
        finished = [row.take(token) for row, token in zip(running.rows, picked, strict=True)]
        ready = [(at, done) for done, at in zip(finished, running.places, strict=True) if done is not None]
        left = [
            number
            for number, (done, at) in enumerate(zip(finished, running.places, strict=True))
            if done is None and not self.unwanted(at)
        ]
        if not left:
            return None, ready
        if len(left) < len(running.rows):
            _keep(running, left)
        running.ids_BT = torch.tensor([picked[number] for number in left], device=running.mask_BT.device)[:, None]
        running.mask_BT = torch.cat([running.mask_BT, running.mask_BT.new_ones(len(left), 1)], dim=-1)
        return running, ready

    def _forward(self, running: _Running) -> tuple[Tensor, Any]:
        """Logits after the last token of every row."""
        mask_BT, ids_BT = running.mask_BT, running.ids_BT
        positions_BT = (mask_BT.cumsum(-1) - 1).clamp_min(0)[:, -ids_BT.shape[1] :]
        out = self.checkpoint.model(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            position_ids=positions_BT,
            past_key_values=running.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1], growing(out.past_key_values) if running.cache is None else out.past_key_values


def _keep(running: _Running, left: list[int]) -> None:
    """Only these rows, without the places that are padding in all of them."""
    import torch

    running.rows = [running.rows[number] for number in left]
    running.places = [running.places[number] for number in left]
    index = torch.tensor(left, dtype=torch.long, device=running.mask_BT.device)
    running.cache.batch_select_indices(index)
    running.mask_BT = running.mask_BT[index]
    if (empty := int(running.mask_BT.any(0).int().argmax())) and joinable(running.cache):
        without_left(running.cache, empty)
        running.mask_BT = running.mask_BT[:, empty:]


def _together(one: _Running | None, other: _Running | None) -> _Running | None:
    """Both batches as one."""
    import torch

    if one is None or other is None:
        return one or other
    width = max(one.mask_BT.shape[1], other.mask_BT.shape[1])
    return _Running(
        one.rows + other.rows,
        one.places + other.places,
        torch.cat([one.ids_BT, other.ids_BT]),
        torch.cat([padded(one.mask_BT, width, -1), padded(other.mask_BT, width, -1)]),
        joined(one.cache, other.cache),
    )


class _Row:
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
