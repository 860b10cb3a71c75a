"""How likely a local model finds the key steps of dual pairs: teacher-forced, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from errata.agents.prompts import Prompts
from errata.agents.student import student_messages
from errata.evals.key_steps import DualPair, PairScore
from errata.evals.stats import mean
from errata.models.load import Checkpoint, load
from errata.models.prompting import example_ids
from errata.records import Span

if TYPE_CHECKING:
    from torch import Tensor

LOGITS = 32_000_000
"""Numbers of a batch's logits at most: 128 MB in float32."""


class Side(NamedTuple):
    """One rationale as token ids behind its prompt; `keys` are the places of key tokens within the completion."""

    prompt: list[int]
    completion: list[int]
    keys: list[int]


def score_pairs(
    path: str, pairs: Sequence[DualPair], prompts: Prompts, system: str | None = None, device: str | None = None
) -> list[PairScore]:
    """The model at `path` on each pair. A pair whose side does not fit the model's context is left out."""
    checkpoint = load(path, device)
    sides = [_sides(checkpoint.tokenizer, pair, prompts, system) for pair in pairs]
    fitting = [place for place, both in enumerate(sides) if all(_fits(checkpoint, side) for side in both)]
    flat = [side for place in fitting for side in sides[place]]
    nlls = iter(nll_of(checkpoint, flat))
    scores = []
    for place in fitting:
        right, wrong = sides[place]
        right_nll, wrong_nll = next(nlls), next(nlls)
        if right.keys and wrong.keys:
            scores.append(
                PairScore(
                    id=pairs[place].id,
                    problem_id=pairs[place].problem.id,
                    key_right=mean([right_nll[at] for at in right.keys]),
                    key_wrong=mean([wrong_nll[at] for at in wrong.keys]),
                    all_right=mean(right_nll),
                    all_wrong=mean(wrong_nll),
                    right_tokens=len(right.keys),
                    wrong_tokens=len(wrong.keys),
                )
            )
    return scores


def _sides(tokenizer: Any, pair: DualPair, prompts: Prompts, system: str | None) -> tuple[Side, Side]:
    messages = student_messages(prompts, pair.problem, system)

    def side(text: str, spans: Sequence[Span]) -> Side:
        prompt, completion = example_ids(tokenizer, messages, text)
        offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return Side(prompt, completion, key_tokens(offsets, spans))

    return side(pair.right, pair.right_spans), side(pair.wrong, pair.wrong_spans)


def key_tokens(offsets: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[int]:
    """Places of the tokens that share a character with a span."""
    return [
        place
        for place, (start, end) in enumerate(offsets)
        if any(start < span.end and span.start < end for span in spans)
    ]


def _fits(checkpoint: Checkpoint, side: Side) -> bool:
    return checkpoint.context is None or len(side.prompt) + len(side.completion) <= checkpoint.context


def nll_of(checkpoint: Checkpoint, sides: Sequence[Side]) -> list[list[float]]:
    """The negative log-likelihood of every completion token in nats, side by side, as `sides` are."""
    import torch

    nlls: list[list[float]] = [[] for _ in sides]
    for places in _batches(checkpoint, sides):
        rows = [sides[place] for place in places]
        with torch.inference_mode():
            nll_BT = _nll(checkpoint, rows)
        for place, row, values in zip(places, rows, nll_BT, strict=True):
            start = len(row.prompt) - 1
            nlls[place] = values[start : start + len(row.completion)].tolist()
    return nlls


def _batches(checkpoint: Checkpoint, sides: Sequence[Side]) -> Iterator[list[int]]:
    """Places of sides of like length, as many as the logits of a batch allow."""
    lengths = [len(side.prompt) + len(side.completion) for side in sides]
    most = max(1, LOGITS // checkpoint.model.config.get_text_config().vocab_size)
    batch: list[int] = []
    for place in sorted(range(len(sides)), key=lambda place: lengths[place]):
        if batch and (len(batch) + 1) * lengths[place] > most:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _nll(checkpoint: Checkpoint, rows: Sequence[Side]) -> Tensor:
    """Of each token but the first, given those before it; B x T - 1. Padded on the right and masked."""
    import torch

    width = max(len(row.prompt) + len(row.completion) for row in rows)
    ids_BT = torch.zeros(len(rows), width, dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    for b, row in enumerate(rows):
        ids = [*row.prompt, *row.completion]
        ids_BT[b, : len(ids)] = torch.tensor(ids)
        mask_BT[b, : len(ids)] = 1
    ids_BT, mask_BT = ids_BT.to(checkpoint.device), mask_BT.to(checkpoint.device)
    logits_BTV = checkpoint.model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).logits[:, :-1].float()
    picked_BT = logits_BTV.gather(-1, ids_BT[:, 1:, None]).squeeze(-1)
    nll_BT: Tensor = (logits_BTV.logsumexp(-1) - picked_BT).cpu()
    return nll_BT
