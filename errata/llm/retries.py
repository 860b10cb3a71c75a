"""Retries of a failed call, and the waits in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from errata.llm.rate_limits import Sleep
from errata.llm.request import ProviderFailure
from errata.records import draw

T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before the first repeat, doubled each time, and at most; a Retry-After goes first."""
LONGEST_RETRY_AFTER = 3600.0
"""Seconds; a provider that asks for more has failed the call."""
RATE_LIMIT_PATIENCE = 4
"""A 429 is no fault of the call: it may be repeated this many times as often as other failures."""
SHORT_PATIENCE = 3
"""After so many 429 to one call its waits grow, whatever Retry-After says."""


class RateLimited(ProviderFailure):
    """The provider said 429: come back later."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, transient=True, retry_after=retry_after)


async def repeated(attempt: Callable[[], Awaitable[T]], retries: int, key: str, sleep: Sleep) -> T:
    """What `attempt` gives; repeats transient provider failures up to `retries` times and then raises the last.

    Waits at least as long as the provider asks, else exponentially with jitter, a hash of `key` and the attempt.
    """
    try:
        return await attempt()  # most need no more: tenacity's own work is a tenth of a call's
    except ProviderFailure as failure:
        if not failure.transient:
            raise
        failed: list[ProviderFailure] = [failure]

    async def again() -> T:
        if failed:
            raise failed.pop()
        return await attempt()

    result: T = await _retrying(retries, key, sleep)(again)
    return result


def _retrying(retries: int, key: str, sleep: Sleep) -> AsyncRetrying:
    patience = _Patience(retries, key)
    return AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, ProviderFailure) and error.transient),
        stop=patience.is_over,
        wait=patience.wait,
        sleep=sleep,
        reraise=True,
    )


class _Patience:
    def __init__(self, retries: int, key: str) -> None:
        self._retries, self._key = retries, key
        self._failures = 0
        self._rate_limits = 0

    def is_over(self, state: RetryCallState) -> bool:
        error = _error(state)
        if isinstance(error, RateLimited):
            self._rate_limits += 1
        else:
            self._failures += 1
        too_long = error.retry_after is not None and error.retry_after > LONGEST_RETRY_AFTER
        too_often = self._rate_limits > RATE_LIMIT_PATIENCE * self._retries
        return self._failures > self._retries or too_often or too_long

    def wait(self, state: RetryCallState) -> float:
        jitter = draw(self._key, state.attempt_number)
        error = _error(state)
        doubled: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(state.attempt_number - 1, 16)) * (0.5 + jitter / 2)
        if error.retry_after is None:
            return doubled
        # a provider that says 429 again and again asks for too little
        least = doubled if self._rate_limits > SHORT_PATIENCE else 0.0
        return max(error.retry_after + jitter * FIRST_WAIT, least)


def _error(state: RetryCallState) -> ProviderFailure:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ProviderFailure)
    return error
