"""Where a recipe's calls go and which key goes there: said before anything is sent, and refused where it looks wrong.

A recipe may come from somebody else. It names hosts (`api_base`) and environment variables (`api_key_env`, `${NAME}` in
headers); a key that everybody has under the same name must not go wherever such a recipe says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from errata.config.env import variable
from errata.errors import UsageError
from errata.llm.backends import asks_elsewhere, kind_of
from errata.llm.endpoint import api_base_of
from errata.llm.spec import AgentSpec

OPENAI_HOST = "api.openai.com"
_USUAL = re.compile(
    r"[A-Z0-9_]*(?:API_KEY|API_TOKEN)|AWS_[A-Z_]+|HF_TOKEN|GITHUB_TOKEN|GH_TOKEN|GOOGLE_APPLICATION_CREDENTIALS"
)
"""Names under which people keep a provider's own key: such a key goes to no other host without a word."""
_IN_HEADER = re.compile(r"\$\{(\w+)")


class Destination(NamedTuple):
    """A host, the variables whose values go there, and the agents that are asked there."""

    host: str
    variables: tuple[str, ...]
    agents: tuple[str, ...]

    def __str__(self) -> str:
        key = f"with {', '.join(self.variables)}" if self.variables else "without a key"
        return f"{self.host} {key} ({', '.join(self.agents)})"


def host_of(spec: AgentSpec) -> str | None:
    """The host that an agent's calls go to; a provider's own by its name; None where they stay in this process."""
    kind = kind_of(spec)
    if kind not in ("openai", "litellm", "own"):
        return None
    if base := api_base_of(spec):
        return urlsplit(base).netloc.rpartition("@")[2] or base
    if kind == "own":  # its code alone knows where
        return f"wherever {spec.backend} asks" if asks_elsewhere(spec) else None
    return OPENAI_HOST if kind == "openai" else spec.model.removeprefix("litellm/").partition("/")[0]


def key_variables(spec: AgentSpec) -> tuple[str, ...]:
    """The environment variables whose values are sent: the key's, and those that headers name."""
    usual = usual_variable(spec)
    key = spec.api_key_env or (usual if variable(usual) else None)
    in_headers = _IN_HEADER.findall(str(spec.extra.get("extra_headers", "")))
    return tuple(dict.fromkeys([*([key] if key else []), *in_headers]))


def usual_variable(spec: AgentSpec) -> str:
    """The variable that holds the provider's key where the recipe names none."""
    provider = spec.model.removeprefix("litellm/").partition("/")[0]
    return f"{provider.upper().replace('-', '_')}_API_KEY"


def destinations(specs: Iterable[AgentSpec]) -> list[Destination]:
    """All hosts outside this process that these agents' calls go to."""
    agents: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for spec in specs:
        if (host := host_of(spec)) is not None:
            agents.setdefault((host, key_variables(spec)), []).append(spec.name)
    return [Destination(host, variables, tuple(names)) for (host, variables), names in agents.items()]


def check_destinations(specs: Iterable[AgentSpec], trusted: Collection[str] = ()) -> None:
    """Raises UsageError where a provider's own key would go to a host that is not the provider's.

    Hosts of this machine may have any key, and so may those in `trusted`, with or without their port. An address from
    the person's own environment (OPENAI_BASE_URL) is trusted: no recipe has chosen it.
    """
    for spec in specs:
        host = host_of(spec)
        if (
            host is None
            or not spec.api_base
            or _is_here(host)
            or not {host, host.partition(":")[0]}.isdisjoint(trusted)
        ):
            continue
        name = next((name for name in key_variables(spec) if _USUAL.fullmatch(name) and variable(name)), None)
        if name is not None and not _belongs(host, name):
            raise UsageError(
                f"agent {spec.name}: {name} would go to {host}",
                "the recipe chose this host, and the key is a provider's own",
                f"give that server a key of its own (api_key_env), or allow it: --trust-hosts {host.partition(':')[0]}",
            )


def _is_here(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _belongs(host: str, name: str) -> bool:
    """Whether the host is the provider's whose key this is: api.openai.com and OPENAI_API_KEY."""
    provider = re.split(r"_API_|_TOKEN|_KEY", name)[0].lower().replace("_", "")
    labels = (urlsplit(f"//{host}").hostname or "").split(".")
    return len(labels) >= 2 and labels[-2] == provider
