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
    read_step,
    review_text,
    split_thinking,
)
from tests.helpers import apples


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Step 1 holds.\nScore: 5", 5),
        ("Step 1 holds. Score: 5", 5),
        ("Score: 4\n\nStep 2 rounds too early.", 4),
        ("It holds.\n**Score:** 4.", 4),
        ("It holds.\n\n### Score: [4]\n", 4),
        ("It holds.\nSCORE = 4.0", 4),
        ("It holds.\nScore: 4 (sound but for trifles)", 4),
        ("It holds.\n[4]", 4),
        ("**[ 3 ]**", 3),
        ("Each step holds, so the score is 5.", 5),
        ("Each step holds. The solution is Score: 5", 5),
        ("The score is 4 for sound but for trifles.", 4),
        ("Each step holds. Therefore, the score is 5.", 5),
        ("- Each step holds.\n- Score: 5", 5),
        ("[4.0]", 4),
        ("[Score: 4]", 4),
        ("Score: 2\nNo, step 3 is right.\nScore: 2", 2),
        ('{"score": 4}', 4),
        ('```json\n{"review": "Step 2 = 5.", "score": 2}\n```', 2),
        ('{"review": "It holds.\\nScore: 5", "score": 2}', 2),
        ('{\n  "review": "It holds. The score is 5.",\n  "score": 2\n}', 2),
    ],
)
def test_a_score_is_read_in_the_form_of_the_prompt(reply: str, score: int) -> None:
    assert read_score(reply) == score


@pytest.mark.parametrize(
    "reply",
    [
        *("", "  \n", "This is a fine solution.", "5", "4.", "Score: N", "Score:", "Score 4"),
        *("[0]", "[6]", "[45]", "[3.5]", "Score: 4.5", "Score: -3", "Score: 0", "Score: 10", "x3", "[9] or 3"),
        *("[4/5]", "Score: 4/5", "Score: 3 out of 5", "I give it 2 out of 5.", "3 out of 5 because of step 2"),
        *("Step 4: This will give us", "The solution is indeed 5.", "1. It adds.\n2. It is right.", r"\boxed{4}"),
        *(
            r"Score: \boxed{4}",
            r"\[ 2 + 3 = 5 \]",
            r"\sqrt[3]",
            "Their total score: 5",
            "Their final score is 5.",
            "The score was 4.",
            "as proven in [3]",
        ),
        *("Score: 2\n[4]", "Score: 2\nNo:\nScore: 4", "Score: 1, Score: 2, Score: 3, Score: 4", "A.\nScore: 4\nB."),
        *('{"score": 4, "score": 4}', '{"review": "Score: 4"}', '{"score": 4}\nScore: 2', '{\n  "score": 4'),
        '{"review": "Why, in a few short sentences.", "score": 1}',
        *('{"score": 6}', '{"score": true}', '{"score": "high"}', '{"score": 4', "[" * 100_000, '{"a":' * 100_000),
    ],
)
def test_what_a_restated_solution_may_hold_is_no_score(reply: str) -> None:
    with pytest.raises(Unreadable):
        read_score(reply)


def test_a_review_in_json_form_is_shown_in_the_form_of_the_prompt() -> None:
    assert review_text('{"review": " It holds. ", "score": 4}') == "It holds.\nScore: 4"
    for text in ("It holds.\nScore: 4", '{"review": "x", "score": 9}', '{"review": 3, "score": 4}', "", "{"):
        assert review_text(text) == text


@given(st.text(), st.integers(1, 5))
def test_a_closing_line_is_read_whatever_stands_above(text: str, score: int) -> None:
    with suppress(Unreadable):  # the text itself may open with another score
        assert read_score(f"{text}\nScore: {score}") == score
    assert read_score(f"So:{text}\nScore: {score}") == score


NUMBERS = st.lists(
    st.sampled_from(
        ["1", "4", "5", " ", "\n", ".", "/5", "[", "]", "Step ", r"\boxed{", "}", " out of 5", "= ", "the answer is "]
    )
).map("".join)


@given(st.text() | NUMBERS)
def test_without_the_word_or_a_bracketed_last_line_nothing_is_a_score(text: str) -> None:
    last = (text.strip().splitlines() or [""])[-1]
    if "[" in last or ":" in text or "=" in text:
        text = text.replace("[", "").replace(":", "").replace("=", "")
    with pytest.raises(Unreadable):
        read_score(text)


