"""The model of the voters: against a posterior counted out by hand, and what it makes of simulated voters."""

from __future__ import annotations

from itertools import pairwise, product
from math import gamma, log

import numpy as np
import pytest

from errata.evidence.ballots import Ballot, Ballots, Bools, Floats, Voter, gather, patterns
from errata.evidence.layout import Layout
from errata.evidence.voters_model import (
    SLIP,
    Parameters,
    expectation,
    fit,
    fit_levels,
    maximisation,
    start,
)

BEN, CLEO, STEPS = Voter("review:ben", panel=True), Voter("review:cleo", panel=True), Voter("arithmetic")


def tiny() -> Ballots:
    """Three problems: two answers that share one author's votes, all different with one unread, all the same."""
    return gather(
        [
            [
                Ballot("a", "ada", 0, {BEN: True, CLEO: False, STEPS: True}),
                Ballot("b", "ben", 0, {CLEO: True}),
                Ballot("c", "cleo", 1, {BEN: True, STEPS: False}),
            ],
            [Ballot("d", "ada", 0, {}), Ballot("e", "ben", None, {CLEO: False}), Ballot("f", "cleo", 1, {BEN: False})],
            [Ballot("g", "ada", 0, {BEN: True}), Ballot("h", "ben", 0, {}), Ballot("i", "cleo", 0, {STEPS: True})],
        ]
    )


PARAMETERS = Parameters(
    level_L=np.array([0.5, 0.3, 0.2]),
    accuracy_LA=np.array([[0.9, 0.8, 0.7], [0.4, 0.3, 0.2], [0.02, 0.02, 0.02]]),
    concentration_L=np.array([3.0, 1.5, 0.1]),
    right_ZJ=np.array([[0.3, 0.7, 0.8], [0.95, 0.9, 0.85]]),
    together_Z=np.array([0.2, 0.05]),
    flawed=0.1,
)


def by_hand(ballots: Ballots, now: Parameters) -> tuple[list[float], float]:
    """Each rationale's posterior and the log likelihood, by going through every truth of every problem."""
    posterior, whole = [0.0] * len(ballots), 0.0
    for problem in range(ballots.problems):
        rows = [row for row in range(len(ballots)) if ballots.problem_N[row] == problem]
        weights: dict[tuple[int, ...], float] = {}
        for truth in product((0, 1), repeat=len(rows)):
            if possible(ballots, rows, truth):
                weights[truth] = sum(density(ballots, now, rows, truth, level) for level in range(len(now.level_L)))
        total = sum(weights.values())
        whole += log(total)
        for place, row in enumerate(rows):
            posterior[row] = sum(weight for truth, weight in weights.items() if truth[place]) / total
    return posterior, whole


def possible(ballots: Ballots, rows: list[int], truth: tuple[int, ...]) -> bool:
    """One answer at most is right, and with it everybody who gives it."""
    groups = [ballots.group_N[row] for row in rows]
    right = {group for group, is_right in zip(groups, truth, strict=True) if is_right}
    return (
        len(right) <= 1 and -1 not in right and all((g in right) == bool(z) for g, z in zip(groups, truth, strict=True))
    )


def density(ballots: Ballots, now: Parameters, rows: list[int], truth: tuple[int, ...], level: int) -> float:
    chance = float(now.level_L[level])
    sizes: dict[int, int] = {}
    for row, z in zip(rows, truth, strict=True):
        accuracy = now.accuracy_LA[level, ballots.author_N[row]]
        chance *= (accuracy if z else 1 - accuracy) * votes(ballots, now, row, z)
        if not z and ballots.group_N[row] >= 0:
            sizes[ballots.group_N[row]] = sizes.get(ballots.group_N[row], 0) + 1
    alpha, number = float(now.concentration_L[level]), sum(sizes.values())
    for size in sizes.values():
        chance *= alpha * gamma(size)
    return chance * gamma(alpha) / gamma(alpha + number)


def votes(ballots: Ballots, now: Parameters, row: int, z: int) -> float:
    """Of a right answer by sound steps, or by flawed ones."""
    of_flawed = votes_on_text(ballots, now, row, 0)
    return (1 - now.flawed) * votes_on_text(ballots, now, row, 1) + now.flawed * of_flawed if z else of_flawed


def votes_on_text(ballots: Ballots, now: Parameters, row: int, z: int) -> float:
    apart, as_one, alone = 1 - now.together_Z[z], now.together_Z[z], 1.0
    for column, voter in enumerate(ballots.voters):
        vote = ballots.votes_NJ[row, column]
        if vote == 0:
            continue
        is_right = (vote > 0) == bool(z)
        chance = now.right_ZJ[z, column] if is_right else 1 - now.right_ZJ[z, column]
        if voter.panel:
            apart, as_one = apart * chance, as_one * (SLIP if is_right else 1 - SLIP)
        else:
            alone *= chance
    return float(alone * (apart + as_one))


