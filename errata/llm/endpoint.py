"""The address and the headers of an agent's calls."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from errata.config.env import expand
from errata.llm.spec import AgentSpec


def api_base_of(spec: AgentSpec) -> str | None:
    """Where the agent's calls go, None for the provider's own address.

    For openai/ the usual environment variables count, since another server gives other replies.
    """
    if spec.api_base or not spec.model.startswith("openai/"):
        return spec.api_base
    return os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE") or None


def filled_in(headers: Mapping[str, Any]) -> dict[str, str]:
    """Headers with `${NAME}` read from the environment. Raises UsageError where it is not set."""
    return {name: expand(str(text)) for name, text in headers.items()}
