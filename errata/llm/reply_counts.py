"""Replies counted by who gave them to what: how many could not be read or were cut off, and what that cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

YOUNG = 20
"""Replies of an agent after which a share of cut-off ones tells something."""
MANY_CUT_OFF = 0.25
"""Share of cut-off replies above which the limit is too small."""


@dataclass(slots=True)
class ReplyCounts:
    """Sums over replies. A fresh try is a call made because the reply before it could not be read."""

    replies: int = 0
    unreadable: int = 0
    """Known of the replies in a log; the gateway sees only that a fresh try follows."""
    cut_off: int = 0
    """Ended at the length limit, as the provider says (`finish_reason: length`)."""
    fresh_tries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    fresh_tokens: int = 0
    """Prompt and completion tokens of the fresh tries."""
    fresh_usd: float = 0.0
    unpriced: int = 0
    """Fresh tries whose price is unknown."""
    seconds: float = 0.0
    """Time from sending to the reply, added up; 0 in a log, which holds no times."""

    def add(
        self, *, attempt: int, cut_off: bool, tokens: tuple[int, int], usd: float | None,
        unreadable: bool = False, seconds: float = 0.0,
    ) -> None:  # fmt: skip
        """One more reply. `tokens`: of prompt and completion; `usd`: None where the price is unknown."""
        self.replies += 1
        self.unreadable += unreadable
        self.cut_off += cut_off
        self.prompt_tokens += tokens[0]
        self.completion_tokens += tokens[1]
        self.seconds += seconds
        if attempt:
            self.fresh_tries += 1
            self.fresh_tokens += sum(tokens)
            self.fresh_usd += usd or 0.0
            self.unpriced += usd is None

    def __iadd__(self, other: ReplyCounts) -> ReplyCounts:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def figures(self) -> dict[str, Any]:
        """The sums as JSON-able values; the price is null where it is unknown."""
        sums = {name: getattr(self, name) for name in self.__slots__ if name != "unpriced"}
        sums["seconds"] = round(self.seconds, 6)
        return sums | {"fresh_usd": None if self.unpriced else round(self.fresh_usd, 8)}


def total(counts: Iterable[ReplyCounts]) -> ReplyCounts:
    sum_ = ReplyCounts()
    for each in counts:
        sum_ += each
    return sum_


Key = tuple[str, str, str]
"""Agent, stage, verb."""
_NAMES = ("agent", "stage", "verb")


def rows_of(counts: Mapping[Key, ReplyCounts]) -> list[dict[str, Any]]:
    """The counts as a manifest keeps them, without what the gateway does not see."""
    rows = (dict(zip(_NAMES, key, strict=True)) | each.figures() for key, each in sorted(counts.items()))
    return [{name: value for name, value in row.items() if name != "unreadable"} for row in rows]


def counts_of(rows: object) -> dict[Key, ReplyCounts]:
    """The counts in a manifest's rows; what is no such row is passed over."""
    counts: dict[Key, ReplyCounts] = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and all(isinstance(row.get(name), str) for name in _NAMES):
            unknown = row.get("fresh_usd") is None
            numbers = ((each.name, row.get(each.name)) for each in fields(ReplyCounts))
            known: dict[str, Any] = {name: value for name, value in numbers if type(value) in (int, float)}
            counts[row["agent"], row["stage"], row["verb"]] = ReplyCounts(**known, unpriced=int(unknown))
    return counts


def added(*several: Mapping[Key, ReplyCounts]) -> dict[Key, ReplyCounts]:
    """The counts of several added up by key."""
    return {
        key: total(counts[key] for counts in several if key in counts)
        for key in sorted({key for counts in several for key in counts})
    }


def too_short(counts: Mapping[Key, ReplyCounts]) -> dict[str, str]:
    """What to say of agents whose replies are often cut off, by agent."""
    notes = {}
    for agent in sorted({key[0] for key in counts}):
        mine = {key: each for key, each in counts.items() if key[0] == agent}
        sum_ = total(mine.values())
        if sum_.replies >= YOUNG and sum_.cut_off > MANY_CUT_OFF * sum_.replies:
            verbs = sorted({key[2] for key, each in mine.items() if each.cut_off})
            notes[agent] = (
                f"{sum_.cut_off:,} of {sum_.replies:,} replies of {agent} are cut off at the length limit "
                f"({', '.join(verbs)}): its max_tokens is too small"
            )
    return notes
