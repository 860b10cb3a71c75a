"""What becomes of rows before they are token ids: marked answers, and members that do not fit."""

from __future__ import annotations

from errata.exports.correct_rows import MCC_KD
from errata.exports.sequences import SourceRow
from errata.training.encode import Group
from errata.training.group_rows import Groups, fitting
from errata.training.load_rows import LoadedRow
from tests.training.lab import byte_tokenizer, sample_rows


def test_pairs_are_numbered_anew_where_a_member_before_them_is_dropped() -> None:
    row = sample_rows()[3]
    members = [
        {**member, "input_ids": [*member["input_ids"], *[5] * 300]} if place == 1 else member
        for place, member in enumerate(row["members"])
    ]

    short = fitting(Group(**{**row, "members": members}), 200)

    assert short is not None
    assert len(short["members"]) == len(members) - 1
    sides = [(short["members"][pair["right"]], short["members"][pair["wrong"]]) for pair in short["pairs"]]
    assert sides == [(members[pair["right"]], members[pair["wrong"]]) for pair in row["pairs"]]


def test_a_pair_goes_with_a_member_that_is_dropped() -> None:
    row = sample_rows()[3]
    members = [
        {**member, "input_ids": [*member["input_ids"], *[5] * 300]} if place == 0 else member
        for place, member in enumerate(row["members"])
    ]

    short = fitting(Group(**{**row, "members": members}), 200)

    assert short is not None
    assert [(pair["right"], pair["wrong"]) for pair in short["pairs"]] == [(1, 2)]


def test_the_answers_last_place_is_marked() -> None:
    text = "it is 7 , since 7 - 3 = 4 and so 7 ."
    data = {"prompt": "3 and 4 ?", "completions": [text, "so 7 ."], "answer": "7"}
    groups = Groups()
    groups.add([LoadedRow(SourceRow("here", data), MCC_KD)], marked=True)

    (group,) = groups.encoded(byte_tokenizer())

    for member, written in zip(group["members"], (text, "so 7 ."), strict=True):
        start, end = member["answer"]
        assert end == member["prompt"] + written.rfind("7") + 1  # one token per byte
        assert byte_tokenizer().decode(member["input_ids"][start:end]).strip() == "7"
