"""From the logits of a step to the next token of every row, each by its own settings and its own draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from errata.config.base import Settings
from errata.records import draw

if TYPE_CHECKING:
    from torch import Tensor

_HEAD = 512
"""The nucleus is looked for among so many top tokens first: sorting a whole vocabulary takes ten times as long."""


class Decoding(Settings):
    """How to decode one sequence. Temperature 0 is greedy. `max_tokens` counts the completion's tokens; `stop` holds
    texts that end it and are not part of it; with `stop_at_answer` it ends where its answer is settled."""

    max_tokens: int = Field(default=1024, gt=0)
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    top_p: float = Field(default=1.0, gt=0, le=1)
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    stop_at_answer: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One sequence to generate. Jobs with the same prompt, decoding, seed and `settled` give the same text.

    `settled` says of the text so far at which character it may end, if at any. It is asked where a sentence, a line or
    what stands before a colon has ended.
    """

    prompt: Sequence[int]
    decoding: Decoding
    seed: int = 0
    settled: Callable[[str], int | None] | None = None


class Draw(NamedTuple):
    """What a row's next token depends on beside its logits: its settings, its seed and how many tokens it has."""

    decoding: Decoding
    seed: int
    step: int


def pick(logits_BV: Tensor, draws: Sequence[Draw]) -> list[int]:
    """The next token of every row, by one uniform number per row and step that depends on the row's seed alone."""
    picked: list[int] = logits_BV.argmax(-1).tolist()
    rows = [row for row, each in enumerate(draws) if each.decoding.temperature > 0]
    if rows:
        drawn = sample(
            logits_BV[rows],
            [draws[row].decoding.temperature for row in rows],
            [draws[row].decoding.top_p for row in rows],
            [draw("token", draws[row].seed, draws[row].step) for row in rows],
        )
        for row, token in zip(rows, drawn, strict=True):
            picked[row] = token
    return picked


def sample(
    logits_BV: Tensor, temperatures: Sequence[float], top_ps: Sequence[float], uniforms: Sequence[float]
) -> list[int]:
    """One token a row: the first whose cumulative probability exceeds the row's uniform number in [0, 1).

    The cumulation goes by token id, not by rank, so that rounding, which differs with a row's batch mates, moves the
    bounds between tokens by as little as itself instead of swapping two tokens of nearly equal probability.
    """
    import torch

    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=logits_BV.device)[:, None]

    logits_BV = logits_BV.float() / column(temperatures).clamp_min(1e-6)
    probs_BV = logits_BV.softmax(-1)
    if any(top_p < 1 for top_p in top_ps):
        probs_BV = probs_BV.masked_fill(probs_BV < _least_of_nucleus(probs_BV, column(top_ps)), 0.0)
    total_BV = probs_BV.double().cumsum(-1)
    wanted_B1 = column(uniforms).double() * total_BV[:, -1:]
    picked = torch.searchsorted(total_BV, wanted_B1, right=True).squeeze(1)
    return picked.clamp_max(logits_BV.shape[-1] - 1).tolist()


def _least_of_nucleus(probs_BV: Tensor, top_p_B1: Tensor) -> Tensor:
    """The smallest probability in each row's nucleus: the fewest most likely tokens that hold `top_p` together."""
    top_BK = probs_BV.topk(min(_HEAD, probs_BV.shape[-1])).values
    if bool((top_BK.sum(-1, keepdim=True) < top_p_B1).any()):
        top_BK = probs_BV.sort(-1, descending=True).values
    before_BK = top_BK.cumsum(-1) - top_BK
    inside_BK = (before_BK < top_p_B1) & (top_BK > 0)
    return top_BK.masked_fill(~inside_BK, float("inf")).amin(-1, keepdim=True)
