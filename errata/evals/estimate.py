"""A mean difference (or accuracy) with its standard error and degrees of freedom, one function per design.

    one result         values_XN     items are drawn                           `over_items`
    nested             means_XS      seeds are drawn, each with its own items  `over_seeds`
    crossed            values_XSN    seeds and items are drawn, every item     `over_seeds_and_items`
                                     answered under every seed

Axes: X data sets (any number of leading axes), S seeds, N items. Errors follow Student's t, those over seeds and items
the distribution of two_parts.py.

A variance of 0 in a sample of few values does not prove one of 0, so that each has a floor, in items of the scale's
span (1 for accuracies, 2 for differences): see ITEM_FLOOR, SEED_FLOOR and FEW.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from errata.evals.stats import Values
from errata.evals.two_parts import Parts

ITEM_FLOOR = 0.5
"""Variance of a mean over n items is at least this * span^2 / (n (n + 1)): two standard errors are then 3 / n where all
n differences are 0, as the rule of three has it (Hanley & Lippman-Hand, JAMA 249, 1983)."""
SEED_FLOOR = 0.25
"""Seeds' means are no closer to each other than this * span / n: half an item, the resolution of a difference."""
FEW = 5
"""With fewer items than this that depart from the others, the spread over items does not tell what other items do."""


class Estimate(NamedTuple):
    """`value` with its standard error; `df` of that error. Floats, or arrays over data sets."""

    value: Values
    se: Values
    df: Values


def over_items(values_XN: Values, span: float) -> Estimate:
    """The mean over items that were drawn, by Student's t: what one checkpoint does on other items of the kind."""
    n = values_XN.shape[-1]
    floor = ITEM_FLOOR * span**2 / (n * (n + 1))
    sampled = values_XN.var(axis=-1, ddof=1) / n if n > 1 else np.zeros(values_XN.shape[:-1])
    value = values_XN.mean(axis=-1)
    return Estimate(value, np.sqrt(np.maximum(sampled, floor)), np.full_like(value, max(n - 1, 1)))


def over_seeds(means_XS: Values, n: int, span: float) -> Estimate:
    """The mean over seeds that were drawn with `n` items of their own each, by Student's t over the seeds' means.

    What items add is in the spread of the means already. Needs two seeds.
    """
    seeds = means_XS.shape[-1]
    spread = np.maximum(means_XS.var(axis=-1, ddof=1), (SEED_FLOOR * span / n) ** 2)
    value = means_XS.mean(axis=-1)
    return Estimate(value, np.sqrt(spread / seeds), np.full_like(value, seeds - 1))


def over_seeds_and_items(values_XSN: Values, span: float, one_checkpoint: bool = False) -> Parts:
    """The mean over seeds and items, both drawn, with the parts of its variance that either adds.

    By a two-way analysis of variance with random effects (Searle, Casella & McCulloch, Variance Components, 1992, ch.
    4): the seeds' part is MS_seeds / SN, which has the error of single answers in it, the items' part (MS_items -
    MS_rest) / SN, at least 0, and where few items depart from the others at least as much as ITEM_FLOOR says. Needs two
    seeds and two items.

    Args:
        one_checkpoint: one side of the differences is the same checkpoint for all seeds.
    """
    seeds, n = values_XSN.shape[-2:]
    seed_means, item_means = values_XSN.mean(axis=-1), values_XSN.mean(axis=-2)
    of_seeds = n * seed_means.var(axis=-1, ddof=1)
    of_items = seeds * item_means.var(axis=-1, ddof=1)
    total = seeds * n * values_XSN.var(axis=(-2, -1))
    rest = (total - (seeds - 1) * of_seeds - (n - 1) * of_items) / ((seeds - 1) * (n - 1))
    floor = np.where(departures(values_XSN, span, one_checkpoint) < FEW, ITEM_FLOOR * span**2 / (n * (n + 1)), 0.0)
    return Parts(
        value=seed_means.mean(axis=-1),
        seed=np.maximum(of_seeds / n, (SEED_FLOOR * span / n) ** 2) / seeds,
        item=np.maximum((of_items - np.maximum(rest, 0)) / (seeds * n), floor),
        seeds=seeds,
        items=n,
    )


def departures(values_XSN: Values, span: float, one_checkpoint: bool = False) -> Values:
    """Items that depart from what the others have: of accuracies those that most seeds have right, or wrong where these
    are fewer; of differences those on which any seed has one, beside one checkpoint those on which most seeds have."""
    means = values_XSN.mean(axis=-2)
    if span == 1.0:
        right = (means >= 0.5).sum(axis=-1)
        return np.asarray(np.minimum(right, values_XSN.shape[-1] - right))
    departs = np.abs(means) >= 0.5 if one_checkpoint else (values_XSN != 0).any(axis=-2)
    return np.asarray(departs.sum(axis=-1))


def over_clusters(values_N: Values, clusters: ArrayLike, span: float | None) -> Estimate:
    """The mean over values of which those of one cluster belong together, such as several pairs of one problem.

    The variance is the sandwich of a mean over C clusters (Cameron & Miller, J. Hum. Resour. 50, 2015, eq. 11) with the
    factor C / (C - 1) and C - 1 degrees of freedom. `span` None: values without ends, and no floor.
    """
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    number, n = int(codes.max()) + 1, len(values_N)
    value = values_N.mean()
    sums = np.bincount(codes, values_N - value)
    sampled = (sums**2).sum() / n**2 * number / (number - 1) if number > 1 else np.nan
    floor = np.nan if span is None else ITEM_FLOOR * span**2 / (number * (number + 1))
    return Estimate(np.asarray(value), np.sqrt(np.fmax(sampled, floor)), np.asarray(max(number - 1.0, 1.0)))
