"""One renderer: the prompt's ids are the same for exam, training and evals."""

from __future__ import annotations

import pytest

from errata.agents.prompts import load_prompts
from errata.agents.student import student_messages
from errata.errors import UsageError
from errata.models.prompting import example_ids, prompt_ids
from errata.records import Message
from tests.helpers import apples
from tests.models import tiny

ASKED = (Message(role="system", content="Be brief."), Message(role="user", content="2 + 3?"))


def test_a_chat_template_writes_its_own_special_tokens() -> None:
    chat = tiny.tokenizer(chat=True)

    ids = prompt_ids(chat, ASKED)

    assert chat.decode(ids) == "<|system|>Be brief.</s><|user|>2 + 3?</s><|assistant|>"
    assert chat.bos_token_id not in ids
    assert ids.count(chat.eos_token_id) == 2


@pytest.mark.parametrize("closes", [False, True])
def test_without_a_template_the_texts_stand_on_lines_of_their_own(closes: bool) -> None:
    bare = tiny.tokenizer(chat=False, closes=closes)

    ids = prompt_ids(bare, ASKED)

    assert bare.decode(ids) == "<s>Be brief.\n2 + 3?\n"
    assert bare.eos_token_id not in ids


def test_a_question_that_ends_in_an_end_token_keeps_it_where_the_tokenizer_adds_none() -> None:
    bare = tiny.tokenizer(chat=True)
    bare.chat_template = "{{ messages[0]['content'] }}"

    assert prompt_ids(bare, (Message(role="user", content="odd</s>"),))[-1] == bare.eos_token_id


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("completion", ["", "5", " 5", "\n5\n", "hello", "the answer is 5.</s>"])
def test_training_reads_the_exam_s_prompt_whatever_the_completion(chat: bool, completion: str) -> None:
    tokenizer = tiny.tokenizer(chat=chat)
    asked = student_messages(load_prompts(None), apples(), system="You are a pupil.")

    example = example_ids(tokenizer, asked, completion)

    assert example.prompt == prompt_ids(tokenizer, asked)
    assert tokenizer.decode(example.completion) == completion + "</s>"
    assert example.completion[-1] == tokenizer.eos_token_id
    assert tokenizer.bos_token_id not in example.completion


def test_a_template_that_refuses_a_role_is_a_clear_error() -> None:
    strict = tiny.tokenizer(chat=True)
    strict.chat_template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}x"

    with pytest.raises(UsageError, match="refuses messages of the roles system, user: no system role"):
        prompt_ids(strict, ASKED)


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro again() %}{% for a in range(9999) %}{{ again() }}{% endfor %}{% endmacro %}{{ again() }}",
    ],
)
def test_a_template_that_does_not_end_is_cut_off(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("errata.models.prompting.LONGEST_RENDERING_S", 0.2)
    tokenizer = tiny.tokenizer(chat=True)
    tokenizer.chat_template = template
    with pytest.raises((UsageError, RecursionError)) as refused:
        prompt_ids(tokenizer, (Message(role="user", content="x"),))
    if isinstance(refused.value, UsageError):
        assert "takes more than 0.2 s" in str(refused.value)
    tokenizer.chat_template = tiny.CHAT
    assert prompt_ids(tokenizer, (Message(role="user", content="x"),))
