"""The short form of benchmarks/verdicts.py: errors, coverage and power of what compare says, on simulated students."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from benchmarks.verdicts import Cell, draw, end_rates, family_errors, outcome, rates
from errata.evals.compare import compare
from errata.evals.evidence import ALPHA
from errata.evals.results import Eval, Item
from tests.evals.eval_dirs import manifest

CELLS = [
    Cell("one seed each", 1, 0.02, 0.5, 50),
    Cell("crossed", 3, 0.02, 0.9, 50),
    Cell("nested", 3, 0.05, 0.5, 50),
    Cell("one against many", 3, 0.02, 0.5, 50),
    Cell("one against many", 12, 0.0, 0.9, 50),
]
ENDS = [
    Cell("crossed", 5, 0.0, 0.9, 50, accuracy=0.98),
    Cell("one against many", 12, 0.0, 0.0, 50, accuracy=0.98),
    Cell("crossed", 3, 0.0, 0.9, 20, accuracy=0.95),
]
SHARED = [Cell("crossed", 5, 0.0, 0.9, 50), Cell("one against many", 12, 0.0, 0.5, 50)]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_verdicts_intervals_and_powers_are_as_often_right_as_stated(cell: Cell) -> None:
    one = rates(cell, 500)

    # two standard errors of 500 data sets beside the marks: 2 points of 5 or 95 %, 3 of 80 %
    assert one.type_i < 0.06 + 0.02
    assert 0.93 - 0.02 < one.coverage < 0.97 + 0.02
    assert abs(one.power - 0.8) < 0.05 + 0.03
    assert one.contradictions == 0


@pytest.mark.parametrize(
    ("cell", "claims"), [(Cell("nested", 5, 0.02, 0.5, 500), 12), (Cell("crossed", 3, 0.02, 0.5, 200), 4)], ids=str
)
def test_a_power_that_is_stated_after_correction_is_as_often_reached(cell: Cell, claims: int) -> None:
    one = rates(cell, 500, alpha=ALPHA / claims)

    assert abs(one.power - 0.8) < 0.05 + 0.03
    assert one.contradictions == 0


@pytest.mark.parametrize("cell", ENDS, ids=str)
def test_where_nearly_all_is_right_errors_are_no_more_and_intervals_no_narrower_than_stated(cell: Cell) -> None:
    error, covered = end_rates(cell, 300)

    assert error < 0.06 + 0.02
    assert covered > 0.93 - 0.02


def test_a_family_has_a_false_claim_no_more_often_than_stated() -> None:
    errors, contradictions = family_errors(Cell("crossed", 3, 0.05, 0.5, 50), claims=6, families=250)

    assert errors < 0.06 + 0.03
    assert contradictions == 0


@pytest.mark.parametrize("cell", SHARED, ids=str)
def test_a_t_over_seeds_that_share_their_items_would_not_do(cell: Cell) -> None:
    gaps = draw(cell, 500, 0.0, np.random.default_rng(1))[0].mean(axis=-1)

    assert np.mean(ttest_1samp(gaps, 0, axis=1).pvalue < 0.05) > 0.3


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_is_simulated_is_what_compare_says(cell: Cell) -> None:
    gaps = draw(cell, 3, 0.1, np.random.default_rng(1))[0]
    simulated = outcome(cell, gaps)

    for place, gaps_SN in enumerate(gaps):
        [one] = compare(evals_of(cell, gaps_SN)).differences
        assert one.design == cell.design
        assert one.p == pytest.approx(simulated.p[place])
        assert (one.difference.low, one.difference.high) == pytest.approx(
            (max(simulated.low[place], -1), min(simulated.high[place], 1))
        )


def evals_of(cell: Cell, gaps_SN: np.ndarray) -> list[Eval]:
    """Two arms with these differences, the second's answers being 0 where they are not below the first's."""
    evals = []
    for label, seeds in (("b", 1 if cell.design == "one against many" else cell.seeds), ("a", cell.seeds)):
        for seed in range(seeds):
            base = np.minimum(gaps_SN.min(axis=0) if cell.design == "one against many" else gaps_SN[seed], 0)
            values = -base if label == "b" else gaps_SN[seed] - base
            ids = [f"s{seed}-{n}" if cell.design == "nested" else str(n) for n in range(cell.items)]
            items = tuple(Item(id=id_, correct=float(value)) for id_, value in zip(ids, values, strict=True))
            evals.append(Eval(Path(f"{label}-{seed}"), items, manifest(f"{label}-{seed}", label, seed)))
    return evals
