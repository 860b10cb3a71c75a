"""errata and its peers on one job, each from its package in an environment of its own."""
