"""Thinking as token ids: in the student's own tags, apart from the text, counted, and compared with thinking alone."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from errata.errors import UsageError
from errata.records import Span
from errata.training.encode import Encoder, Written, completion_ids, make_group
from errata.training.group_rows import thinking_at_most
from errata.training.think_tags import DEFAULT, TAGS, tags_of
from tests.training.lab import byte_tokenizer

PROMPT = [80, 81, 82]


def thinker(opening: str = "<think>", closing: str = "</think>", special: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer that has the tags as tokens of their own."""
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([opening, closing], special_tokens=special)
    return tokenizer


def member(tokenizer: PreTrainedTokenizerFast, text: str, reasoning: str | None, answer: Span | None = None) -> dict:
    group = make_group("r", [Written("right", PROMPT, text, answer, reasoning)], [], Encoder(tokenizer))
    return dict(group["members"][0])


@pytest.mark.parametrize("special", [False, True])
def test_tags_that_are_tokens_become_those(special: bool) -> None:
    tokenizer = thinker(special=special)
    one = member(tokenizer, "so 2", "add")

    ids = one["input_ids"]
    assert ids[len(PROMPT)] == tokenizer.convert_tokens_to_ids("<think>")
    assert tokenizer.decode(ids[len(PROMPT) : len(PROMPT) + one["think"]]) == "<think>\nadd\n</think>"
    assert tokenizer.decode(ids[len(PROMPT) + one["think"] : -1]) == "\n\nso 2"
    assert ids[-1] == tokenizer.eos_token_id


def test_without_thinking_nothing_changes() -> None:
    plain = member(byte_tokenizer(), "so 2", None)

    assert "think" not in plain
    assert plain["input_ids"][len(PROMPT) : -1] == byte_tokenizer()("so 2")["input_ids"]


@pytest.mark.parametrize("tags", TAGS[1:], ids=lambda tags: tags.open)
def test_a_students_own_tags_are_found_in_its_template_or_its_vocabulary(tags: tuple[str, str, str]) -> None:
    assert tags_of(byte_tokenizer()) == DEFAULT
    assert tags_of(thinker(tags[0], tags[1])) == tags
    templated = byte_tokenizer()
    templated.chat_template = f"{{{{ '{tags[0]}' }}}}"
    assert tags_of(templated) == tags


def test_a_prompt_that_opens_the_thinking_is_gone_on_from() -> None:
    tokenizer = thinker()
    opened = [*PROMPT, *tokenizer("<think>\n", add_special_tokens=False)["input_ids"]]
    group = make_group("r", [Written("right", opened, "so 2", None, "add")], [], Encoder(tokenizer))

    assert tokenizer.decode(group["members"][0]["input_ids"][len(opened) : -1]) == "add\n</think>\n\nso 2"


def test_the_answer_is_marked_behind_the_thinking() -> None:
    tokenizer = thinker()
    one = member(tokenizer, "so 12 it is", "12 or 13", Span(3, 5))

    start, end = one["answer"]
    assert tokenizer.decode(one["input_ids"][start:end]) == "12"
    assert start > len(PROMPT) + one["think"]


def test_thinking_is_compared_with_thinking_and_text_with_text() -> None:
    tokenizer = thinker()
    sides = [
        Written("right", PROMPT, "it is 7", None, "3 and 4"),
        Written("wrong", PROMPT, "it is 8", None, "3 and 5 or so"),
    ]
    keys = {
        mode: make_group("r", sides, [(0, 1)], Encoder(tokenizer), mode)  # type: ignore[arg-type]
        for mode in ("edit", "first_divergence", "none")
    }

    def told(mode: str, side: int) -> str:
        group = keys[mode]
        places = group["pairs"][0]["right_keys" if side == 0 else "wrong_keys"]
        return str(tokenizer.decode([group["members"][side]["input_ids"][place] for place in places]))

    assert (told("edit", 0), told("edit", 1)) == ("47", "5 or so8")
    assert (told("first_divergence", 0), told("first_divergence", 1)) == ("4", "5 or so")
    whole = tokenizer.decode(completion_ids(keys["none"]["members"][0]))
    assert told("none", 0) == whole


def test_longer_thinking_than_allowed_leaves_the_group() -> None:
    sides = [Written("right", PROMPT, "so 2", None, "add"), Written("right", PROMPT, "so 2 it is", None, "add " * 20)]
    group = make_group("r", sides, [], Encoder(thinker()))
    short = thinking_at_most(group, 10)

    assert [each["think"] for each in short["members"]] == [7]  # type: ignore[index]
    assert thinking_at_most(group, 3) is None
    plain = make_group("r", [Written("right", PROMPT, "so 2")], [], Encoder(thinker()))
    assert thinking_at_most(plain, 0) == plain


def test_an_end_token_within_the_thinking_is_refused() -> None:
    tokenizer = thinker()
    tokenizer.eos_token = "</think>"

    with pytest.raises(UsageError, match="end token"):
        member(tokenizer, "so 2", "add")
