"""A value that is written as an override is read as the same value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.config.overrides import assignment, override

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner), max_leaves=8
)


@given(VALUES)
def test_what_is_written_is_read_again(value: Any) -> None:
    data: dict[str, Any] = {}
    override(data, [assignment("a.b", value)])
    assert data == {"a": {"b": value}}


@pytest.mark.parametrize(
    "value", [1e-05, "1e-05", "\N{PARTY POPPER}", "null", "...", "a: b", "x\ny", "\x85", {"k": [1e-7]}]
)
def test_so_are_those_that_yaml_might_take_for_others(value: Any) -> None:
    data: dict[str, Any] = {}
    override(data, [assignment("key", value)])
    assert data == {"key": value}
    assert type(data["key"]) is type(value)
