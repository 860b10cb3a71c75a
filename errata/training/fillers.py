"""Rows that count nothing, so that held-out rows divide evenly over processes.

accelerate fills the last batches of several processes with rows from the start of the set, which the loss of the whole
set would then count twice. A set that divides evenly needs none.
"""

from __future__ import annotations

from datasets import Dataset, concatenate_datasets

from errata.training.encode import FILLER, Group, Member


def filled_up(rows: Dataset, size: int) -> Dataset:
    """The rows, followed by fillers until their number is a multiple of `size`."""
    lacking = -len(rows) % size
    if not lacking:
        return rows
    fillers = [{**rows[0], **filler(rows[0])}] * lacking
    return concatenate_datasets([rows, Dataset.from_list(fillers, features=rows.features)])


def filler(row: Group) -> Group:
    """A row of one prompt without a completion: it is read like others, and no term finds anything to count in it."""
    one = row["members"][0]
    prompt = one["input_ids"][: max(one["prompt"], 1)]
    member = Member(kind="rejected", input_ids=prompt, prompt=len(prompt), answer=[0, 0])
    return Group(id=FILLER, tokenizer=row["tokenizer"], members=[member], pairs=[])
