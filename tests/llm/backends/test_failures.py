"""Error bodies of any shape: each is a provider failure with a bounded wait."""

from __future__ import annotations

import json

import pytest

from errata.llm.backends.failures import LONGEST_WAIT_S, completion_of, failure_of_response, retry_after_of
from errata.llm.request import ProviderFailure


def nested(depth: int) -> bytes:
    return b'{"error": {"message": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}}"


@pytest.mark.parametrize("code", [[], ["insufficient_quota"], {}, 7, None, True])
def test_a_code_that_is_no_text_is_none(code: object) -> None:
    failure = failure_of_response(500, {}, json.dumps({"error": {"message": "busy", "code": code}}).encode())
    assert (failure.message, failure.transient, failure.fatal) == ("500: busy", True, False)


@pytest.mark.parametrize("depth", [10, 400, 900, 100_000])
def test_an_error_however_deep_is_transient(depth: int) -> None:
    assert failure_of_response(503, {}, nested(depth)).transient
    with pytest.raises(ProviderFailure) as lost:
        completion_of(nested(depth))
    assert lost.value.transient
    assert len(lost.value.message) < 2_100


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("-5", 0.0),
        ("1e300", LONGEST_WAIT_S),
        ("9" * 400, None),
        ("inf", None),
        ("nan", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_S),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_is_bounded(value: str, seconds: float | None) -> None:
    assert retry_after_of({"retry-after": value}) == seconds