def test_the_posterior_is_that_of_going_through_every_truth() -> None:
    ballots = tiny()
    seen = expectation(Layout.of(ballots), PARAMETERS)
    posterior, whole = by_hand(ballots, PARAMETERS)
    np.testing.assert_allclose(seen.right_N, posterior, atol=1e-12)
    assert float(seen.fit_P.sum()) == pytest.approx(whole, abs=1e-10)
    assert seen.right_N[4] == 0  # no answer was read
    np.testing.assert_allclose(seen.level_LP.sum(0), 1)


def test_a_step_never_lowers_the_likelihood_of_much_data() -> None:
    ballots, _ = simulated(400, np.random.default_rng(3))
    layout, weight = Layout.of(ballots), np.ones(ballots.problems)
    parameters, scores = start(ballots, 2), []
    for _ in range(30):
        seen = expectation(layout, parameters)
        scores.append(float(seen.fit_P.sum()))
        parameters = maximisation(layout, seen, weight)
    assert all(after > before - 0.5 for before, after in pairwise(scores))  # but for the priors
    assert scores[-1] > scores[0] + 50


def simulated(
    problems: int, rng: np.random.Generator, *, specificity: float = 0.7, blind_spots: float = 0.0, gold: float = 0.0
) -> tuple[Ballots, Bools]:
    """Ballots and their truth. Authors of accuracy 0.8, 0.7, 0.6 review each other; a wrong answer is one of five."""
    reviewers = [Voter(f"review:{name}", panel=True) for name in "abc"]
    made = []
    for problem in range(problems):
        answers = [0 if rng.random() < accuracy else 1 + int(rng.integers(5)) for accuracy in (0.8, 0.7, 0.6)]
        known, one = rng.random() < gold, []
        for author, answer in enumerate(answers):
            right, fooled = answer == 0, rng.random() < blind_spots
            verdicts = {
                reviewers[other]: (rng.random() < 0.93) if right else fooled or (rng.random() > specificity)
                for other in range(3)
                if other != author
            }
            group = list(dict.fromkeys(answers)).index(answer)
            one.append((f"{problem}.{author}", "abc"[author], group, verdicts, right if known else None, right))
        made.append(one)
    ballots = gather([[Ballot(*each[:5], reviews=2) for each in one] for one in made])
    return ballots, np.array([each[5] for one in made for each in one])


def fitted(ballots: Ballots) -> Floats:
    kinds = patterns(ballots)
    return fit(Layout.of(kinds.ballots), kinds.counts()).right_N[kinds.row_N]


@pytest.mark.parametrize("seed", range(3))
def test_simulated_voters_are_found_and_the_posterior_is_calibrated(seed: int) -> None:
    ballots, truth = simulated(600, np.random.default_rng(seed))
    right = fitted(ballots)
    accepted = right > 0.5
    assert (accepted == truth).mean() > 0.93
    assert abs(right[accepted].mean() - truth[accepted].mean()) < 0.02
    assert abs(right.mean() - truth.mean()) < 0.03


@pytest.mark.parametrize("seed", range(8))
def test_thirty_problems_are_enough_not_to_go_astray(seed: int) -> None:
    ballots, truth = simulated(30, np.random.default_rng(100 + seed))
    assert ((fitted(ballots) > 0.5) == truth).mean() > 0.8


def test_authors_who_fail_together_on_few_problems_are_not_taken_for_independent() -> None:
    """On three in ten problems all are right in 0.3, else in 0.9: of one level, 3.2 points too much would be stated."""
    stated, true = [], []
    for seed in range(12):
        ballots, rng = [], np.random.default_rng(seed)
        for problem in range(60):
            accuracy = 0.9 if rng.random() < 0.7 else 0.3
            answers = [0 if rng.random() < accuracy else 1 + int(rng.integers(4)) for _ in "abc"]
            groups = [list(dict.fromkeys(answers)).index(answer) for answer in answers]
            ballots.append([Ballot(f"{problem}.{a}", "abc"[a], groups[a], {}, answers[a] == 0) for a in range(3)])
        log = gather(ballots)
        right = fitted(log.without_gold())
        stated.append(right[right > 0.5].mean())
        true.append(log.gold_N[right > 0.5].mean())
    assert abs(np.mean(stated) - np.mean(true)) < 0.015


def test_reviewers_that_share_blind_spots_count_for_less() -> None:
    apart, _ = simulated(400, np.random.default_rng(5), specificity=0.9)
    shared, truth = simulated(400, np.random.default_rng(5), specificity=0.9, blind_spots=0.3)
    found = [together(each) for each in (apart, shared)]
    assert found[0] < 0.06 < 0.12 < found[1]
    right = fitted(shared)
    assert abs(right[right > 0.5].mean() - truth[right > 0.5].mean()) < 0.02


