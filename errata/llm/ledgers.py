"""What a run directory has paid, as its response store and its manifest keep it, and the two held together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from errata.llm.budget import CallTotals, Ledger, Payment, total

UNKNOWN_AGENT = "(not in the store)"
"""Stands for the agents of payments that only the manifest knows, which keeps them by stage."""


def ledger_of(rows: Any) -> Ledger:
    """The ledger that a store's row holds; stores of older versions have no count of lost replies.

    Raises ValueError or TypeError for a damaged row.
    """
    return {
        (str(agent), str(stage)): CallTotals(
            paid=int(paid),
            prompt_tokens=int(prompt),
            completion_tokens=int(completion),
            usd=float(usd),
            unpriced=int(unpriced),
            lost=int(lost[0]) if lost else 0,
        )
        for agent, stage, paid, prompt, completion, usd, unpriced, *lost in rows or []
    }


def rows_of(ledger: Ledger) -> list[list[Any]]:
    return [
        [agent, stage, tally.paid, tally.prompt_tokens, tally.completion_tokens, tally.usd, tally.unpriced, tally.lost]
        for (agent, stage), tally in sorted(ledger.items())
    ]


def book(ledger: Ledger, payment: Payment) -> None:
    ledger.setdefault((payment.agent, payment.stage), CallTotals()).pay(payment)


def ledger_in(manifest: Mapping[str, Any]) -> Ledger:
    """What a run's manifest says that it has paid, by stage; empty where it says nothing that can be read."""
    try:
        stages = manifest["spent"]["all_runs"]["stages"]
        return {(UNKNOWN_AGENT, str(stage)): _totals(figures) for stage, figures in stages.items()}
    except (AttributeError, TypeError, ValueError, KeyError):
        return {}


def _totals(figures: Mapping[str, Any]) -> CallTotals:
    usd = figures.get("counted_usd", figures["usd"])
    return CallTotals(
        paid=int(figures["paid"]),
        prompt_tokens=int(figures["prompt_tokens"]),
        completion_tokens=int(figures["completion_tokens"]),
        usd=float(usd or 0.0),
        unpriced=int(figures["paid"]) if figures["usd"] is None else 0,
        lost=int(figures.get("lost", 0)),
    )


def missing_from(stored: Ledger, known: Ledger) -> Ledger:
    """What the manifest's ledger `known` holds beyond the store's, by stage: each only ever grows."""
    missing: Ledger = {}
    for (agent, stage), tally in known.items():
        there = total(each for (_, at), each in stored.items() if at == stage)
        if tally.paid > there.paid:
            beyond = {name: max(0, getattr(tally, name) - getattr(there, name)) for name in CallTotals.__slots__}
            missing[agent, stage] = CallTotals(**beyond)
    return missing
