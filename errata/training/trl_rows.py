"""Groups of token ids as rows of TRL's preference trainers, so that they read the same tokens as every other method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from errata.errors import UsageError
from errata.exports.sequences import RIGHT_KINDS
from errata.training.encode import Group, Member, target_start

Row = dict[str, Any]


def preference_rows(groups: Iterable[Group]) -> Iterator[Row]:
    """`prompt_ids, chosen_ids, rejected_ids`: a row per pair."""
    for group in groups:
        for pair in group["pairs"]:
            right, wrong = group["members"][pair["right"]], group["members"][pair["wrong"]]
            yield {
                "prompt_ids": right["input_ids"][: right["prompt"]],
                "chosen_ids": _completion(right),
                "rejected_ids": _completion(wrong),
            }


def labeled_rows(groups: Iterable[Group]) -> Iterator[Row]:
    """`prompt_ids, completion_ids, label`: a row per rationale, right or wrong."""
    for group in groups:
        for member in group["members"]:
            yield {
                "prompt_ids": member["input_ids"][: member["prompt"]],
                "completion_ids": _completion(member),
                "label": member["kind"] in RIGHT_KINDS,
            }


def completion_rows(groups: Iterable[Group]) -> Iterator[Row]:
    """`input_ids, completion_mask`, and an empty `prompt`, which TRL's collator reads no more then: a row per text."""
    for group in groups:
        for member in group["members"]:
            completion = len(_completion(member))
            yield {
                "prompt": "",
                "input_ids": member["input_ids"],
                "completion_mask": [0] * member["prompt"] + [1] * completion,
            }


def with_mismatched(rows: Sequence[Row], batch: int) -> list[Row]:
    """The rows with `KL_completion_ids`: in each batch that of the row before, as KTO estimates its KL by.

    As TRL's KTOTrainer rotates them (arXiv 2402.01306, section 4.1).
    """
    return [
        {**row, "KL_completion_ids": rows[start + (place - 1) % len(block)]["completion_ids"]}
        for start in range(0, len(rows), batch)
        for block in [rows[start : start + batch]]
        for place, row in enumerate(block)
    ]


def _completion(member: Member) -> list[int]:
    """Ids of a whole completion. Raises UsageError for one that counts as wrong from a later token on."""
    if target_start(member) != member["prompt"]:
        raise UsageError(
            "rows whose wrong texts count as wrong from their first wrong step on (meta.wrong_from)",
            "TRL's trainers weigh completions as wholes",
            "export them without --wrong-from",
        )
    return member["input_ids"][member["prompt"] :]
