"""Continuous batching by transformers: a row that ends makes room for the next one at once.

For greedy rows on CUDA. Sampled rows draw from their own seeds (errata.models.sampling), which transformers' sampler
does not know, and stop texts are looked for in ours: those are decoded in our batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from errata.models.sampling import Job

if TYPE_CHECKING:
    from errata.models.load import Checkpoint

MEMORY = 0.5
"""Share of the device's free memory for the cache; transformers takes nine tenths, and trainings may run beside it."""
POLL_S = 1.0


def takes(checkpoint: Checkpoint, job: Job) -> bool:
    """Whether this job may be decoded so on the checkpoint's device."""
    able = checkpoint.device.type == "cuda" and hasattr(checkpoint.model, "continuous_batching_context_manager")
    return able and job.decoding.temperature == 0 and not job.decoding.stop


def decode(
    checkpoint: Checkpoint,
    jobs: Sequence[Job],
    rooms: Sequence[int],
    unwanted: Callable[[int], bool],
    config: Any = None,
) -> Iterator[tuple[int, list[int]]]:
    """The jobs' completions as token ids, the end token included, with their places, each as soon as it is finished.

    Args:
        rooms: the most tokens of each completion.
        unwanted: asked while it runs; a place it names yields nothing.
        config: transformers' settings, by default ours.

    Raises RuntimeError where transformers gives up.
    """
    from transformers import ContinuousBatchingConfig, GenerationConfig

    settings = GenerationConfig(do_sample=False, eos_token_id=sorted(checkpoint.ends) or -1, max_new_tokens=max(rooms))
    config = config or ContinuousBatchingConfig(max_memory_percent=MEMORY)
    model: Any = checkpoint.model
    with model.continuous_batching_context_manager(
        generation_config=settings, continuous_batching_config=config, block=True, timeout=30, warmup=False
    ) as manager:
        waiting = set(range(len(jobs)))
        for place in sorted(waiting, key=lambda place: -len(jobs[place].prompt)):
            manager.add_request(list(jobs[place].prompt), request_id=str(place), max_new_tokens=rooms[place])
        while waiting:
            done = manager.get_result(timeout=POLL_S)
            for place in [place for place in waiting if unwanted(place)]:
                manager.cancel_request(str(place))
                waiting.discard(place)
            if done is not None and done.is_finished() and int(done.request_id) in waiting:
                waiting.discard(int(done.request_id))
                if done.error:
                    raise RuntimeError(f"continuous batching: {done.error}")
                yield int(done.request_id), list(done.generated_tokens)
            elif done is None and not manager.is_running():
                raise RuntimeError("continuous batching ended before all was decoded")
