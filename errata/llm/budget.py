"""Budgets and payments: reservations before a call, payments after it, by agent and stage.

    reserve (upper cost) -> the call -> settle (what it cost)

A call that does not fit waits for calls in flight to settle, since most cost less than their reservation; once no
settlement can make room, BudgetExhausted is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import Field

from errata.config.base import Settings
from errata.errors import BudgetExhausted


class Amounts(Settings):
    usd: float | None = Field(default=None, ge=0)
    """Dollars at most."""
    tokens: int | None = Field(default=None, ge=0)
    """Tokens at most, of prompts and completions together."""
    calls: int | None = Field(default=None, ge=0)
    """Calls that are paid for at most."""


class Budget(Amounts):
    """What may be paid in total, and by stage; a run directory's earlier payments count."""

    stages: dict[str, Amounts] = Field(default_factory=dict)


UNITS = ("usd", "tokens", "calls")


class Payment(NamedTuple):
    """One reply that was paid for. `usd` is what it counts against budgets; `priced` is False where that is a guess."""

    agent: str
    stage: str
    prompt_tokens: int
    completion_tokens: int
    usd: float
    priced: bool = True
    lost: bool = False
    """The reply could not be used, and may have been charged for."""


@dataclass(slots=True)
class CallTotals:
    """Calls of one kind added up. Tokens and dollars are those of the paid calls."""

    paid: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    """Paid calls whose price is unknown."""
    lost: int = 0
    """Paid calls whose reply could not be used: what they took is what they state, else what was reserved."""

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost(self) -> float | None:
        """US dollars, None where a paid call's price is unknown."""
        return None if self.unpriced else self.usd

    def pay(self, payment: Payment) -> None:
        self.paid += 1
        self.prompt_tokens += payment.prompt_tokens
        self.completion_tokens += payment.completion_tokens
        self.usd += payment.usd
        self.unpriced += not payment.priced
        self.lost += payment.lost

    def __iadd__(self, other: CallTotals) -> CallTotals:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


Ledger = dict[tuple[str, str], CallTotals]
"""Tallies by agent and stage."""


def total(tallies: Iterable[CallTotals]) -> CallTotals:
    sum_ = CallTotals()
    for tally in tallies:
        sum_ += tally
    return sum_


class Reservation(NamedTuple):
    """The most a call is expected to cost. Without a stated `max_tokens` the completion may be longer."""

    usd: float
    tokens: int
    calls: int = 1


@dataclass(slots=True)
class _Account:
    """One budget, of the whole run or of a stage, with what is spent and what is held for calls in flight."""

    name: str
    limits: tuple[float | None, ...]
    spent: list[float]
    held: list[float]
    in_flight: int = 0

    def fits(self, need: Reservation) -> bool:
        return all(
            limit is None or spent + held + more <= limit
            for limit, spent, held, more in zip(self.limits, self.spent, self.held, need, strict=True)
        )

    def hopeless(self, need: Reservation) -> int | None:
        """The unit in which no settlement can make room, if there is one."""
        for unit, limit in enumerate(self.limits):
            if limit is not None and self.spent[unit] + need[unit] > limit:
                return unit
        return None

    def hold(self, need: Reservation) -> None:
        self.in_flight += 1
        self.held = [held + more for held, more in zip(self.held, need, strict=True)]

    def release(self, need: Reservation) -> None:
        self.in_flight -= 1
        # exactly nothing when nothing is in flight: a rounding remainder would let the next call wait for ever
        before = self.held if self.in_flight else need
        self.held = [held - more for held, more in zip(before, need, strict=True)]

    def pay(self, tally: CallTotals) -> None:
        for unit, more in enumerate((tally.usd, tally.tokens, tally.paid)):
            self.spent[unit] += more


class BudgetGuard:
    """The budgets of a run, with what the run directory has paid already."""

    def __init__(self, budget: Budget, paid: Mapping[tuple[str, str], CallTotals]) -> None:
        self._all = _account("budget", budget, paid.values())
        self._stages = {
            stage: _account(f"budget.stages.{stage}", amounts, (t for (_, at), t in paid.items() if at == stage))
            for stage, amounts in budget.stages.items()
        }
        self._waiting: list[tuple[str, Reservation, asyncio.Future[None]]] = []

    async def reserve(self, stage: str, need: Reservation) -> None:
        """Holds `need` until `settle`; waits for room. Raises BudgetExhausted where there cannot be any."""
        if self._grant(stage, need):
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((stage, need, granted))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self.settle(stage, need, None)  # granted in the same moment
            raise

    def check(self, stage: str, need: Reservation) -> None:
        """Raises BudgetExhausted where what was reserved fits no more, since other replies took more than they had.

        Asked before every sending: the budget is then exceeded by the calls in flight at most.
        """
        for account in self._accounts(stage):
            unit = account.hopeless(need)
            if unit is not None:
                raise _exhausted(account, unit, need)

    def settle(self, stage: str, need: Reservation, payment: Payment | None) -> None:
        """Gives back what `reserve` held and books what the call cost, None where it was not paid."""
        accounts = self._accounts(stage)
        tally = CallTotals()
        if payment:
            tally.pay(payment)
        for account in accounts:
            account.release(need)
            account.pay(tally)
        self._wake()

    def book(self, payment: Payment) -> None:
        """Books a payment for which nothing was reserved: a reply that nobody waits for any more."""
        tally = CallTotals()
        tally.pay(payment)
        for account in self._accounts(payment.stage):
            account.pay(tally)

    def _accounts(self, stage: str) -> list[_Account]:
        return [self._all, self._stages[stage]] if stage in self._stages else [self._all]

    def _grant(self, stage: str, need: Reservation) -> bool:
        """Holds the need if it fits. Raises BudgetExhausted if it never will."""
        accounts = self._accounts(stage)
        self.check(stage, need)
        if not all(account.fits(need) for account in accounts):
            return False
        for account in accounts:
            account.hold(need)
        return True

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for stage, need, granted in waiting:
            if granted.done():
                continue
            try:
                if self._grant(stage, need):
                    granted.set_result(None)
                else:
                    self._waiting.append((stage, need, granted))
            except BudgetExhausted as error:
                granted.set_exception(error)


def _account(name: str, amounts: Amounts, paid: Iterable[CallTotals]) -> _Account:
    account = _Account(name, (amounts.usd, amounts.tokens, amounts.calls), [0.0, 0, 0], [0.0, 0, 0])
    account.pay(total(paid))
    return account


def _exhausted(account: _Account, unit: int, need: Reservation) -> BudgetExhausted:
    name, limit, spent = f"{account.name}.{UNITS[unit]}", account.limits[unit], account.spent[unit]
    return BudgetExhausted(
        f"{name} is {limit:g}: {spent:.6g} is paid and the next call may take {need[unit]:.6g}",
        "the next call could exceed the budget",
        f"raise {name} and run the same command again: what was paid is stored and costs nothing",
    )
