"""Sequences that answer one prompt as one row of what the student reads, so that it reads the prompt once.

    p1 p2 p3 | a b      ->  p1 p2 | p3 a b | p3 c d e
    p1 p2 p3 | c d e

The prompt's last token, which predicts the first of a completion, begins each branch. A position sees the shared part
and what stands before it in its own branch, and is counted from the shared part on: every hidden state is the one that
its sequence alone would give. Of MCC-KD's two rationales per problem of SVAMP a quarter of all tokens is saved, of five
two fifths.

R rows of at most L tokens hold the batch's B sequences of at most T.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from errata.training.encode import Member

ALONE = ("input_ids", "attention_mask", "position_ids")
"""What the student reads where every sequence is a row of its own."""
SHARED, PADDING = 0, -1
"""What the column `branch` holds beside the branches' numbers, which begin at 1."""
CLOSE = 0.05
"""Relative error of logits up to which a student reads both layouts alike, in bf16 too."""


def by_prompt(members: Sequence[Member]) -> list[list[int]]:
    """Places of the members, those of one prompt together."""
    places: dict[tuple[int, ...], list[int]] = {}
    for place, member in enumerate(members):
        places.setdefault(tuple(member["input_ids"][: member["prompt"]]), []).append(place)
    return list(places.values())


def length(members: Sequence[Member]) -> int:
    """Tokens of the row that holds these members of one prompt."""
    shared = members[0]["prompt"] - 1
    return shared + sum(len(member["input_ids"]) - shared for member in members)


def columns(
    rows: Sequence[Sequence[int]],
    members: Sequence[Member],
    starts: Sequence[int],
    width: int,
    row_width: int,
    pad_id: int,
) -> dict[str, Tensor]:
    """The rows' columns, and where each position of the B sequences stands in them.

        row_ids, row_positions, branch   RL   the branch of a token: its number, SHARED or PADDING
        place_in_rows                    BT   within the flattened RL

    Args:
        rows: places of the members of each row.
        starts: where each sequence begins within its T positions.
        width: T.
        row_width: L.
    """
    shape = (len(rows), row_width)
    ids_RL, positions_RL = torch.full(shape, pad_id), torch.zeros(shape, dtype=torch.int64)
    branch_RL = torch.full(shape, PADDING)
    place_BT = torch.zeros(len(members), width, dtype=torch.int64)
    for r, places in enumerate(rows):
        shared = members[places[0]]["prompt"] - 1
        ids_RL[r, :shared] = torch.tensor(members[places[0]]["input_ids"][:shared], dtype=torch.int64)
        positions_RL[r, :shared] = torch.arange(shared)
        branch_RL[r, :shared] = SHARED
        begin = shared
        for number, b in enumerate(places, 1):
            ids, start = members[b]["input_ids"], starts[b]
            end = begin + len(ids) - shared
            ids_RL[r, begin:end] = torch.tensor(ids[shared:])
            positions_RL[r, begin:end] = torch.arange(shared, len(ids))
            branch_RL[r, begin:end] = number
            place_BT[b, start : start + shared] = r * row_width + torch.arange(shared)
            place_BT[b, start + shared : start + len(ids)] = r * row_width + torch.arange(begin, end)
            begin = end
    return {"row_ids": ids_RL, "row_positions": positions_RL, "branch": branch_RL, "place_in_rows": place_BT}


def visible(branch_RL: Tensor) -> Tensor:
    """Whether a position attends to another: R1LL, the reader first."""
    one_R1L, other_RL1 = branch_RL[:, None, :], branch_RL[:, :, None]
    before_LL = torch.ones(branch_RL.shape[1:] * 2, dtype=torch.bool, device=branch_RL.device).tril()
    return (((one_R1L == SHARED) | (one_R1L == other_RL1)) & before_LL)[:, None]


def inputs_of(batch: dict[str, Any]) -> dict[str, Tensor]:
    """What the student reads of a batch."""
    if "row_ids" not in batch:
        return {name: batch[name] for name in ALONE if name in batch}
    mask = visible(batch["branch"])
    return {"input_ids": batch["row_ids"], "attention_mask": mask, "position_ids": batch["row_positions"]}


def in_sequences(hidden: Tensor, batch: dict[str, Any]) -> Tensor:
    """Hidden states BTD, of what `inputs_of` gave."""
    return hidden.flatten(0, 1)[batch["place_in_rows"]] if "row_ids" in batch else hidden


@torch.no_grad()
def reads_alike(model: Any) -> bool:
    """Whether the student gives a sequence the same logits in a shared row as alone, found by trying it."""
    config = model.config.get_text_config()
    if config._attn_implementation != "sdpa" or _has_windows(config):
        return False
    members = [Member(kind="right", input_ids=[5, 6, 7, 8, *more], prompt=4, answer=[0, 0]) for more in ([9, 3], [4])]
    batch: dict[str, Any] = columns([[0, 1]], members, [0, 0], 6, length(members), 0)
    alone = {"input_ids": torch.tensor([[5, 6, 7, 8, 9, 3], [5, 6, 7, 8, 4, 0]])}
    alone["attention_mask"] = (alone["input_ids"] != 0).long()
    device, training = next(model.parameters()).device, model.training
    model.eval()
    try:
        one, other = (
            model(**{name: value.to(device) for name, value in each.items()}, use_cache=False).logits.float().cpu()
            for each in (inputs_of(batch), alone)
        )
    except (RuntimeError, TypeError, ValueError, IndexError):  # it takes no such mask, or fewer words
        return False
    finally:
        model.train(training)
    learned = alone["attention_mask"].bool()
    error = (in_sequences(one, batch) - other)[learned].norm() / other[learned].norm()
    return bool(error < CLOSE)


def _has_windows(config: Any) -> bool:
    """Whether a layer sees a part of what stands before a position alone, which a mask of ours would let it see."""
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return any(kind != "full_attention" for kind in kinds)
    return getattr(config, "sliding_window", None) is not None and getattr(config, "use_sliding_window", True)
