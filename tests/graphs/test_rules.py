"""The pure rules of the graphs: verdicts, filters, outcomes, demonstrations."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.agents.demonstration import Demonstration
from errata.agents.parse_reply import read_solution
from errata.errors import UsageError
from errata.grading.grader import Grader
from errata.graphs.pipeline import LONGEST_REASON, STAGES, outcome_of
from errata.graphs.stages.diversity_filter import DiversityFilter, jaccard, ngrams, set_aside
from errata.graphs.stages.dual_pairs import DualCotSettings, pair_of
from errata.graphs.stages.few_shot import examples_for, shipped
from errata.graphs.stages.rationales import RationalesSettings
from errata.graphs.stages.review_panel import AcceptRule, unreviewed, verdict
from errata.graphs.state import State, natural_demonstrations, transcript_of
from errata.records import AnswerKind, Call, Explanation, Outcome, Rationale, Review
from tests.helpers import Script, apples, pipeline_of

BY_NAME = {stage.name: stage for stage in STAGES}


def review(score: int | None, *, lost: bool = False) -> Review:
    return Review(id=f"r{score}", reviewer="bea", score=score, valid=score is not None, text="", lost=lost)


def rationale(text: str, correct: bool | None = True, role: str = "teacher", **more: object) -> Rationale:
    return Rationale(
        id=f"{role}:{text}", problem_id="p1", author="ada", role=role, text=text, correct=correct, answer="5"
    ).model_copy(update=more)


# ---- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "scores", "accepted"),
    [
        ({}, [3, 4], True),
        ({}, [3, 3], False),
        ({}, [4, None], True),
        ({}, [None, None], False),
        ({}, [], False),
        ({}, [5, 1], False),
        ({"threshold": 2.9}, [3, 3], True),
        ({"rule": "min"}, [4, 5], True),
        ({"rule": "min"}, [3, 5], False),
        ({"rule": "min"}, [None, 5], True),
        ({"rule": "k_of_n", "k": 1}, [1, 4], True),
        ({"rule": "k_of_n", "k": 2}, [1, 4], False),
        ({"rule": "k_of_n", "k": 2}, [4, 5, 1], True),
        ({"rule": "k_of_n"}, [1, 4], True),
        ({"rule": "k_of_n"}, [1, 3], False),
        ({"rule": "veto"}, [5, 5, 1], False),
        ({"rule": "veto"}, [3, 3], False),
        ({"rule": "min"}, [3, 3], False),
        ({"rule": "veto"}, [5, 5, 2], True),
        ({"rule": "veto", "veto_at": 2}, [5, 5, 2], False),
    ],
)
def test_accept_rules(rule: dict, scores: list[int | None], accepted: bool) -> None:
    assert verdict(AcceptRule.model_validate(rule), [review(score) for score in scores]) is accepted


@given(st.sampled_from(["mean", "min", "k_of_n", "veto"]), st.lists(st.integers(1, 5)))
def test_a_lost_review_leaves_the_verdict_open(rule: str, scores: list[int]) -> None:
    accept = AcceptRule(rule=rule)  # type: ignore[arg-type]

    assert verdict(accept, [*(review(score) for score in scores), review(None, lost=True)]) is None
    assert verdict(accept, [review(None)]) is False


def test_the_score_of_a_review_that_is_not_valid_does_not_count() -> None:
    unread = review(5).model_copy(update={"valid": False})

    assert verdict(AcceptRule(), [unread]) is False
    assert verdict(AcceptRule(), [unread, review(2)]) is False
    assert verdict(AcceptRule(), [unread, review(4)]) is True


async def test_a_panel_too_small_for_its_rule_is_refused() -> None:
    def build(**accept: object) -> None:
        pipeline_of(Script(lambda request: ""), Grader(), "peer_review", {"peer_review": {"accept": accept}})

    with pytest.raises(UsageError, match=r"accept\.k is 3, and ada has 2 reviewers"):
        build(rule="k_of_n", k=3)
    build(rule="k_of_n", k=2)
    build(rule="mean", k=3)


async def test_a_teacher_whom_nobody_can_review_is_refused() -> None:
    with pytest.raises(UsageError, match="nobody can review ada: the panel is ada\n"):
        pipeline_of(Script(lambda request: ""), Grader(), "peer_review", teachers=("ada",))


def test_the_panel_sees_what_it_has_neither_reviewed_nor_judged() -> None:
    fresh, wrong = rationale("a"), rationale("b", correct=False)
    reviewed = rationale("c", reviews=(review(4),))
    blank = rationale("d", accepted=False)

    assert unreviewed([fresh, wrong, reviewed, blank], only_correct=False) == [fresh, wrong]
    assert unreviewed([fresh, wrong, reviewed, blank], only_correct=True) == [fresh]


# ---- filters ---------------------------------------------------------------------------------------------------------

texts = st.lists(st.sampled_from("abc"), max_size=8).map(" ".join)


@given(texts, texts, st.integers(1, 4))
def test_jaccard_is_symmetric_and_1_for_equal_texts(left: str, right: str, n: int) -> None:
    assert jaccard(ngrams(left, n), ngrams(left.upper(), n)) == 1
    assert 0 <= jaccard(ngrams(left, n), ngrams(right, n)) == jaccard(ngrams(right, n), ngrams(left, n)) <= 1


def test_jaccard_counts_shared_ngrams() -> None:
    assert jaccard(ngrams("a b c d", 2), ngrams("a b c e", 2)) == 2 / 4
    assert jaccard(ngrams("a b", 3), ngrams("a b", 3)) == 1


@given(st.lists(texts, max_size=8, unique=True), st.integers(1, 3), st.floats(0.1, 1))
def test_what_the_diversity_filter_keeps_is_diverse_and_what_it_drops_is_not(
    written: list[str], n: int, limit: float
) -> None:
    rationales = [rationale(text) for text in written]
    settings = RationalesSettings(diversity=DiversityFilter(ngram=n, max_similarity=limit))

    dropped = {each.id for each in set_aside(apples(), rationales, settings.max_chars, settings.diversity)}

    kept = [ngrams(each.text, n) for each in rationales if each.id not in dropped]
    assert all(jaccard(a, b) < limit for i, a in enumerate(kept) for b in kept[:i])
    for each in rationales:
        if each.id in dropped:
            assert any(jaccard(ngrams(each.text, n), other) >= limit for other in kept)


def test_filters_leave_wrong_ones_but_for_their_length() -> None:
    question = len(apples().question)
    wrong, long = rationale("same words here", False), rationale("x" * 20, False)
    settings = RationalesSettings(max_chars=question + 19, diversity=DiversityFilter())

    dropped = set_aside(apples(), [wrong, wrong, long], settings.max_chars, settings.diversity)

    assert [(each.id, each.dropped) for each in dropped] == [(long.id, "too_long")]


def test_at_most_so_many_are_kept() -> None:
    dropped = set_aside(apples(), [rationale("one way"), rationale("quite another")], None, DiversityFilter(keep=1))

    assert [(each.text, each.dropped) for each in dropped] == [("quite another", "beyond_keep")]


# ---- outcomes --------------------------------------------------------------------------------------------------------


def state_of(*rationales: Rationale, **more: object) -> State:
    return {"problem": apples(), "rationales": {each.id: each for each in rationales}, **more}  # type: ignore[typeddict-item]


def lost(failure: str) -> Call:
    return Call(
        id="c", agent="bea", verb="score", prompt="p@1", prompt_hash="", model="m/x", messages=(), failure=failure
    )


def test_outcomes() -> None:
    right, wrong, mistake = rationale("r"), rationale("w", False), rationale("m", False, "student")
    accepted = right.model_copy(update={"accepted": True, "reviews": (review(5),)})
    rejected = right.model_copy(update={"accepted": False, "reviews": (review(1),)})
    explained = {"e": Explanation(id="e", author="ada", rationale_id=mistake.id, text="so")}
    pair = pair_of(right, wrong, "natural", (0, 1))
    far = pair.model_copy(update={"in_band": False})
    expected = [
        (state_of(right), ["rationales"], None),
        (state_of(wrong), ["rationales"], "no_correct_rationale"),
        (state_of(right.model_copy(update={"dropped": "too_long"})), ["rationales"], "no_correct_rationale"),
        (state_of(accepted), ["peer_review"], None),
        (state_of(rejected), ["peer_review"], "no_accepted_rationale"),
        (state_of(wrong), ["peer_review"], "no_correct_rationale"),
        (state_of(), ["exam"], None),
        (state_of(right), ["mistake_explanation"], "student_right"),
        (state_of(mistake), ["mistake_explanation"], "no_explanation"),
        (state_of(mistake, explanations=explained), ["mistake_explanation"], None),
        (state_of(right, wrong, pairs={"p": pair}), ["dual_cot"], None),
        (state_of(right, wrong, pairs={"p": far}), ["dual_cot"], "no_pair"),
        (state_of(rejected, mistake, explanations=explained), ["peer_review", "mistake_explanation"], None),
        (state_of(rejected), ["peer_review", "dual_cot"], "no_accepted_rationale"),
        (state_of(), [], None),
    ]
    for story, goals, reason in expected:
        outcome = outcome_of(story, [BY_NAME[goal] for goal in goals if goal != "exam"])
        assert outcome == Outcome(status="rejected" if reason else "done", reason=reason)


def test_a_lost_call_fails_whatever_else_there_is() -> None:
    outcome = outcome_of(
        state_of(rationale("r"), calls={"c": lost("502 Bad\n  Gateway" + "!" * 500)}), [BY_NAME["rationales"]]
    )

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert outcome.reason.startswith("provider: bea: 502 Bad Gateway!")
    assert len(outcome.reason) == LONGEST_REASON


def test_a_story_without_an_outcome_is_no_transcript() -> None:
    with pytest.raises(KeyError):
        transcript_of("exam", state_of())


# ---- demonstrations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(AnswerKind))
def test_shipped_demonstrations_show_a_readable_right_and_another_wrong_answer(kind: AnswerKind) -> None:
    assert shipped(kind)
    for shown in shipped(kind):
        problem = apples(kind=kind, answer=shown.answer)
        assert read_solution(problem, shown.rationale) != read_solution(problem, shown.wrong or "")


@pytest.mark.parametrize("kind", get_args(AnswerKind))
async def test_shipped_demonstrations_grade_as_they_should(kind: AnswerKind) -> None:
    async with Grader() as grader:
        for shown in shipped(kind):
            problem = apples(kind=kind, answer=shown.answer, question=shown.question)
            assert (await grader.grade(problem, shown.rationale)).correct
            assert not (await grader.grade(problem, shown.wrong or "")).correct


def test_the_recipes_own_demonstrations_come_first() -> None:
    recipes = Demonstration(question="q", rationale="r", wrong="w")
    offered = Demonstration(question="o", rationale="r", wrong="w")

    assert examples_for(apples(), (offered,), DualCotSettings(demonstrations=(recipes,))) == [recipes]
    assert examples_for(apples(), (offered,), DualCotSettings()) == [offered]
    assert examples_for(apples(), (offered,), DualCotSettings(shots=0)) == []
    assert examples_for(apples(), (offered,), DualCotSettings(demonstrations=())) == []
    assert examples_for(apples(), (), DualCotSettings(shots=2)) == list(shipped("number"))[:2]


async def test_a_demonstration_without_a_mistake_is_refused() -> None:
    settings = {"dual_cot": {"demonstrations": [{"question": "q", "rationale": "r"}]}}

    with pytest.raises(UsageError, match=r"demonstrations\[0\] has no wrong solution"):
        pipeline_of(Script(lambda request: ""), Grader(), "dual_cot", settings)


def test_natural_pairs_in_the_band_are_demonstrations_for_others() -> None:
    right, wrong, far = rationale("2 + 3 = 5"), rationale("2 + 3 = 6", False), rationale("no idea at all", False)
    pairs = [pair_of(right, wrong, "natural", (0, 0.5)), pair_of(right, far, "natural", (0, 0.5))]
    pairs.append(pair_of(right, wrong, "corrupted", (0, 0.5)))
    story = state_of(right, wrong, far, pairs={each.id: each for each in pairs}, outcome=Outcome(status="done"))

    expected = (Demonstration(question=apples().question, rationale="2 + 3 = 5", answer="5", wrong="2 + 3 = 6"),)
    assert natural_demonstrations(story) == expected
    assert natural_demonstrations(transcript_of("dual_cot", story)) == expected