def together(ballots: Ballots) -> float:
    kinds = patterns(ballots)
    return float(fit(Layout.of(kinds.ballots), kinds.counts()).parameters.together_Z[0])


def test_gold_verdicts_are_kept_and_teach_the_rest() -> None:
    ballots, truth = simulated(200, np.random.default_rng(7), specificity=0.55, gold=0.3)
    right = fitted(ballots)
    known = ~np.isnan(ballots.gold_N)
    assert 0 < known.sum() < len(ballots)
    assert (right[known] == truth[known]).all()
    blind = fitted(ballots.without_gold())
    assert np.abs(right - truth)[~known].mean() < np.abs(blind - truth)[~known].mean() + 0.01


def test_an_agreed_answer_may_be_wrong_where_only_agreement_speaks() -> None:
    agreed = gather([[Ballot(f"{p}.{a}", a, 0, {}) for a in "abcdefgh"] for p in range(50)])
    assert 0.85 < fitted(agreed).min() < 0.99
    told = [[each._replace(right=False) for each in one] for one in [ballots_of(p) for p in range(20)]]
    warned = fitted(gather([*told, *[ballots_of(p) for p in range(20, 70)]]))
    assert warned[-1] < fitted(agreed).min() - 0.1


def ballots_of(problem: int) -> list[Ballot]:
    return [Ballot(f"{problem}.{author}", author, 0, {}) for author in "abcdefgh"]


def test_collapsing_equal_problems_changes_nothing() -> None:
    ballots, _ = simulated(120, np.random.default_rng(9))
    kinds = patterns(ballots)
    assert kinds.ballots.problems < ballots.problems
    whole = fit_levels(Layout.of(ballots), np.ones(ballots.problems), start(ballots, 2))
    collapsed = fit_levels(Layout.of(kinds.ballots), kinds.counts(), start(kinds.ballots, 2))
    np.testing.assert_allclose(collapsed.right_N[kinds.row_N], whole.right_N, atol=1e-9)
    assert collapsed.score == pytest.approx(whole.score)


def test_a_problem_drawn_twice_counts_twice() -> None:
    ballots = tiny()
    twice = ballots.of_problems([2, 0, 0])
    assert twice.ids == ("g", "h", "i", "a", "b", "c", "a", "b", "c")
    assert twice.group_N.tolist() == [0, 0, 0, 1, 1, 2, 3, 3, 4]
    posterior = expectation(Layout.of(twice), PARAMETERS).right_N
    alone = expectation(Layout.of(ballots), PARAMETERS).right_N
    np.testing.assert_allclose(posterior, alone[[6, 7, 8, 0, 1, 2, 0, 1, 2]])


def test_an_empty_log_fits() -> None:
    nothing = gather([])
    assert fit(Layout.of(nothing), np.zeros(0)).right_N.shape == (0,)


def with_lucky(problems: int, rng: np.random.Generator, *, lucky: float) -> tuple[Ballots, Bools]:
    """Ballots of three authors who mostly agree, and which texts are flawed though their answer is right."""
    reviewers = [Voter(f"review:{name}", panel=True) for name in "abc"]
    made, flawed = [], []
    for problem in range(problems):
        one = []
        for author in range(3):
            right, by_luck = rng.random() < 0.8, rng.random() < lucky
            sees = [rng.random() < 0.85 for _ in range(3)]
            verdicts = {
                reviewers[other]: sees[other] if right and not by_luck else not sees[other]
                for other in range(3)
                if other != author
            }
            one.append(Ballot(f"{problem}.{author}", "abc"[author], 0 if right else 1 + author, verdicts))
            flawed.append(right and by_luck)
        numbers = {number: place for place, number in enumerate(dict.fromkeys(each.group for each in one))}
        made.append([each._replace(group=numbers[each.group]) for each in one])
    return gather(made), np.array(flawed)


def test_flawed_texts_with_a_right_answer_are_told_from_sound_ones_of_the_same_answer() -> None:
    ballots, flawed = with_lucky(500, np.random.default_rng(11), lucky=0.12)
    found = fit(Layout.of(ballots), np.ones(ballots.problems))
    right = found.right_N > 0.5
    assert found.parameters.flawed == pytest.approx(flawed[right].mean(), abs=0.04)
    doubted = right & (found.flawed_N > 0.5)
    assert flawed[doubted].mean() > 0.7
    assert flawed[right & ~doubted].mean() < 0.05


def test_where_nobody_reaches_an_answer_by_flaws_hardly_any_text_is_doubted() -> None:
    ballots, _ = with_lucky(500, np.random.default_rng(12), lucky=0.0)
    found = fit(Layout.of(ballots), np.ones(ballots.problems))
    assert found.parameters.flawed < 0.02
    assert (found.flawed_N[found.right_N > 0.5] > 0.5).mean() < 0.03
