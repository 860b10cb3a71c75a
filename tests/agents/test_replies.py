"""Real replies of small models, labeled by hand: no score, no kind is read that is none, and few are missed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errata.agents.ask import whole_lines
from errata.agents.parse_reply import Unreadable, read_kinds, read_score

REPLIES = Path(__file__).parent / "replies"
READERS: dict[str, Callable[[str], Any]] = {"scores": read_score, "kinds": read_kinds}


def replies(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (REPLIES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def value_in(name: str, reply: dict[str, Any]) -> Any:
    """What the parser reads, as JSON writes it; None where it reads nothing."""
    text = whole_lines(reply["text"]) if reply["finish_reason"] == "length" else reply["text"]
    try:
        value = READERS[name](text)
    except Unreadable:
        return None
    return list(value) if name == "kinds" else value


def test_the_corpus_holds_replies_of_both_models_readable_and_not() -> None:
    everything = [reply for name in READERS for reply in replies(name)]

    assert len(everything) >= 200
    assert {reply["model"] for reply in everything} == {"smollm2-135m", "qwen2.5-1.5b"}
    assert sum(reply["label"] is not None for reply in everything) >= 40
    assert sum(reply["finish_reason"] == "length" for reply in everything) >= 40


FORMS = {
    "the definitions": r"\(an? wrong",
    "a sentence": r"\b(?:kinds?|types?|mistakes?)\b[^\n.:]{0,60}\b(?:is|are)\b",
    "a list": r"^\s*(?:[-*•]|\d[.)])\s+\**(?:logical|knowledge|calculation|other)\b",
}
"""Forms beside `Kinds: [...]` in which small models name kinds."""


@pytest.mark.parametrize(("form", "least"), [("the definitions", 6), ("a sentence", 30), ("a list", 5)])
def test_the_corpus_holds_kinds_in_other_forms_none_of_which_is_read_wrongly(form: str, least: int) -> None:
    held = [each for each in replies("kinds") if re.search(FORMS[form], each["text"], re.IGNORECASE | re.MULTILINE)]

    assert len(held) >= least
    assert [each for each in held if value_in("kinds", each) not in (None, each["label"])] == []


@pytest.mark.parametrize("name", READERS)
def test_nothing_is_read_that_a_person_does_not_read(name: str) -> None:
    wrong = [
        (value, reply["label"], reply["text"])
        for reply in replies(name)
        if (value := value_in(name, reply)) is not None and value != reply["label"]
    ]

    assert wrong == []


def test_of_what_a_person_reads_at_most_one_in_twenty_is_missed() -> None:
    readable = [(name, reply) for name in READERS for reply in replies(name) if reply["label"] is not None]
    missed = [reply["text"] for name, reply in readable if value_in(name, reply) is None]

    assert len(missed) <= len(readable) / 20, missed
