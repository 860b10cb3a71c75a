"""How far a panel's members agree: Krippendorff's alpha over the scores of many rationales."""

from __future__ import annotations

from collections import Counter

import numpy as np

MOST_UNITS = 100_000
"""Rationales that enter the agreement at most; beyond, their score patterns are thinned in proportion."""


def alpha(patterns: Counter[tuple[int, ...]]) -> float | None:
    """Krippendorff's ordinal alpha of score patterns (counts of the scores 1 to 5); None where it is undefined."""
    used = [score for score in range(5) if any(pattern[score] for pattern in patterns)]
    if len(used) < 2:
        return None  # no two different scores: chance agreement is complete and alpha is 0/0
    import krippendorff

    thin = max(1.0, sum(patterns.values()) / MOST_UNITS)
    rows = np.array([[pattern[score] for score in used] for pattern in sorted(patterns)])
    times = np.array([max(1, round(patterns[pattern] / thin)) for pattern in sorted(patterns)])
    value_counts, domain = np.repeat(rows, times, axis=0), [score + 1 for score in used]
    return float(krippendorff.alpha(value_counts=value_counts, value_domain=domain, level_of_measurement="ordinal"))