@given(st.text() | NUMBERS)
def test_a_score_is_1_to_5_or_unreadable(text: str) -> None:
    with suppress(Unreadable):
        assert read_score(text) in (1, 2, 3, 4, 5)


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
        ("He adds. Kinds: calculation", ("calculation",)),
        (
            "Kinds: logical (a wrong step or quantity chosen), calculation (wrong arithmetic)",
            ("logical", "calculation"),
        ),
        ("The kinds are logical and calculation.", ("logical", "calculation")),
        ("The kind of mistake in the student's answer is logical.", ("logical",)),
        ("The types of mistakes are: knowledge (he took 10 for 12), and other.", ("knowledge", "other")),
        (
            "He adds.\n\n### Kinds\n- logical\n- Calculation (wrong arithmetic)\n\nGood luck!",
            ("logical", "calculation"),
        ),
        ("The kinds of mistake in his answer are:\n\n• **Logical** (a wrong step)\n• other", ("logical", "other")),
        ("**Kinds:**\n1. **knowledge**\n2. other", ("knowledge", "other")),
        ("He is wrong (Kinds: calculation). It is 1, not 4.", ("calculation",)),
        ("The mistake is logical: he adds.", ("logical",)),
        ('{"kinds": ["calculation", "logical"]}', ("logical", "calculation")),
        ('{"mistake": "The kind of mistake is other.", "kinds": ["Logical"]}', ("logical",)),
    ],
)
def test_kinds_are_read_in_one_order(reply: str, kinds: tuple[str, ...]) -> None:
    assert read_kinds(reply) == kinds


@pytest.mark.parametrize(
    "reply",
    [
        *("", "It is logical.", "Kinds: []", "Kinds: [arithmetic]", "Kinds: logical, spelling", "Kinds:", "[]"),
        'The mistake is that "kinds: [logical, calculation]" is misspelled.',
        *("The kinds are not logical.", "What kind is it? It is logical.", "Kinds: [logical]\nKinds: [other]"),
        "The kinds are: logical (a wrong step), knowledge (a wrong fact), calculation (wrong arithmetic), other.",
        "### Kinds\n- logical: no\n- calculation: yes",
        *('{"kinds": ["other"]}\nKinds: [logical]', '{"mistake": "Kinds: [logical]", "kinds": []}'),
        '{"mistake": "what is wrong, in one sentence", "kinds": ["logical"]}',
        *('{"kinds": ["logical", 3]}', '{"kinds": ["logical, other"]}'),
        *('{"kinds": []}', '{"kinds": "logical"}', '{"kinds": ["spelling"]}', "kinds:" * 50_000, "kinds " * 50_000),
    ],
)
def test_other_kinds_are_unreadable(reply: str) -> None:
    with pytest.raises(Unreadable):
        read_kinds(reply)


CHOSEN = st.lists(st.sampled_from(KINDS), min_size=1).filter(lambda kinds: set(kinds) < set(KINDS))


@given(CHOSEN, st.sampled_from(["Kinds: [{}]", "[{}]", "The kinds are {}.", "Kinds: {}", '{{"kinds": ["{}"]}}']))
def test_kinds_are_named_once_each(chosen: list[str], form: str) -> None:
    kinds = read_kinds(form.format(('", "' if "{{" in form else ", ").join(chosen)))

    assert set(kinds) == set(chosen)
    assert len(kinds) == len(set(chosen))


@given(st.text(), CHOSEN)
def test_a_closing_line_of_kinds_is_read_whatever_stands_above(text: str, chosen: list[str]) -> None:
    with suppress(Unreadable):  # the text itself may name others
        assert set(read_kinds(f"{text}\nKinds: [{', '.join(chosen)}]")) == set(chosen)


@given(st.text(st.characters(exclude_characters="[]{}:")))
def test_kinds_that_are_not_called_so_are_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read_kinds(text.replace("kind", "").replace("type", "") + " logical calculation")


@pytest.mark.parametrize(
    ("reply", "step"),
    [
        ("Step 2 multiplies.\nFirst wrong step: 2", 2),
        ("**First wrong step: 2**\nStep 3 only carries it on.", 2),
        ("Steps 1 and 3 hold. The first wrong step is step 2.", 2),
        ("All of it holds.\nFirst wrong step: 0", 0),
        ('{"review": "It multiplies.", "first_wrong_step": 2}', 2),
    ],
)
def test_a_first_wrong_step_is_read(reply: str, step: int) -> None:
    assert read_step(4, reply) == step


@pytest.mark.parametrize(
    "reply",
    [
        "Step 2 is wrong.",
        "First wrong step: 5",  # there are four
        "First wrong step: 1\nIt multiplies.\nFirst wrong step: 2",
        "First wrong step: 2 or 3",
        '{"review": "why, in a few short sentences", "first_wrong_step": 2}',
        '{"review": "It multiplies.", "first_wrong_step": "2"}',
    ],
)
def test_what_names_no_single_step_is_unreadable(reply: str) -> None:
    with pytest.raises(Unreadable):
        read_step(4, reply)
