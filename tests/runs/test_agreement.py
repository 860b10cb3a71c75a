"""Krippendorff's alpha where it is defined, and thinned where there are many units."""

from __future__ import annotations

from collections import Counter

import pytest

from errata.runs.agreement import alpha


def test_agreement_without_two_different_scores_is_undefined() -> None:
    assert alpha(Counter()) is None
    assert alpha(Counter({(0, 0, 0, 0, 2): 7})) is None
    assert alpha(Counter({(0, 0, 0, 0, 2): 5, (2, 0, 0, 0, 0): 5})) == 1.0


def test_agreement_of_many_units_is_thinned_and_hardly_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = Counter({(0, 0, 0, 0, 2): 4000, (1, 0, 0, 0, 1): 500, (0, 0, 2, 0, 0): 1500, (0, 1, 0, 1, 0): 1000})
    whole = alpha(patterns)
    monkeypatch.setattr("errata.runs.agreement.MOST_UNITS", 700)
    assert alpha(patterns) == pytest.approx(whole, abs=0.005)
