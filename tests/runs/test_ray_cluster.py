"""Where the cluster of a run with workers listens; the run itself is in test_ray_runner."""

from errata.runs.ray_cluster import options_of_cluster


def test_a_cluster_that_is_started_here_listens_to_this_machine_alone() -> None:
    options = options_of_cluster(None, workers=2, processors=8)

    assert options["address"] == "local"
    assert options["_node_ip_address"] == "127.0.0.1"
    assert options["include_dashboard"] is False
    assert options["num_cpus"] == 8
    assert options_of_cluster("", workers=9, processors=8)["num_cpus"] == 9


def test_a_cluster_that_is_there_is_joined_as_it_is() -> None:
    assert options_of_cluster("10.0.0.5:6379", workers=2, processors=8) == {"address": "10.0.0.5:6379"}
