"""When a run worked and for how long: what manifest.json keeps of it under `times`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple


class Times(NamedTuple):
    """`begun` and `last`: when the first process began and a process last settled a problem, ISO 8601, UTC, to the
    second. `seconds`: of work by all processes together, without what lay between them."""

    begun: str
    last: str
    seconds: float


def times_in(manifest: Mapping[str, Any]) -> Times | None:
    """What a manifest holds; None where it holds nothing that can be read, as those of older versions."""
    held = manifest.get("times")
    try:
        times = Times(*(held[name] for name in Times._fields)) if isinstance(held, dict) else None
        if times is None or not math.isfinite(times.seconds) or _moment(times.begun) > _moment(times.last):
            return None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return times


def times_now(earlier: Times | None, begun: datetime, seconds: float, *, worked: bool) -> Times:
    """Those of a run after `seconds` of this process, which began at `begun`; as they were where it settled nothing."""
    if earlier and not worked:
        return earlier
    now = begun.timestamp() + seconds
    first = earlier.begun if earlier else iso(begun)
    before = earlier.seconds if earlier else 0.0
    return Times(first, iso(datetime.fromtimestamp(now, UTC)), round(before + seconds, 3))


def when(times: Times) -> str:
    """The moments in words: `2026-11-28 22:10 to 22:41 UTC`; a moment alone where both are of one minute."""
    begun, last = _moment(times.begun), _moment(times.last)
    first, then = f"{begun:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}"
    if first == then:
        return f"{first} UTC"
    return f"{first} to {then.removeprefix(f'{begun:%Y-%m-%d} ')} UTC"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
