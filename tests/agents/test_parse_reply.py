"""Replies are read strictly: what is there, or why it cannot be read."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.agents.parse_reply import (
    KINDS,
    Unreadable,
    is_refusal,
    read_kinds,
    read_prose,
    read_score,
    read_solution,
    split_thinking,
)
from tests.helpers import apples


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Step 1 holds. [5]", 5),
        ("[4/5]", 4),
        ("[ 2 / 5 ]", 2),
        ("**[3]**", 3),
        ("[Score: 4]", 4),
        ("[score 2 of 5, no: 3]", 3),
        ("Score: 5", 5),
        ("Score: 4/5", 4),
        ("I give it 2 out of 5.", 2),
        ("At first [2], on second thought [4]", 4),
        ("[4] sound. There were 12 apples in 3 bags.", 4),
        ("It is [flawed]. Score 2", 2),
        (r"\[ 2 + 3 = 5 \] Score: 4", 4),
        (r"The root is \sqrt[3]{8}, so 2", 2),
        ("Score: 4.", 4),
        ("[4.0]", 4),
    ],
)
def test_score_is_read_by_the_papers_rule(reply: str, score: int) -> None:
    assert read_score(reply) == score


@pytest.mark.parametrize(
    "reply",
    ["", "  \n", "This is a fine solution.", "[0]", "[6]", "[45]", "[3.5]", "Score: 4.5", "[-3]", "x3", "[9] or 3"],
)
def test_what_holds_no_score_is_unreadable(reply: str) -> None:
    with pytest.raises(Unreadable):
        read_score(reply)


@given(st.text(), st.integers(1, 5))
def test_a_last_bracketed_score_counts_whatever_stands_before(text: str, score: int) -> None:
    assert read_score(f"{text}\n[{score}]") == score


@given(st.text())
def test_a_score_is_1_to_5_or_unreadable(text: str) -> None:
    with suppress(Unreadable):
        assert 1 <= read_score(text) <= 5


@pytest.mark.parametrize(
    ("reply", "thinking", "text"),
    [
        ("2 + 3 = 5", None, "2 + 3 = 5"),
        ("<think>hm</think>\n\n2 + 3 = 5 ", "hm", "2 + 3 = 5 "),
        ("\n <think>\nhm\n</think>5", "hm", "5"),
        ("<think>never closed 5", "never closed 5", ""),
        ("opened by the template</think>5", "opened by the template", "5"),
        ("<think></think>5", None, "5"),
        ("  5 as written  ", None, "  5 as written  "),
        ("use <think> in the middle", None, "use <think> in the middle"),
    ],
)
def test_a_leading_think_block_is_split_off(reply: str, thinking: str | None, text: str) -> None:
    assert split_thinking(reply) == (thinking, text)


def test_the_providers_own_thinking_stands_first() -> None:
    assert split_thinking("<think>mine</think>5", "sent apart") == ("sent apart\nmine", "5")
    assert split_thinking("5", "sent apart") == ("sent apart", "5")


@given(st.text())
def test_splitting_loses_no_text(reply: str) -> None:
    reasoning, text = split_thinking(reply)

    assert reply.endswith(text)
    assert reasoning is None or reasoning in reply


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "Sorry, I am unable to answer.",
        "As an AI language model, I cannot give 5 apples.",
        "Unfortunately, I can’t do that.",
    ],
)
def test_a_refusal_is_no_solution(reply: str) -> None:
    assert is_refusal(reply)
    with pytest.raises(Unreadable, match="refusal"):
        read_solution(apples(), reply + " 5")


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, I can't add well, but 2 + 3 = 5. The answer is 5.",
        "We cannot give away apples, so 2 + 3 = 5.",
        "Sorry for the delay. 2 + 3 = 5",
        "I can not only add but check: 2 + 3 = 5. The answer is 5.",
    ],
)
def test_a_solution_that_apologises_is_no_refusal(reply: str) -> None:
    assert read_solution(apples(), reply) == reply


@pytest.mark.parametrize(("reply", "why"), [("", "empty"), ("\n ", "empty"), ("Who knows?", "no answer")])
def test_a_solution_needs_an_answer(reply: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_solution(apples(), reply)


def test_prose_is_anything_but_nothing_and_a_refusal() -> None:
    assert read_prose("The second step adds.") == "The second step adds."
    for reply in ("", "I cannot help."):
        with pytest.raises(Unreadable):
            read_prose(reply)


@pytest.mark.parametrize(
    ("reply", "kinds"),
    [
        ("It adds wrongly.\nKinds: [calculation]", ("calculation",)),
        ("Kinds: [calculation, logical]", ("logical", "calculation")),
        ("Kind: Knowledge and logical.", ("logical", "knowledge")),
        ("**Kinds:** [other]", ("other",)),
        ("[logical error]", ("logical",)),
        ("Kinds: [a]\nno: Kinds: [logical + knowledge]", ("logical", "knowledge")),
    ],
)
def test_kinds_are_read_in_one_order(reply: str, kinds: tuple[str, ...]) -> None:
    assert read_kinds(reply) == kinds


@pytest.mark.parametrize(
    "reply", ["", "It is logical.", "Kinds: []", "Kinds: [arithmetic]", "Kinds: logical, spelling"]
)
def test_other_kinds_are_unreadable(reply: str) -> None:
    with pytest.raises(Unreadable):
        read_kinds(reply)


@given(st.lists(st.sampled_from(KINDS), min_size=1))
def test_kinds_are_named_once_each(said: list[str]) -> None:
    assert set(read_kinds(f"Because.\nKinds: [{', '.join(said)}]")) == set(said)
    assert len(read_kinds(f"Kinds: [{', '.join(said)}]")) == len(set(said))
