"""Rows become groups: closing sentences, the answer's place, and what is left of a group without its long members."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.exports.correct_rows import MCC_KD
from errata.exports.format import Format
from errata.exports.pair_rows import EDIT
from errata.exports.sequences import SourceRow
from errata.training.encode import Encoder, completion_ids, make_group
from errata.training.group_rows import Groups, closing, fitting
from errata.training.load_rows import LoadedRow, Where, read
from tests.training.lab import byte_tokenizer, written

TOKENIZER = byte_tokenizer()

# ---- the closing sentence --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "closed"),
    [
        ("The answer is {answer}.", "The answer is 5."),
        (r"So \boxed{{answer}}", r"So \boxed{5}"),
        ("{a}: {answer} {", "{a}: 5 {"),
    ],
)
def test_a_closing_sentence_holds_the_answer_and_all_its_other_braces(sentence: str, closed: str) -> None:
    assert closing(sentence, "5") == closed


@pytest.mark.parametrize(
    ("sentence", "do"),
    [("The answer is X.", "write {answer} there"), (r"So \boxed{answer}.", r"write \boxed{{answer}}")],
)
def test_a_sentence_that_would_lose_the_answer_is_refused(sentence: str, do: str) -> None:
    with pytest.raises(UsageError) as error:
        closing(sentence, "5")

    assert error.value.do == do


# ---- the answer's place ----------------------------------------------------------------------------------------------


def read_to(text: str, answer: str, sentence: str | None = None) -> str | None:
    """The text up to its marked answer, as token ids have it; None where none is marked."""
    groups = Groups(sentence=sentence)
    row = SourceRow("line 1", {"prompt": "how many ?", "completions": [text], "answer": answer})
    groups.add([LoadedRow(row, MCC_KD)], marked=True)
    ((member,),) = (group["members"] for group in groups.encoded(TOKENIZER))
    start, end = member["answer"]
    if not end:
        return None
    assert TOKENIZER.decode(member["input_ids"][start:end]) == answer
    return str(TOKENIZER.decode(member["input_ids"][member["prompt"] : start]))


@pytest.mark.parametrize(
    ("text", "answer", "before"),
    [
        ("3 + 4 = 7 , so it is 7 .", "7", "3 + 4 = 7 , so it is "),
        ("it is 7 , not 17 or 7.5 or 70 or 1,7", "7", "it is "),
        ("it is $7.", "7", "it is $"),
        ("it is (B), as in Boat", "B", "it is ("),
        ("it is 17", "7", None),
        ("it is seven", "7", None),
    ],
)
def test_the_answer_is_marked_where_it_stands_last_by_itself(text: str, answer: str, before: str | None) -> None:
    assert read_to(text, answer) == before


def test_of_a_closed_rationale_the_closing_sentence_is_read() -> None:
    assert read_to("it is 17", "7", "The answer is {answer}.") == "it is 17\nThe answer is "


# ---- what is left ----------------------------------------------------------------------------------------------------


def test_pairs_go_on_naming_their_members_after_a_longer_one_is_left_out() -> None:
    texts = [("right", "a long way about it: = 7"), ("right", "3 + 4 = 7"), ("wrong", "3 + 4 = 8")]
    members = [written(Encoder(TOKENIZER), kind, "3 and 4?", text) for kind, text in texts]
    group = make_group("p", members, [(0, 2), (1, 2)], Encoder(TOKENIZER))

    left = fitting(group, 20)

    assert left is not None
    assert left["members"] == group["members"][1:]
    (pair,) = left["pairs"]
    sides = [TOKENIZER.decode(completion_ids(left["members"][place])) for place in (pair["right"], pair["wrong"])]
    assert sides == ["3 + 4 = 7<eos>", "3 + 4 = 8<eos>"]
    assert pair["right_keys"] == group["pairs"][1]["right_keys"]
    assert fitting(group, 5) is None


@pytest.mark.parametrize(
    ("text", "stated", "computed"),
    [
        ("9 + 5 = 14 cups . the answer is 14 .", (32, 34), (8, 10)),
        ("add 5 to 9 to get 14 . so 14 , the answer is 14 .", (45, 47), (18, 20)),
        ("9 + 5 =14. 7 + 7 = $14, so 14", (27, 29), (20, 22)),
        ("14 - 0 = 14", (9, 11), (9, 11)),
        ("2 * 7 = 14 = 15 - 1", (8, 10), (8, 10)),
        ("7 * 2 = 140 / 10 . it is 14", (25, 27), (25, 27)),
        ("1 + 1 = 14.5 ; 14 cups", (15, 17), (15, 17)),
        ("14 or 14", (6, 8), (0, 2)),
        ("no answer", None, None),
    ],
)
def test_an_answer_is_marked_where_it_is_stated_last_or_where_the_text_comes_to_it(
    text: str, stated: tuple[int, int] | None, computed: tuple[int, int] | None, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"prompt": "how many?", "completions": [text], "answer": "14"}))
    for at, expected in (("stated", stated), ("computed", computed)):
        groups = Groups(answer_at=at)  # type: ignore[arg-type]
        groups.add(read([str(file)], Where(MCC_KD)).rows, marked=True)
        ((one,),) = groups._groups.values()
        assert one.span == expected


# ---- draws -----------------------------------------------------------------------------------------------------------

GROUP = {"prompt": "3 and 4?", "completions": ["3 + 4 = 7", "4 + 3 = 7", "so 7"], "answer": "7"}
PAIR = {"prompt": "3 and 4?", "chosen": "3 + 4 = 7 . 7 - 2 = 5 .", "rejected": "3 + 4 = 8 . 8 - 2 = 6 ."}


@pytest.mark.parametrize(("form", "row"), [(MCC_KD, GROUP), (EDIT, PAIR)], ids=["groups", "pairs"])
@pytest.mark.parametrize("by_problem", [True, False])
def test_the_same_rows_elsewhere_give_the_same_ids_and_draws(
    form: Format, row: dict[str, Any], by_problem: bool, tmp_path: Path
) -> None:
    """A row's id fixes what is drawn of it in every epoch: neither the data's folder nor the file's name is in it."""
    found = []
    for name in ("here/rows.jsonl", "far/away/others.jsonl"):
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        file.write_text(
            "".join(json.dumps(row | {"prompt": f"{number} {row['prompt']}"}) + "\n" for number in range(9))
        )
        groups = Groups(by_problem=by_problem)
        groups.add(read([str(file)], Where(form)).rows)
        found.append((groups.content_hash(), list(groups.encoded(TOKENIZER, "random", seed=3))))

    assert found[0] == found[1]
    assert len({group["id"] for group in found[0][1]}) == 9
