"""The cluster that a run with workers takes: one at RAY_ADDRESS, else one that is started for it on this machine."""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any

from errata.errors import UsageError

ON_THIS_MACHINE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""At 0, Ray takes the loopback address for this machine's own, on every system. It is read when Ray is imported; since
Ray turns `_node_ip_address="127.0.0.1"` into that address, a cluster would else be open to whoever reaches the machine
(ray 2.60, `_private/services.py`, get_node_ip_address)."""


def stay_on_this_machine(environment: MutableMapping[str, str]) -> None:
    """Settles, before Ray is imported, where a cluster listens that is started here; one at RAY_ADDRESS is as it is."""
    if not environment.get("RAY_ADDRESS"):
        environment[ON_THIS_MACHINE] = "0"


def options_of_cluster(address: str | None, workers: int, processors: int) -> dict[str, Any]:
    """What `ray.init` is given beside the names: an address, or how large a cluster is started and where it listens.

    A cluster that is started here has no dashboard and listens to this machine alone: whoever reaches a cluster can run
    code in it.
    """
    if address:
        return {"address": address}
    return {
        "address": "local",
        "num_cpus": max(workers, processors),
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
    }


def check_reach(address: str | None, here: str) -> None:
    """Raises UsageError for a cluster that was started here and that other machines reach, at the address `here`."""
    if not address and not ip_address(here).is_loopback:
        raise UsageError(
            f"Ray would listen at {here}",
            "whoever reaches a cluster can run code in it; Ray was imported before errata could say otherwise",
            f"set {ON_THIS_MACHINE}=0 before Ray is imported, or start a cluster of yours and name it by RAY_ADDRESS",
        )
