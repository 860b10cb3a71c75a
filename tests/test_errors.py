from __future__ import annotations

import json
import pickle

from errata.errors import AgentRefused, ErrataError, UsageError, escaped, fold, plain


def test_an_error_is_told_as_found_why_do_and_leaves_out_what_is_not_said() -> None:
    assert str(UsageError("a", "b", "c")) == "found: a\nwhy:   b\ndo:    c"
    assert str(ErrataError("a", do="c")) == "found: a\ndo:    c"


def test_on_a_terminal_an_error_is_folded_below_its_text() -> None:
    error = UsageError("three words here", "a/path-with-hyphens-that-is-long", "one\ntwo")
    assert fold(str(error), 18).split("\n") == [
        "found: three words",
        "       here",
        "why:",
        "       a/path-with-hyphens-that-is-long",
        "do:    one",
        "two",
    ]
    assert fold(str(error), 80) == str(error)


def test_what_an_error_quotes_cannot_steer_a_terminal() -> None:
    assert plain("a\x1b[2Jb\nc") == "a [2Jb c"
    assert str(ErrataError("one\ntwo\x1b[2J\r\u202e")) == "found: one\ntwo [2J  "


def test_a_refusal_keeps_its_agent_between_processes() -> None:
    again = pickle.loads(pickle.dumps(AgentRefused("ada", "a", "b", "c")))  # noqa: S301 - of our own making
    assert (again.agent, str(again)) == ("ada", "found: a\nwhy:   b\ndo:    c")


def test_json_for_a_terminal_steers_nothing_and_says_the_same() -> None:
    value = {"é\u202e": "a\x1b[2J\x9b2J\u2066b\u200f\U000e0001 ok ü\n", "n": [1, None]}
    shown = escaped(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(shown) == value
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert "ok ü" in shown
