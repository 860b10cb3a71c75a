"""Acceptance rules: what each accepts of a few ballots, and what a panel is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from errata.evidence.ballots import NO, YES, Ballot, Ballots, Voter, gather
from errata.evidence.read_log import Evidence
from errata.evidence.rules import RULES, effective_votes, most_given, review_figures, rule_of
from errata.records import Review
from errata.runs.acceptance import Acceptance

BEN, CLEO = Voter("review:ben", panel=True), Voter("review:cleo", panel=True)
AGREES = Voter("agrees:ben", counted=False)


def evidence(ballots: Ballots, *scores: tuple[int, ...]) -> Evidence:
    reviews = [
        tuple(Review(id=str(place), reviewer="x", score=score, valid=True, text="") for place, score in enumerate(each))
        for each in scores
    ]
    return Evidence(ballots, ballots.without_gold(), tuple(reviews) or ((),) * len(ballots))


def one_problem(*groups: int | None) -> list[Ballot]:
    return [Ballot(f"{place}", "abcdef"[place], group, {}) for place, group in enumerate(groups)]


def test_the_panels_rules_are_those_of_peer_review() -> None:
    given = evidence(gather([one_problem(0, 1, 2, 3)]), (5, 4), (5, 2), (5, 1), ())
    accepted = {
        name: rule_of(name).accepts(given, Acceptance(rule="mean", k=1)).tolist()
        for name in ("mean", "min", "k_of_n", "veto")
    }
    assert accepted == {
        "mean": [True, True, False, False],
        "min": [True, False, False, False],
        "k_of_n": [True, True, True, False],
        "veto": [True, True, False, False],
    }


def test_agreement_and_majority() -> None:
    problem = [
        Ballot("a", "ada", 0, {AGREES: True}),
        Ballot("b", "ben", 0, {}),
        Ballot("c", "cleo", 1, {AGREES: False}),
    ]
    given = evidence(gather([problem]))
    settings = Acceptance(rule="agreement")
    assert rule_of("agreement").accepts(given, settings).tolist() == [True, False, False]
    assert rule_of("majority").accepts(given, settings).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((0, 0, 1, 1), [0, 0, 0, 0]),
        ((0, 1, 2), [0, 0, 0]),
        ((None, 0, 0), [0, 1, 1]),
        ((None, None), [0, 0]),
        ((0, 0), [1, 1]),
        ((0, 0, 0, 1, 1), [1, 1, 1, 0, 0]),
        ((None, 0), [0, 0]),
    ],
)
def test_a_majority_is_one_answer_given_twice_and_most_often(
    groups: tuple[int | None, ...], expected: list[int]
) -> None:
    both = gather([one_problem(*groups), one_problem(0, 0, 0)])
    assert most_given(both).tolist() == [*map(bool, expected), True, True, True]


def reviewed(problems: int = 200, *, shared: bool) -> Evidence:
    """Two authors who each give one of five wrong answers or the right one, and two reviewers of each."""
    rng, made = np.random.default_rng(1), []
    for problem in range(problems):
        answers = [0 if rng.random() < 0.7 else 1 + int(rng.integers(5)) for _ in range(3)]
        one = []
        for place, answer in enumerate(answers):
            slips = [rng.random() < 0.2, rng.random() < 0.2]
            verdicts = {BEN: (answer == 0) != slips[0], CLEO: (answer == 0) != slips[0 if shared else 1]}
            group = list(dict.fromkeys(answers)).index(answer)
            one.append(Ballot(f"{problem}.{place}", "abc"[place], group, verdicts, answer == 0, 2))
        made.append(one)
    return evidence(gather(made))


def test_reliability_keeps_the_precision_it_is_asked_for() -> None:
    given = reviewed(shared=False)
    counts = []
    for precision in (0.8, 0.9, 0.97):
        accepted = rule_of("reliability").accepts(given, Acceptance(rule="reliability", precision=precision))
        assert given.right_N[accepted].mean() >= precision
        assert given.gold.gold_N[accepted].mean() > precision - 0.03
        counts.append(int(accepted.sum()))
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] > 200


def test_reliability_accepts_what_meets_the_precision_exactly_and_nothing_doubted() -> None:
    rights = [True] * 9 + [False]
    known = gather([[Ballot(str(n), "ada", 0, {BEN: True, CLEO: True}, right)] for n, right in enumerate(rights)])
    given = Evidence(known, known, ((),) * len(known))
    accepted = {
        precision: int(rule_of("reliability").accepts(given, Acceptance(rule="reliability", precision=precision)).sum())
        for precision in (0.9, 0.91, 1.0)
    }
    assert accepted == {0.9: 10, 0.91: 9, 1.0: 9}


def test_reviewers_who_err_together_are_worth_one() -> None:
    apart, together = effective_votes(reviewed(shared=False)), effective_votes(reviewed(shared=True))
    assert apart is not None
    assert together is not None
    assert apart["effective"] > 1.6
    assert 1 <= together["effective"] < 1.2  # who errs together counts as one, and never as less
    assert apart["votes"] == together["votes"] == 2


def seldom_reviewed() -> Evidence:
    """Three reviewers who each leave out some texts, a fourth who read one, and voters who are not on the panel."""
    rng = np.random.default_rng(3)
    dan, grader, agrees = Voter("review:dan", panel=True), Voter("checks"), Voter("agrees:x", panel=True, counted=False)
    texts = []
    for number in range(60):
        right, hard = bool(rng.random() < 0.6), bool(rng.random() < 0.4)
        votes = {
            each: right != bool(rng.random() < (0.5 if hard else 0.1))
            for each in (BEN, CLEO, dan)
            if rng.random() < 0.7
        }
        if number == 0:
            votes |= {BEN: right, Voter("review:eve", panel=True): not right}
        texts.append([Ballot(str(number), "ada", 0, {**votes, grader: not right, agrees: not right}, reviews=3)])
    return evidence(gather(texts))


def by_hand(given: Evidence) -> dict[str, float]:
    """The same sums, vote by vote."""
    panel = [place for place, voter in enumerate(given.ballots.voters) if voter.panel and voter.counted]
    rows = [
        ({place: votes[place] for place in panel if votes[place]}, float(right))
        for votes, right in zip(given.ballots.votes_NJ.tolist(), given.right_N, strict=True)
    ]
    rows = [(cast, right) for cast, right in rows if len(cast) > 1]
    mean = {}
    for place in panel:
        chances = [1 - right if cast[place] == YES else right for cast, right in rows if place in cast]
        mean[place] = sum(chances) / len(chances)
    products, squares = [], []
    for cast, right in rows:
        truths = [
            (chance, {place: float(vote == wrong) - mean[place] for place, vote in cast.items()})
            for chance, wrong in ((right, NO), (1 - right, YES))
        ]
        products += [sum(chance * off[i] * off[j] for chance, off in truths) for i in cast for j in cast if i != j]
        squares += [sum(chance * off[i] ** 2 for chance, off in truths) for i in cast]
    number = sum(len(cast) for cast, _ in rows) / len(rows)
    correlation = float(np.mean(products) / np.mean(squares))
    return {"votes": number, "correlation": correlation, "effective": number / (1 + (number - 1) * correlation)}


def test_what_votes_are_worth_is_that_of_sums_vote_by_vote() -> None:
    given = seldom_reviewed()
    worth = effective_votes(given)
    assert worth == pytest.approx(by_hand(given))
    assert worth is not None
    assert 2 < worth["votes"] < 3
    assert worth["correlation"] > 0.02


def test_reviewers_who_never_err_or_never_together_are_worth_all_their_votes() -> None:
    def known(*slips: tuple[bool, bool]) -> Evidence:
        ballots = gather(
            [
                [Ballot(str(n), "ada", 0, {BEN: not ben, CLEO: not cleo}, right=True)]
                for n, (ben, cleo) in enumerate(slips)
            ]
        )
        return Evidence(ballots, ballots, ((),) * len(ballots))

    flawless = effective_votes(known((False, False), (False, False)))
    in_turn = effective_votes(known((True, False), (False, True)))
    assert flawless == {"votes": 2, "correlation": 0, "effective": 2}
    assert in_turn == {"votes": 2, "correlation": -1, "effective": 2}


def test_without_reviews_a_panel_is_worth_nothing() -> None:
    assert effective_votes(evidence(gather([one_problem(0, 0)]))) is None
    assert (
        effective_votes(evidence(gather([[Ballot("a", "ada", 0, {BEN: True}), Ballot("b", "ada", 0, {CLEO: True})]])))
        is None
    )


def test_rules_that_ask_no_panel_cost_no_review() -> None:
    assert {rule.name for rule in RULES if not rule.asks} == {"agreement", "majority"}


def test_reviews_and_further_samples_are_counted_apart() -> None:
    given = evidence(gather([one_problem(0, 1, 2), one_problem(0)]), (5,), (), (3,), ())
    given = replace(given, further=frozenset(given.ballots.ids[2:3]))
    assert review_figures(given) == {
        "rationales": 3,
        "reviews": 1,
        "whole_panel": 2,
        "per_rationale": 1 / 3,
        "saved_per_rationale": 1 / 3,
        "samples": 1,
    }


def test_nothing_gives_nothing() -> None:
    nothing = evidence(gather([]))
    for rule in RULES:
        assert rule.accepts(nothing, Acceptance(rule="mean")).tolist() == []


def lucky_text(*, right: bool | None = None) -> Evidence:
    """Fifty problems with three equal answers; the last one's third text is refused by its whole panel."""
    made = [
        [Ballot(f"{problem}.{place}", "abc"[place], 0, {BEN: True, CLEO: True}) for place in range(3)]
        for problem in range(50)
    ]
    wrong = [[Ballot(f"w{problem}", "c", 1, {BEN: False, CLEO: False}), *one[:2]] for problem, one in enumerate(made)]
    last = made[-1][2]._replace(votes={BEN: False, CLEO: False}, right=right)
    return evidence(gather([*made[:-1], *wrong[:30], [*made[-1][:2], last]]))


def test_reliability_leaves_out_a_text_that_its_panel_refuses_though_its_answer_is_right() -> None:
    given = lucky_text()
    accepted = rule_of("reliability").accepts(given, Acceptance(rule="reliability", precision=0.9))
    assert given.right_N[-1] > 0.9
    assert accepted[-3:].tolist() == [True, True, False]
    assert given.right_N[accepted].mean() >= 0.9
    lenient = rule_of("reliability").accepts(given, Acceptance(rule="reliability", precision=0.1))
    assert lenient[-3:].tolist() == [True, True, False]


def test_a_text_that_a_person_marked_right_is_not_doubted() -> None:
    marked = lucky_text().with_marks({lucky_text().ballots.ids[-1]: True})
    accepted = rule_of("reliability").accepts(marked, Acceptance(rule="reliability", precision=0.9))
    assert accepted[-3:].tolist() == [True, True, True]
