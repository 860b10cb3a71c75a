"""Padding that a student reads beside a run's rows, by how batches are drawn and whether they go in parts.

The rows are those of `errata train sft` on a run, of one student's tokenizer; every arm reads all of them once. Nothing
is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

BUDGETS = (None, 1536, 1024)
"""The most tokens of a part; None: a batch goes as a whole."""


def rows_of(run: str, student: str) -> tuple[Any, Any]:
    """The rows of a run as token ids, and what the objective reads of them."""
    from errata.training.parse_args import parse
    from errata.training.prepare import prepare

    words = ["--dataset_name", run, "--model_name_or_path", student, "--output_dir", "unused", "--max_length", "1024"]
    prepared = prepare(parse("sft", [*words, "--too_long", "skip"]))
    return list(prepared.rows), prepared.objective.reading(0)


def orders(lengths: Sequence[int], batch: int) -> dict[str, list[int]]:
    """The places of an epoch's rows, drawn at random and by transformers' group_by_length."""
    import torch
    from transformers.trainer_pt_utils import LengthGroupedSampler

    generator = torch.Generator().manual_seed(0)
    return {
        "random": torch.randperm(len(lengths), generator=generator).tolist(),
        "group_by_length": list(LengthGroupedSampler(batch, lengths=list(lengths), generator=generator)),
    }


def tokens_read(rows: Sequence[Any], reading: Any, order: Sequence[int], batch: int, budget: int | None) -> int:
    """Tokens that pass through the student in an epoch, padding included."""
    from errata.training.collate import Collator, parts_of

    collate = Collator(0, reading, tokens=budget)
    batches = (collate([rows[place] for place in order[at : at + batch]]) for at in range(0, len(order), batch))
    return sum(part["input_ids"].numel() for each in batches for part in parts_of(each))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run directory")
    parser.add_argument("student", help="a checkpoint's folder or .gguf file")
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    rows, reading = rows_of(given.run, given.student)
    lengths = [sum(len(member["input_ids"]) for member in row["members"]) for row in rows]
    print(f"{len(rows):,} rows, {sum(lengths) / len(rows):.0f} tokens each, batches of {given.batch}\n")
    print("| rows of a batch | goes | padding, of the rows' tokens |\n|---|---|---|")
    for how, order in orders(lengths, given.batch).items():
        for budget in BUDGETS:
            read = tokens_read(rows, reading, order, given.batch, budget)
            parts = "whole" if budget is None else f"in parts of {budget:,}"
            print(f"| {how} | {parts} | {read / sum(lengths) - 1:.0%} |")


if __name__ == "__main__":
    main()
