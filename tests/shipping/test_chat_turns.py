"""Chat templates read as texts around turns."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2
import pytest

from errata.errors import UsageError
from errata.shipping.chat_turns import Around, Render, Turn, read_turns
from errata.shipping.modelfile import modelfile

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
UNASKED = "{% if messages[0].role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}" + CHATML
INSTRUCT = (
    "{{ '<s>' }}{% for m in messages %}{% if m.role == 'system' %}{{ raise('no') }}{% endif %}"
    "{{ '[INST] ' + m.content + ' [/INST]' if m.role == 'user' else m.content + '</s>' }}{% endfor %}"
)
NUMBERED = "{% for m in messages %}{{ loop.index ~ m.content }}{% endfor %}"


def renderer(template: str) -> Render:
    def refuse(text: str) -> str:
        raise UsageError(text)

    compiled = jinja2.Environment(keep_trailing_newline=True).from_string(template)

    def render(turns: Sequence[Turn], *, answering: bool) -> str:
        messages = [{"role": role, "content": text} for role, text in turns]
        return compiled.render(messages=messages, add_generation_prompt=answering, **{"raise": refuse})

    return render


def test_chatml_is_read_as_it_is_meant() -> None:
    turns = read_turns(renderer(CHATML), "")

    assert turns.user == Around("<|im_start|>user\n", "<|im_end|>\n")
    assert turns.assistant == Around("<|im_start|>assistant\n", "<|im_end|>\n")
    assert turns.system == Around("<|im_start|>system\n", "<|im_end|>\n")
    assert (turns.begin, turns.answer, turns.unasked) == ("", "<|im_start|>assistant\n", None)


def test_a_system_text_that_nobody_asked_for_is_told_apart() -> None:
    turns = read_turns(renderer(UNASKED), "")

    assert turns.unasked == "Be kind."
    assert 'SYSTEM """Be kind."""\n' in modelfile("a.gguf", turns, ["<|im_end|>"], adds_bos=False)


def test_a_template_without_system_texts_and_with_a_bos() -> None:
    turns = read_turns(renderer(INSTRUCT), "<s>")

    assert (turns.begin, turns.system, turns.answer) == ("<s>", None, "")
    assert turns.user == Around("[INST] ", " [/INST]")
    assert 'TEMPLATE """<s>{{ range' in modelfile("a.gguf", turns, [], adds_bos=False)
    assert 'TEMPLATE """{{ range' in modelfile("a.gguf", turns, [], adds_bos=True)


@pytest.mark.parametrize("template", [NUMBERED, "{{ messages[-1].content }}", CHATML.replace("'<|", "'{{<|")])
def test_a_template_that_does_more_is_refused(template: str) -> None:
    with pytest.raises(UsageError, match="a chat template that"):
        modelfile("a.gguf", read_turns(renderer(template), ""), [], adds_bos=False)
