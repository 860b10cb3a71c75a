"""Prompts of somebody else's: what they may do makes no more text than their inputs call for."""

from __future__ import annotations

import pytest

from errata.agents import prompt_templates
from errata.agents.prompt_templates import ENVIRONMENT, TextTooLong, refused, rendered


def verdict(text: str) -> str | None:
    return refused(ENVIRONMENT.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "{{ question | join(question) }}",
        "{{ question | join('x' ~ question) }}",
        "{{ question | join('" + "x" * 21 + "') }}",
        "{{ question | join }}" + "{{ question | join('ab') | join('ab') }}",
        "{{ (question | join('ab') | upper) | join('ab') }}",
        "{{ question | join(',', attribute='x') }}",
        "{{ ([question] | join(','))[0:] | join('ab') }}",
    ],
)
def test_a_join_that_multiplies_is_refused(text: str) -> None:
    assert verdict(text) is not None


@pytest.mark.parametrize("text", ["{{ choices | join(', ') }}", "{{ choices | join('\n') | trim }}"])
def test_a_plain_join_is_not(text: str) -> None:
    assert verdict(text) is None


def test_what_a_model_wrote_is_shown_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_templates, "LONGEST_PROMPT", 10_000)
    template = ENVIRONMENT.from_string("{{ question }}{% for critique in critiques %}{{ critique }}{% endfor %}")
    assert len(rendered(template, {"question": "x" * 50_000, "critiques": ["y" * 30_000] * 2})) == 110_000


def test_a_loop_that_repeats_its_input_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_templates, "LONGEST_PROMPT", 10_000)
    template = ENVIRONMENT.from_string("{% for letter in question %}{{ question }}{% endfor %}")
    assert verdict("{% for letter in question %}{{ question }}{% endfor %}") is None
    assert rendered(template, {"question": "x" * 50}) == "x" * 2500
    with pytest.raises(TextTooLong, match="more than 10,000 characters beyond those of its inputs"):
        rendered(template, {"question": "x" * 100_000})
