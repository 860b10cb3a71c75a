"""Claims of calls: which of the processes on one response store makes a call, so that it is paid once.

    claims = {holder: [until, host, pid, [call, ...]]}        one row of the store, changed in its transactions

A holder that lives renews its lease; one that is dead loses its claims at once on its own machine, elsewhere when its
lease has run out. Who finds a call claimed waits for the reply.
"""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from errata.config.processes import is_running

LEASE_S = 30.0
"""Seconds after which a holder that has not renewed its claims has lost them."""
RENEW_S = LEASE_S / 3


def _host() -> str:
    """This machine; containers that share a name do not see each other's processes."""
    with suppress(OSError):
        return f"{platform.node()}:{os.stat('/proc/self/ns/pid').st_ino}"
    return platform.node()


@dataclass
class Claims:
    """This process's claims. The row of all holders goes in and out; times are seconds of the wall clock."""

    me: str = field(default_factory=lambda: f"{os.getpid()}-{secrets.token_hex(6)}")
    host: str = field(default_factory=_host)
    pid: int = field(default_factory=os.getpid)
    held: set[str] = field(default_factory=set)
    written: float | None = None
    """When the row last held these claims; None where it holds none of them."""

    def taken(self, row: Any, now: float) -> set[str]:
        """Calls that others have claimed."""
        return {call for _, entry in self._others(row, now) for call in entry[3]}

    def row(self, row: Any, now: float) -> dict[str, Any]:
        """The row of all holders with this process's claims as they are now, without the dead."""
        rows = dict(self._others(row, now))
        if self.held:
            rows[self.me] = [now + LEASE_S, self.host, self.pid, sorted(self.held)]
        self.written = now if self.held else None
        return rows

    def due(self, now: float) -> bool:
        """Whether the lease is to be renewed; also after a clock that was set back."""
        return bool(self.held) and (self.written is None or not self.written <= now < self.written + RENEW_S)

    def _others(self, row: Any, now: float) -> Iterator[tuple[str, list[Any]]]:
        for holder, entry in row.items() if isinstance(row, dict) else ():
            if holder != self.me and _sound(entry) and self._alive(entry, now):
                yield holder, entry

    def _alive(self, entry: list[Any], now: float) -> bool:
        until, host, pid, _ = entry
        if not now < until <= now + 2 * LEASE_S:  # also where a clock was set back
            return False
        return host != self.host or is_running(pid)


def _sound(entry: Any) -> bool:
    if not (isinstance(entry, list) and len(entry) == 4):
        return False
    until, _, pid, calls = entry
    numbers = isinstance(until, int | float) and isinstance(pid, int)
    return numbers and isinstance(calls, list) and all(isinstance(call, str) for call in calls)


def short(key: str) -> str:
    """What stands for a call in the row: 64 bits of its key."""
    return key[:16]
