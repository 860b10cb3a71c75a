"""What a run directory has paid, by agent and stage: in this process, and before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from errata.llm.budget import CallTotals, Ledger, Payment, total
from errata.llm.reply_counts import ReplyCounts
from errata.llm.request import Reply, Request
from errata.llm.stored_reply import CallResult


@dataclass(slots=True)
class Spent:
    """Calls, tokens and dollars by agent and stage: of this process, and of the run directory before it."""

    now: Ledger = field(default_factory=dict)
    before: Ledger = field(default_factory=dict)
    fallbacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Replies of this process that a fallback gave, by the agent that was asked and the one that answered."""
    unknown_prompts: Counter[str] = field(default_factory=Counter)
    """Replies of this process to prompts that the simulated faculty does not know, by prompt (`editor/shorten@1`)."""
    refused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By part of a request (schema, sampling), the agents whose providers did not take it, with their words; those of
    the processes before among them."""
    replies: dict[tuple[str, str, str], ReplyCounts] = field(default_factory=dict)
    """Replies paid by this process, by the agent that gave them, stage and verb."""

    def at(self, request: Request) -> CallTotals:
        """This process's tally of the request's agent and stage."""
        return self.now.setdefault((request.spec.name, request.stage), CallTotals())

    def pay(self, request: Request, reply: Reply, payment: Payment, seconds: float) -> None:
        """Counts a reply of this process; `seconds` passed from sending to the reply."""
        self.at(request).pay(payment)
        key = (request.spec.name, request.stage, request.verb)
        self.replies.setdefault(key, ReplyCounts()).add(
            attempt=request.attempt,
            cut_off=reply.finish_reason == "length",
            tokens=(payment.prompt_tokens, payment.completion_tokens),
            usd=payment.usd if payment.priced else None,
            seconds=seconds,
        )
        if request.instead_of:
            self.fallbacks[request.instead_of, request.spec.name] += 1

    def count(self, request: Request, result: CallResult) -> None:
        """Counts a call that cost this process nothing: a reply that was there, or a failure."""
        tally = self.at(request)
        if result.failure is None:
            tally.cached += 1
        elif not result.declined:  # else the same call is made without what its provider does not take
            tally.failed += 1

    def pay_orphan(self, payment: Payment) -> None:
        """Counts a reply of a batch that nobody waits for any more."""
        self.now.setdefault((payment.agent, payment.stage), CallTotals()).pay(payment)

    @property
    def process(self) -> CallTotals:
        """All of this process."""
        return total(self.now.values())

    @property
    def run(self) -> CallTotals:
        """All of the run directory, this process included; cached and failed calls are this process's."""
        return total([*self.before.values(), *self.now.values()])

    def by_agent(self) -> dict[str, CallTotals]:
        """The run directory's tallies by agent."""
        return self._by(0)

    def by_stage(self) -> dict[str, CallTotals]:
        """The run directory's tallies by stage."""
        return self._by(1)

    def _by(self, place: int) -> dict[str, CallTotals]:
        tallies: dict[str, CallTotals] = {}
        for key, tally in sorted([*self.before.items(), *self.now.items()], key=lambda item: item[0]):
            part = tallies.setdefault(key[place], CallTotals())
            part += tally
        return tallies
