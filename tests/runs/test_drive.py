"""The driver: order, drains, cut-offs, errors of the work and of its stream, exit codes, the last snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from errata.errors import AgentRefused, BudgetExhausted, ErrataError, UsageError
from errata.runs.counters import ProblemCounts, Snapshot, StopSignal
from errata.runs.drive import Driver, run_anywhere, ticking


async def test_each_piece_is_settled_once_and_begun_in_order() -> None:
    begun: list[int] = []
    at_once, most = 0, 0

    async def settle(piece: int) -> None:
        nonlocal at_once, most
        begun.append(piece)
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001 * (piece % 3))
        at_once -= 1

    driver = Driver(StopSignal())
    await driver.drive(range(20), settle, 4)

    assert begun == list(range(20))
    assert most == 4
    assert driver.exit_code(failed=0) == 0


async def test_a_first_stop_lets_what_is_in_flight_end_and_a_second_cuts_it_off() -> None:
    for requests, expected in ((1, [0, 1]), (2, [])):
        ended: list[int] = []
        stop = StopSignal()

        async def settle(piece: int, stop: StopSignal = stop, ended: list[int] = ended, number: int = requests) -> None:
            if piece == 1:
                for _ in range(number):
                    stop.request()
            await asyncio.sleep(0.02)
            ended.append(piece)

        driver = Driver(stop)
        await driver.drive(range(9), settle, 2)

        assert ended == expected
        assert driver.exit_code(failed=3) == 130


async def test_an_error_drains_and_one_in_the_stream_does_too() -> None:
    ended: list[int] = []

    async def settle(piece: int) -> None:
        await asyncio.sleep(0.02 * piece)
        if piece == 1:
            raise BudgetExhausted("spent")
        ended.append(piece)

    async def do_nothing(piece: int) -> None: ...

    def stream() -> Iterator[int]:
        yield 0
        raise UsageError("a bad record")

    driver = Driver(StopSignal())
    await driver.drive(range(9), settle, 3)
    broken = Driver(StopSignal())
    await broken.drive(stream(), do_nothing, 2)

    assert sorted(ended) == [0, 2, 3]
    assert driver.exit_code(failed=1) == 4
    assert [type(error) for error in broken.errors] == [UsageError]
    assert broken.exit_code(failed=1) == 2


async def test_an_error_of_the_code_is_raised_when_all_workers_have_ended() -> None:
    ended: list[int] = []

    async def settle(piece: int) -> None:
        if piece == 0:
            raise ZeroDivisionError
        await asyncio.sleep(0.001)
        ended.append(piece)

    with pytest.raises(ZeroDivisionError):
        await Driver(StopSignal()).drive(range(6), settle, 2)

    assert ended == [1, 2, 3, 4, 5]


def test_the_first_budget_reached_stands_before_other_errors() -> None:
    refused, spent = AgentRefused("ada", "no key"), BudgetExhausted("spent")
    driver = Driver(StopSignal(), [refused, spent])

    assert driver.error() is spent
    assert Driver(StopSignal(), [refused]).error() is refused
    assert Driver(StopSignal()).error() is None


async def test_the_last_snapshot_is_shown_however_short_it_was() -> None:
    counts = ProblemCounts(2)
    snapshots: list[int] = []

    def snapshot() -> Snapshot:
        return Snapshot(counts, {}, counts.done, counts.pending, 0.0, False)

    async with ticking(lambda each: snapshots.append(each.settled), snapshot):
        counts.done = 2

    assert snapshots == [2]


async def test_work_runs_where_a_loop_runs_already_and_its_error_comes_back() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    async def broken() -> int:
        raise ErrataError("no room")

    assert run_anywhere(work) == 7
    with pytest.raises(ErrataError, match="no room"):
        run_anywhere(broken)
