"""The cluster that a run with workers takes: one at RAY_ADDRESS, else one that is started for it on this machine."""

from __future__ import annotations

from typing import Any


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
