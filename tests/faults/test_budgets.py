"""Budgets over real runs: whatever is limited, nothing is overspent, the run says 4, and a larger budget goes on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from errata.errors import BudgetExhausted
from errata.llm.budget import Budget
from errata.llm.payments import reservation_of
from errata.runs.status import status
from tests.faults.harm import Came, Place, accounted, came_to, place
from tests.llm.provider import Provider, body, completion, gateway, request_of

FAST = [Phase.explicit, Phase.generate]
"""No shrinking: every example is a run."""
UNITS = ("usd", "tokens", "calls")
STAGES = (None, "exam", "rationales", "peer_review", "dual_cot")
PRICES = tuple(
    f"agents.{agent}.price={{prompt: {prompt}, completion: {4 * prompt}}}"
    for agent, prompt in (("teachers.0", 1), ("teachers.1", 3), ("teachers.2", 0.1), ("student", 0.5))
)
SPENT = dict[str | None, dict[str, float]]


def spent_in(run: Path) -> SPENT:
    """What the run has paid, in all (None) and by stage, in the units of budgets."""
    ever: dict[str, Any] = json.loads((run / "manifest.json").read_bytes())["spent"]["all_runs"]
    return {
        stage: {"usd": of["usd"], "tokens": of["prompt_tokens"] + of["completion_tokens"], "calls": of["paid"]}
        for stage, of in [(None, ever), *ever["stages"].items()]
    }


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Came, SPENT]:
    """What the lesson comes to, and takes, where its calls have a price."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        here = place(tmp_path_factory.mktemp("priced"), PRICES)
        assert asyncio.run(here.lives()).exit_code == 0
    return came_to(here.run), spent_in(here.run)


def limited(stage: str | None, unit: str, limit: float) -> str:
    return f"budget.{unit}={limit}" if stage is None else f"budget.stages.{stage}.{unit}={limit}"


def held_by(
    here: Place, limits: list[tuple[str | None, str, float]], whole: tuple[Came, SPENT], concurrency: int
) -> None:
    """One life under these budgets and one without: the first keeps to them, the second ends as an unharmed run."""
    unharmed, takes = whole
    changes = [limited(*each) for each in limits]

    summary = asyncio.run(here.lives(*changes, f"concurrency={concurrency}", latency=0.003))

    paid = spent_in(here.run)
    counts = accounted(here.run)
    for stage, unit, limit in limits:
        assert paid.get(stage, {}).get(unit, 0) <= limit + 1e-9
    short = any(limit < takes[stage][unit] for stage, unit, limit in limits)
    if short:
        assert summary.exit_code == 4
        assert isinstance(summary.error, BudgetExhausted)
        assert counts["pending"] > 0
        assert counts["failed"] == {}
    if len(limits) == 1 and limits[0][1] == "calls" and short:
        assert paid.get(limits[0][0], {}).get("calls", 0) == limits[0][2]  # and none is left unspent
    asyncio.run(here.ends_as(unharmed))
    assert came_to(here.run).paid == unharmed.paid


@settings(max_examples=2, deadline=None, phases=FAST)
@given(
    what=st.lists(
        st.tuples(st.sampled_from(STAGES), st.sampled_from(UNITS), st.floats(0, 1)),
        min_size=1,
        max_size=3,
        unique_by=lambda each: each[:2],
    ),
    concurrency=st.sampled_from([1, 3, 32]),
)
def test_no_budget_is_overspent_and_a_larger_one_goes_on(
    what: list[tuple[str | None, str, float]],
    concurrency: int,
    priced: tuple[Came, SPENT],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    amounts = [(stage, unit, share * priced[1][stage][unit]) for stage, unit, share in what]
    limits = [(stage, unit, amount if unit == "usd" else int(amount)) for stage, unit, amount in amounts]
    held_by(place(tmp_path_factory.mktemp("budget"), PRICES), limits, priced, concurrency)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("share", [0.0, 0.2, 0.9])
def test_every_budget_is_kept(
    stage: str | None, unit: str, share: float, priced: tuple[Came, SPENT], tmp_path: Path
) -> None:
    amount = share * priced[1][stage][unit]
    held_by(place(tmp_path, PRICES), [(stage, unit, amount if unit == "usd" else int(amount))], priced, 32)


@settings(max_examples=8, deadline=None, phases=FAST)
@given(
    limit=st.integers(0, 3_000),
    concurrency=st.integers(1, 12),
    taken=st.lists(st.integers(1, 900), min_size=30, max_size=30),
)
def test_replies_longer_than_reserved_overshoot_by_those_in_flight_at_most(
    limit: int, concurrency: int, taken: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A server that ignores max_tokens: what is granted fits, what comes back may not."""

    async def run() -> tuple[int, int]:
        reserved = 0
        async with Provider(latency=0.002) as provider:
            usages = iter(taken)

            def answer(_: Any) -> Any:
                usage = {"prompt_tokens": 0, "completion_tokens": next(usages)}
                return body(json.dumps(completion() | {"usage": usage}))(_)

            provider.then = answer
            spec = provider.agent(max_tokens=20)
            folder = tmp_path_factory.mktemp("overshoot")
            async with gateway(folder, spec, budget=Budget(tokens=limit), concurrency=concurrency) as ask:
                sent = [request_of(spec, f"{n:02}?", parameters={"max_tokens": 20}) for n in range(30)]
                reserved = reservation_of(sent[0], None).tokens
                done = await asyncio.gather(*map(ask, sent), return_exceptions=True)
                assert all(not isinstance(each, Exception) or isinstance(each, BudgetExhausted) for each in done)
                return ask.spent.run.tokens, reserved

    spent, reserved = asyncio.run(run())

    # what is sent fits at that moment, beside which as many calls as have a place may be on their way
    assert spent <= max(0, limit - reserved) + concurrency * max(taken)


def test_the_status_tells_the_cost_of_a_stopped_run(tmp_path: Path, priced: tuple[Came, SPENT]) -> None:
    here = place(tmp_path, PRICES)
    limit = priced[1][None]["usd"] / 2

    summary = asyncio.run(here.lives(f"budget.usd={limit}"))

    figures = status(here.run)
    assert summary.exit_code == 4
    assert 0 < figures["cost_usd"] <= limit
    assert figures["cost_usd"] == pytest.approx(summary.spent["all_runs"]["usd"])
    assert f"budget.usd is {limit:g}" in str(summary.error)
