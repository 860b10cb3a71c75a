"""Where the cluster of a run with workers listens; the run itself is in test_ray_runner."""

import pytest

from errata.errors import UsageError
from errata.runs.ray_cluster import ON_THIS_MACHINE, check_reach, options_of_cluster, stay_on_this_machine


def test_a_cluster_that_is_started_here_listens_to_this_machine_alone() -> None:
    options = options_of_cluster(None, workers=2, processors=8)

    assert options["address"] == "local"
    assert options["_node_ip_address"] == "127.0.0.1"
    assert options["include_dashboard"] is False
    assert options["num_cpus"] == 8
    assert options_of_cluster("", workers=9, processors=8)["num_cpus"] == 9


def test_a_cluster_that_is_there_is_joined_as_it_is() -> None:
    assert options_of_cluster("10.0.0.5:6379", workers=2, processors=8) == {"address": "10.0.0.5:6379"}


def test_where_it_listens_is_settled_before_ray_is_imported_unless_a_cluster_is_named() -> None:
    here: dict[str, str] = {"RAY_ADDRESS": ""}
    stay_on_this_machine(here)
    assert here[ON_THIS_MACHINE] == "0"
    named = {"RAY_ADDRESS": "10.0.0.5:6379"}
    stay_on_this_machine(named)
    assert ON_THIS_MACHINE not in named


def test_a_cluster_that_others_reach_is_refused_unless_it_was_named() -> None:
    for address in ("127.0.0.1", "::1", "127.0.0.2"):
        check_reach(None, address)
    check_reach("10.0.0.5:6379", "10.0.0.7")
    with pytest.raises(UsageError, match=r"Ray would listen at 192\.0\.2\.2"):
        check_reach(None, "192.0.2.2")
