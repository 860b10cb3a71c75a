"""`kill -9` at a school, its worker or both: nothing is paid twice that was stored, and the students are the same."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks import school_kills
from benchmarks.school_life import Node, moments


def test_kills_come_in_the_order_of_the_nodes_and_meet_every_lesson() -> None:
    nodes = [Node("start", 9.0, range(0))]
    for number in (1, 2, 3):
        calls = range(100 * number - 100, 100 * number)
        nodes += [Node(f"round-{number} {name}", 1.0, range(0)) for name in ("exam", "choose")]
        nodes += [Node(f"round-{number} lesson", 2.0, calls)]
        nodes += [Node(f"round-{number} {name}", 3.0, range(0)) for name in ("train", "judge")]
    found = moments(nodes, 20, Random(1))
    assert [each.node for each in found] == sorted(each.node for each in found)
    assert [[each.aim for each in found].count(aim) for aim in ("lesson", "node", "start")] == [8, 8, 4]
    assert {nodes[each.node].name for each in found if each.aim == "lesson"} == {
        f"round-{number} lesson" for number in (1, 2, 3)
    }
    assert all(0 <= each.share <= 0.8 for each in found)
    assert all(not nodes[each.node].calls for each in found if each.aim == "node")


@pytest.mark.slow
def test_a_few_kills_of_a_small_school() -> None:
    assert school_kills.main(["--problems", "12", "--rounds", "1", "--kills", "3", "--schooling", "32", "--forked"])
