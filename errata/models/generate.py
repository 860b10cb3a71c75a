"""Completions of a local checkpoint: each row by its own settings, as if it were alone.

Greedy rows equal those decoded one by one, and a sampled row draws from its own seed, up to the rounding of the device:
in bfloat16 a row may still turn out otherwise beside other mates, where two tokens are nearly equally likely. Rows are
decoded in batches (batch.py); on CUDA greedy rows go through transformers' continuous batching (continuous.py), and a
checkpoint that vLLM holds through vLLM (vllm_engine.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from errata.models import continuous, vllm_engine
from errata.models.batch import Batch
from errata.models.load import Checkpoint
from errata.models.row import Generated, Row
from errata.models.sampling import Job

ROWS, ROWS_ON_CUDA = 32, 64
"""Rows decoded together at most. On two CPU cores 32 rows of a 135M model give 185 tokens/s, 16 give 154, one 18."""
ROWS_OF_A_TINY_MODEL, TINY = 128, 10_000_000
"""The same of a model with fewer weights than TINY, whose steps take longer to begin than to compute. On one core 128
rows of the embedded student give 3,000 tokens/s, 32 give 1,900, 256 give 3,200."""

logger = logging.getLogger(__name__)


class ContextOverflow(ValueError):
    """A prompt that leaves no room for an answer.

    Args:
        tokens: of the prompt.
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
    yield from Batch(checkpoint, waiting, rows, unwanted, lambda: [(next(numbers), job) for job in arrivals()]).run()


def is_tiny(model: Any) -> bool:
    """Whether the model has fewer weights than TINY."""
    return bool(sum(weights.numel() for weights in model.parameters()) < TINY)


def _rows_for(checkpoint: Checkpoint) -> int:
    """How many rows are decoded together."""
    if is_tiny(checkpoint.model):
        return ROWS_OF_A_TINY_MODEL
    return ROWS_ON_CUDA if checkpoint.device.type == "cuda" else ROWS


def _by_vllm(
    checkpoint: Checkpoint, jobs: Sequence[Job], unwanted: Callable[[int], bool]
) -> Iterator[tuple[int, Generated]]:
    rows = {place: Row(checkpoint, job) for place, job in enumerate(jobs) if not unwanted(place)}
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
    rooms = [Row(checkpoint, job).room for job in chosen]
    try:
        for number, tokens in continuous.decode(checkpoint, chosen, rooms, lambda n: unwanted(places[n])):
            yield places[number], Row(checkpoint, chosen[number]).whole(tokens)
    except (RuntimeError, ValueError, AttributeError) as error:
        logger.warning("continuous batching gave up, decoding in batches: %s", error)
