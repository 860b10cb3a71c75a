"""The school's graph as it is drawn."""

from __future__ import annotations

from click.testing import CliRunner

from errata.cli import cli
from errata.school.graph import EDGES, NODES


def test_it_is_printed_with_every_edge() -> None:
    drawn = CliRunner().invoke(cli, ["graph", "school"]).output
    lines = [line.split() for line in drawn.splitlines()]
    edges = {(words[0], words[2].rstrip(";")) for words in lines if len(words) == 3 and words[1] in ("-->", "-.->")}
    expected = {(node, end) for node, ends in EDGES.items() for end in ends}
    assert expected | {("__start__", NODES[0]), ("stop", "__end__")} <= edges
