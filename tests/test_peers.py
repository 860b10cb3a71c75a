"""errata's job in the comparison with its peers: what the stub says is read, and no row of it is lost."""

from __future__ import annotations

import pytest

from benchmarks.peers.__main__ import measure, sizes_of
from benchmarks.peers.tables import lacking
from benchmarks.stub import TEXT
from errata.agents.parse_reply import read_score


def test_the_stubs_reply_is_a_score_to_errata() -> None:
    assert 1 <= read_score(TEXT) <= 5


@pytest.mark.slow
def test_all_jobs_of_the_comparison_give_all_their_rows() -> None:
    told = measure("errata", sizes_of(100))
    assert lacking(told) == []
    assert told["speed16"]["code"] == told["speed64"]["code"] == told["refused"]["code"] == 0
    assert told["refused"]["refused"] > 0
    assert told["killed"]["twice"] <= 16, "no more than were in flight"
    assert told["batched"]["twice"] == 0
    told["killed"] = {**told["killed"], "rows": 19}
    assert lacking(told) == ["killed"], "the control: a lost row is seen"
