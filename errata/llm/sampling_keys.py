"""Sampling keys (temperature, top_p) that a provider does not take: many reasoning models refuse any but their own.

400 that names one  -> the same call without them, as all later ones of this agent; and that is said
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from errata.llm.request import ProviderFailure, Request

KEYS = frozenset({"temperature", "top_p"})
_NAMES_ONE = re.compile(r"\b(?:temperature|top_p)\b")


class SamplingRefused(ProviderFailure):
    """The provider takes no temperature or top_p from outside, or not these; without them the call may do."""


def names_sampling(message: str) -> bool:
    """Whether a refusal of a request is one of its sampling keys, by the provider's words."""
    return bool(_NAMES_ONE.search(message.casefold()))


class SamplingKeys:
    """Who is sent sampling keys. `refused` holds, by agent, in which words its provider refused them, also earlier."""

    def __init__(self, refused: Mapping[str, str]) -> None:
        self.refused = dict(refused)

    def settled(self, request: Request) -> Request:
        """The request as it is sent: as it is, or without sampling keys."""
        if request.spec.name not in self.refused or not KEYS & request.parameters.keys():
            return request
        parameters = {name: value for name, value in request.parameters.items() if name not in KEYS}
        return replace(request, parameters=parameters)


def sampling_notes(refused: Mapping[str, str]) -> list[str]:
    """What to say of providers that took no sampling keys, by agent."""
    return [
        f"the provider of {agent} does not take the temperature and top_p of the recipe, so its calls go without them "
        f"and draw as the provider does: {words}"
        for agent, words in sorted(refused.items())
    ]
