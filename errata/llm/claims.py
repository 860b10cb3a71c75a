"""Claims of calls: which of the processes on one response store makes a call, so that it is paid once.

    claims = {holder: [until, host, pid, [call, ...] or null]}        one row of the store, changed in its transactions

Who is alone on a store says no more than that it is there (null) and keeps its claims to itself, which costs no
transaction. It looks whether anybody has written meanwhile, and lists its claims once another is there; until it has,
the other is granted none. A holder that lives renews its lease; one that is dead loses its claims at once on its own
machine, elsewhere when its lease has run out. Who finds a call claimed waits for the reply.
"""

from __future__ import annotations

import os
import platform
import secrets
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
    version: int | None = None
    """The database's version at the last look: it changes with what others write."""
    row_calls: list[str] | None = None
    """The claims that the row lists of this process; None where nobody else was there to read them."""
    written: float | None = None
    """When the row last named this process; None where it does not."""

    @property
    def alone(self) -> bool:
        """Nobody else was on the store at the last look."""
        return self.written is not None and self.row_calls is None

    def others(self, row: Any, now: float) -> dict[str, list[Any]]:
        """The entries of the other holders that live."""
        entries = row.items() if isinstance(row, dict) else ()
        return {name: entry for name, entry in entries if name != self.me and _sound(entry) and self._alive(entry, now)}

    def row(self, others: dict[str, list[Any]], now: float) -> dict[str, list[Any]]:
        """The row of all holders with this process as it is now: with its claims where it is not alone."""
        self.written, self.row_calls = now, self._calls_for(others)
        return others | {self.me: [now + LEASE_S, self.host, self.pid, self.row_calls]}

    def outdated(self, others: dict[str, list[Any]], now: float) -> bool:
        """Whether the row must be written anew beside these others."""
        return self.written is None or self.due(now) or self.row_calls != self._calls_for(others)

    def _calls_for(self, others: dict[str, list[Any]]) -> list[str] | None:
        return sorted(self.held) if others else None

    def due(self, now: float) -> bool:
        """Whether the lease is to be renewed; also after a clock that was set back."""
        return self.written is not None and not self.written <= now < self.written + RENEW_S

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
    listed = isinstance(calls, list) and all(isinstance(call, str) for call in calls)
    return numbers and (calls is None or listed)


def taken(others: dict[str, list[Any]]) -> set[str] | None:
    """The calls that these holders have claimed; None where one of them has not listed its claims yet."""
    claims = [entry[3] for entry in others.values()]
    return None if None in claims else {call for calls in claims for call in calls}


def short(key: str) -> str:
    """What stands for a call in the row: 64 bits of its key."""
    return key[:16]
