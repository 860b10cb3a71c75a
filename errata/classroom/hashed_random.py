"""A stream of random choices that is a hash of its seed: the same on every machine and Python version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from errata.records import canonical, draw

T = TypeVar("T")


class HashedRandom:
    """Draws in order from sha256 over `parts` and a counter."""

    __slots__ = ("_count", "_key", "_pool")

    def __init__(self, *parts: Any) -> None:
        self._key = hashlib.sha256(canonical(parts)).digest()
        self._count = 0
        self._pool: list[float] = []

    def random(self) -> float:
        """A number in [0, 1)."""
        if not self._pool:
            block = hashlib.sha256(self._key + self._count.to_bytes(8, "big")).digest()
            self._count += 1
            self._pool = [int.from_bytes(block[i : i + 6], "big") / 2**48 for i in range(0, 30, 6)]
        return self._pool.pop()

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def between(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.random() * len(items))]

    def weighted(self, weights: Mapping[T, float]) -> T:
        left = self.random() * sum(weights.values())
        for item, weight in weights.items():
            left -= weight
            if left < 0:
                return item
        return item

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items, in drawn order."""
        left = list(items)
        return [left.pop(int(self.random() * len(left))) for _ in range(min(count, len(left)))]


class HashedDraws(NamedTuple):
    """The random choices of one request: `key` is a hash of it, and every purpose has its own draw."""

    key: str

    def chance(self, purpose: str, probability: float) -> bool:
        """True in a share `probability` of all keys."""
        return draw(self.key, purpose) < probability

    def rng(self, purpose: str) -> HashedRandom:
        return HashedRandom(self.key, purpose)
