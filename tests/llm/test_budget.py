"""Budgets: what is granted, who waits, who is told to stop."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.errors import BudgetExhausted
from errata.llm.budget import Amounts, Budget, BudgetGuard, CallTotals, Payment, Reservation, total


def paid(usd: float, stage: str = "exam") -> Payment:
    return Payment("ada", stage, 10, 0, usd)  # type: ignore[arg-type]


async def test_a_call_waits_for_another_to_cost_less_than_reserved() -> None:
    purse = BudgetGuard(Budget(usd=1.0), {})
    await purse.reserve("exam", Reservation(0.9, 10))
    second = asyncio.create_task(purse.reserve("exam", Reservation(0.9, 10)))
    await asyncio.sleep(0)
    assert not second.done()
    purse.settle("exam", Reservation(0.9, 10), paid(0.1))
    await asyncio.wait_for(second, 1)


async def test_who_waits_in_vain_is_told() -> None:
    purse = BudgetGuard(Budget(usd=1.0), {})
    await purse.reserve("exam", Reservation(0.9, 10))
    second = asyncio.create_task(purse.reserve("exam", Reservation(0.9, 10)))
    small = asyncio.create_task(purse.reserve("exam", Reservation(0.2, 10)))
    await asyncio.sleep(0)
    purse.settle("exam", Reservation(0.9, 10), paid(0.5))
    with pytest.raises(BudgetExhausted, match=r"budget\.usd is 1: 0\.5 is paid and the next call may take 0\.9"):
        await second
    await asyncio.wait_for(small, 1)


async def test_a_cancelled_wait_holds_nothing() -> None:
    purse = BudgetGuard(Budget(calls=1), {})
    await purse.reserve("exam", Reservation(0, 1))
    second = asyncio.create_task(purse.reserve("exam", Reservation(0, 1)))
    await asyncio.sleep(0)
    purse.settle("exam", Reservation(0, 1), None)  # grants the second, which is cancelled before it knows
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.wait_for(purse.reserve("exam", Reservation(0, 1)), 1)


async def test_earlier_payments_count() -> None:
    before = {("ada", "exam"): CallTotals(paid=3, usd=0.6), ("ada", "rationales"): CallTotals(paid=1, usd=0.2)}
    purse = BudgetGuard(Budget(usd=1, stages={"exam": Amounts(calls=3)}), before)
    await purse.reserve("rationales", Reservation(0.2, 1))
    with pytest.raises(BudgetExhausted, match=r"stages\.exam"):
        await purse.reserve("exam", Reservation(0, 1))


async def test_a_free_call_fits_an_empty_budget() -> None:
    await BudgetGuard(Budget(usd=0), {}).reserve("exam", Reservation(0, 100))


@settings(max_examples=60, deadline=None)
@given(
    limit=st.floats(0, 10),
    calls=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1), st.integers(0, 3)), max_size=30),
)
def test_nothing_is_overspent_and_nobody_waits_for_ever(limit: float, calls: list[tuple[float, float, int]]) -> None:
    async def run() -> None:
        purse = BudgetGuard(Budget(usd=limit), {})
        spent = 0.0

        async def call(upper: float, share: float, steps: int) -> None:
            nonlocal spent
            need = Reservation(upper, 1)
            await purse.reserve("exam", need)
            for _ in range(steps):
                await asyncio.sleep(0)
            spent += upper * share
            purse.settle("exam", need, paid(upper * share))

        done = await asyncio.wait_for(asyncio.gather(*(call(*one) for one in calls), return_exceptions=True), 5)
        assert all(outcome is None or isinstance(outcome, BudgetExhausted) for outcome in done)
        assert spent <= limit + 1e-9

    asyncio.run(run())


def test_tallies_add_up() -> None:
    both = total([CallTotals(paid=1, cached=2, usd=0.5), CallTotals(paid=2, failed=1, usd=0.25, unpriced=1)])
    assert (both.paid, both.cached, both.failed, both.usd, both.cost) == (3, 2, 1, 0.75, None)
