"""Rows decoded together over one key-value cache: those that have ended leave, and waiting ones take their places.

Prompts are padded on the left and the padding is masked, so that each row is decoded as if it were alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from errata.models.kv_cache import growing, joinable, joined, padded, without_left
from errata.models.load import Checkpoint
from errata.models.row import Generated, Row
from errata.models.sampling import Job, pick

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class _Running:
    """Rows in one batch, in one order everywhere. `mask_BT` covers what is cached and the next tokens, `ids_BT`."""

    rows: list[Row]
    places: list[int]
    ids_BT: Tensor
    mask_BT: Tensor
    cache: Any = None


class Batch:
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
        rows = [Row(self.checkpoint, job) for _, job in chosen]
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
