"""The graphs with scripted models: who is asked what, what is recorded, and how a problem ends."""

import itertools

import pytest

from errata.errors import BudgetExhausted, UsageError
from errata.grading.grader import Grader
from errata.graphs.pipeline import STAGES, goals_of, in_order
from errata.graphs.stages.dual_cot import DUAL_COT
from errata.graphs.stages.exam import EXAM
from errata.graphs.stages.few_shot import shipped
from errata.graphs.stages.mistake_explanation import MISTAKE_EXPLANATION
from errata.graphs.stages.peer_review import PEER_REVIEW
from errata.graphs.stages.rationales import RATIONALES
from errata.graphs.state import State, mistakes_of, rationales_of, transcript_of
from errata.llm.request import Request
from errata.records import Problem, Transcript
from tests.graphs.scripts import RIGHT, WRONG, except_for, helpful
from tests.helpers import CutOff, Line, Lost, Script, apples, pipeline_of


async def run(
    script: Script,
    name: str = "lesson",
    problem: Problem | None = None,
    settings: dict | None = None,
    **team: object,
) -> State:
    async with Grader() as grader:
        graph = pipeline_of(script, grader, name, settings, **team)
        return await graph.ainvoke({"problem": problem or apples()})


async def test_a_lesson_tells_the_whole_story() -> None:
    script = Script(helpful)

    story = await run(script)

    assert [each.author for each in mistakes_of(story)] == ["sam"]
    assert [each.author for each in rationales_of(story, "teacher")] == ["ada", "bea", "cyd"]
    assert all(each.correct and each.accepted for each in rationales_of(story, "teacher"))
    assert {each.author for each in story["explanations"].values()} == {"ada", "bea", "cyd"}
    assert {each.kinds for each in story["explanations"].values()} == {("logical",)}
    assert sorted(each.origin for each in story["pairs"].values()) == ["corrupted"] * 3 + ["student"]
    assert len(story["calls"]) == len(script.asked)
    assert story["outcome"].status == "done"


async def test_nobody_reviews_their_own_and_everybody_reviews_the_others() -> None:
    script = Script(helpful)

    story = await run(script, "peer_review")

    for each in rationales_of(story, "teacher"):
        assert [review.reviewer for review in each.reviews] == [
            name for name in ("ada", "bea", "cyd") if name != each.author
        ]
    assert all(request.spec.name != request.context.author for request in script.requests("score"))


async def test_reviewers_of_their_own_review_all_teachers() -> None:
    story = await run(Script(helpful), "peer_review", teachers=("ada",), reviewers=("rex", "ada"))

    (only,) = rationales_of(story, "teacher")
    assert [review.reviewer for review in only.reviews] == ["rex"]


async def test_student_rationales_are_not_reviewed() -> None:
    story = await run(Script(helpful))

    assert all(not each.reviews and each.accepted is None for each in rationales_of(story, "student"))


@pytest.mark.parametrize(("scores", "accepted"), [((3, 4), True), ((3, 3), False)])
async def test_the_committee_accepts_3_and_4_and_rejects_3_and_3(scores: tuple[int, int], accepted: bool) -> None:
    given = {"bea": scores[0], "cyd": scores[1], "ada": 5}

    story = await run(
        Script(lambda request: f"[{given[request.spec.name]}]" if request.verb == "score" else helpful(request)),
        "peer_review",
    )

    (adas,) = (each for each in rationales_of(story, "teacher") if each.author == "ada")
    assert adas.accepted is accepted


async def test_the_gold_answer_is_shown_to_reviewers_unless_they_are_blind() -> None:
    for blind in (True, False):
        script = Script(helpful)
        story = await run(script, "peer_review", settings={"peer_review": {"blind": blind}})
        assert all(
            ("### Correct answer" in each.messages[-1].content) is not blind for each in script.requests("score")
        )
        assert all(review.blind is blind for each in rationales_of(story, "teacher") for review in each.reviews)


async def test_teachers_answer_without_the_gold_answer() -> None:
    script = Script(helpful)

    await run(script, problem=apples(answer="5417"))

    for request in (*script.requests("solve"), *script.requests("corrupt")):
        assert "5417" not in request.messages[-1].content


async def test_an_unreadable_score_gets_fresh_tries_and_is_then_recorded() -> None:
    script = Script(except_for("score", "A fine piece of work.", "bea"))

    story = await run(script, "peer_review")

    tried = [request for request in script.requests("score", "bea") if request.context.author == "ada"]
    assert [request.attempt for request in tried] == [0, 1, 2]
    (adas,) = (each for each in rationales_of(story, "teacher") if each.author == "ada")
    (beas,) = (review for review in adas.reviews if review.reviewer == "bea")
    assert (beas.valid, beas.score, beas.lost, len(beas.call_ids)) == (False, None, False, 3)
    assert adas.accepted is True  # cyd's [5] is the mean of the valid scores
    assert story["outcome"].status == "done"


async def test_a_rationale_without_any_valid_score_is_rejected() -> None:
    story = await run(Script(except_for("score", "")), "peer_review")

    assert all(each.accepted is False for each in rationales_of(story, "teacher"))
    assert (story["outcome"].status, story["outcome"].reason) == ("rejected", "no_accepted_rationale")


@pytest.mark.parametrize("reply", ["", "I'm sorry, but I can't help with that.", "<think>5, I think", "Who knows?"])
async def test_an_unreadable_solution_gets_fresh_tries_and_is_then_recorded_as_wrong(reply: str) -> None:
    script = Script(except_for("solve", reply, "ada"))

    story = await run(script, "rationales")

    (adas,) = (each for each in rationales_of(story, "teacher") if each.author == "ada")
    assert [request.attempt for request in script.requests("solve", "ada")] == [0, 1, 2]
    assert (adas.answer, adas.correct, len(adas.call_ids)) == (None, False, 3)
    assert adas.grade_rule is not None
    assert adas.grade_rule.startswith("unreadable: ")
    assert story["outcome"].status == "done"


async def test_a_second_try_that_can_be_read_counts() -> None:
    script = Script(lambda request: "" if request.verb == "solve" and request.attempt == 0 else helpful(request))

    story = await run(script, "rationales")

    assert all(each.correct and len(each.call_ids) == 2 for each in rationales_of(story, "teacher"))


async def test_the_student_has_one_try() -> None:
    script = Script(except_for("solve", "", "sam"))

    story = await run(script, "exam")

    assert len(script.requests("solve", "sam")) == 1
    assert [each.correct for each in rationales_of(story, "student")] == [False]


async def test_thinking_is_kept_apart_and_not_shown_to_reviewers() -> None:
    script = Script(except_for("solve", f"<think>let me see</think>\n{RIGHT}", "ada"))

    story = await run(script, "peer_review")

    (adas,) = (each for each in rationales_of(story, "teacher") if each.author == "ada")
    assert (adas.reasoning, adas.text) == ("let me see", RIGHT)
    assert adas.answer_span is not None
    assert adas.text[slice(*adas.answer_span)] == "5"
    assert all("let me see" not in request.messages[-1].content for request in script.requests("score"))


async def test_one_lost_call_leaves_its_siblings_and_fails_the_problem() -> None:
    story = await run(Script(except_for("score", Lost("503 overloaded"), "bea")), "peer_review")

    verdicts = {each.author: each.accepted for each in rationales_of(story, "teacher")}
    assert verdicts == {"ada": None, "bea": True, "cyd": None}
    lost = [review for each in rationales_of(story, "teacher") for review in each.reviews if review.lost]
    assert [review.reviewer for review in lost] == ["bea", "bea"]
    assert (story["outcome"].status, story["outcome"].reason) == ("failed", "provider: bea: 503 overloaded")


async def test_a_lost_solution_leaves_the_other_teachers() -> None:
    story = await run(Script(except_for("solve", Lost(), "ada")))

    assert [each.author for each in rationales_of(story, "teacher")] == ["bea", "cyd"]
    assert story["outcome"].status == "failed"


async def test_every_verb_may_be_lost_and_the_story_still_ends() -> None:
    settings = {"peer_review": {"revise_rounds": 2}, "dual_cot": {"tries": 3, "review": True}}
    for verb in ("solve", "score", "revise", "explain", "classify", "rectify", "corrupt"):
        rejecting = except_for("score", "[1]") if verb == "revise" else helpful
        story = await run(
            Script(lambda request, verb=verb, say=rejecting: Lost() if request.verb == verb else say(request)),  # type: ignore[misc]
            settings=settings,
        )
        assert story["outcome"].status == "failed", verb


async def test_a_spent_budget_is_raised_and_the_others_finish_first() -> None:
    script = Script(helpful)

    async def ask(request: Request):  # type: ignore[no-untyped-def]
        if request.verb == "solve" and request.spec.name == "ada":
            raise BudgetExhausted("no money left")
        return await script(request)

    async with Grader() as grader:
        graph = pipeline_of(ask, grader, "rationales")  # type: ignore[arg-type]
        with pytest.raises(BudgetExhausted):
            await graph.ainvoke({"problem": apples()})

    assert [request.spec.name for request in script.asked] == ["bea", "cyd"]


async def test_only_mistakes_sets_a_problem_aside_before_anybody_else_is_asked() -> None:
    script = Script(except_for("solve", RIGHT, "sam"))

    story = await run(script, settings={"only_mistakes": True})

    assert (story["outcome"].status, story["outcome"].reason) == ("rejected", "student_right")
    assert {request.spec.name for request in script.asked} == {"sam"}


async def test_a_right_student_is_not_explained() -> None:
    script = Script(except_for("solve", RIGHT, "sam"))

    story = await run(script, "mistake_explanation")

    assert (story["outcome"].status, story["outcome"].reason) == ("rejected", "student_right")
    assert not script.requests("explain")


async def test_each_distinct_mistake_is_explained_once() -> None:
    script = Script(
        lambda request: f"2 * 3 = {6 + request.sample % 2}" if request.spec.name == "sam" else helpful(request)
    )

    story = await run(script, "mistake_explanation", settings={"exam": {"samples": 4}})

    assert len(mistakes_of(story)) == 4
    assert len(story["explanations"]) == 2 * 3
    assert len({each.rationale_id for each in story["explanations"].values()}) == 2


async def test_one_explainer_is_drawn_and_stays_the_same() -> None:
    drawn = set()
    for _ in range(2):
        settings = {"mistake_explanation": {"explainers": "one", "classify": False}}
        story = await run(Script(helpful), "mistake_explanation", settings=settings)
        (explanation,) = story["explanations"].values()
        drawn.add(explanation.author)
        assert explanation.kinds == ()
    assert len(drawn) == 1


async def test_unreadable_kinds_leave_the_explanation() -> None:
    story = await run(Script(except_for("classify", "spelling")), "mistake_explanation")

    assert {(each.kinds, len(each.call_ids)) for each in story["explanations"].values()} == {((), 1 + 3)}
    assert story["outcome"].status == "done"


async def test_all_teachers_wrong_is_rejected_with_its_reason() -> None:
    story = await run(Script(except_for("solve", WRONG)), "rationales")

    assert (story["outcome"].status, story["outcome"].reason) == ("rejected", "no_correct_rationale")
    assert all(each.correct is False for each in rationales_of(story, "teacher"))


async def test_a_long_rationale_is_set_aside_and_kept_in_the_log() -> None:
    settings = {"rationales": {"max_chars": 100}, "peer_review": {}}
    script = Script(except_for("solve", "so " * 40 + RIGHT, "ada"))

    story = await run(script, "peer_review", settings=settings)

    assert {each.author: each.dropped for each in story["rationales"].values()} == {
        "ada": "too_long",
        "bea": None,
        "cyd": None,
    }
    assert all(request.context.author != "ada" for request in script.requests("score"))


async def test_the_diversity_filter_keeps_the_first_of_like_ones() -> None:
    settings = {"rationales": {"samples": 2, "diversity": {"ngram": 2, "max_similarity": 0.9}}}
    texts = {"ada": RIGHT, "bea": RIGHT, "cyd": "Two and three make five.\nThe answer is 5."}

    story = await run(Script(lambda request: texts[request.spec.name]), "rationales", settings=settings)

    kept = [(each.author, each.sample) for each in rationales_of(story, "teacher")]
    assert kept == [("ada", 0), ("cyd", 0)]
    assert sum(each.dropped == "near_duplicate" for each in story["rationales"].values()) == 4


# ---- revision --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [0, 1, 3])
async def test_revision_ends_after_its_rounds(rounds: int) -> None:
    script = Script(except_for("score", "Step 1 is wrong.\n[2]"))

    story = await run(script, "peer_review", settings={"peer_review": {"revise_rounds": rounds}})

    assert len(script.requests("revise")) == 3 * rounds
    assert len(rationales_of(story, "revised")) == 3 * rounds
    assert all(each.accepted is False for each in rationales_of(story, "teacher", "revised"))
    assert (story["outcome"].status, story["outcome"].reason) == ("rejected", "no_accepted_rationale")


async def test_a_revision_is_a_new_record_reviewed_by_the_others_from_their_critiques() -> None:
    def answer(request: Request) -> Line:
        if request.verb == "solve":
            return WRONG
        if request.verb == "score":
            return "Adds wrongly.\n[1]" if "2 * 3" in request.messages[-1].content else "[5]"
        return helpful(request)

    script = Script(answer)
    story = await run(script, "peer_review", settings={"peer_review": {"revise_rounds": 2, "blind": True}})

    assert len(script.requests("revise")) == 3
    assert all("- Adds wrongly.\n[1]" in request.messages[-1].content for request in script.requests("revise"))
    for revised in rationales_of(story, "revised"):
        before = story["rationales"][revised.parent_id or ""]
        assert (before.author, before.accepted, before.role) == (revised.author, False, "teacher")
        assert (revised.correct, revised.accepted, revised.saw_answer) == (True, True, False)
        assert all(review.reviewer != revised.author for review in revised.reviews)


async def test_a_revision_from_critiques_that_saw_the_answer_has_seen_it() -> None:
    story = await run(Script(except_for("score", "[1]")), "peer_review", settings={"peer_review": {"revise_rounds": 1}})

    assert all(each.saw_answer for each in rationales_of(story, "revised"))


async def test_only_correct_saves_the_reviews_of_wrong_ones() -> None:
    script = Script(except_for("solve", WRONG, "ada"))

    story = await run(script, "peer_review", settings={"peer_review": {"only_correct": True}})

    assert {each.author: each.accepted for each in rationales_of(story, "teacher")} == {
        "ada": None,
        "bea": True,
        "cyd": True,
    }


# ---- dual chains of thought ------------------------------------------------------------------------------------------


async def test_a_pair_out_of_the_band_is_tried_again() -> None:
    far, near = "So with 2 and another 3 he has six of them in all, I think.\nThe answer is 6.", WRONG
    script = Script(
        lambda request: (far if request.sample == 0 else near) if request.verb == "corrupt" else helpful(request)
    )

    story = await run(script, "dual_cot", settings={"dual_cot": {"tries": 3}}, teachers=("ada",), student=None)

    assert [request.sample for request in script.requests("corrupt")] == [0, 1]
    pairs = sorted(story["pairs"].values(), key=lambda pair: pair.edit_ratio)
    assert [pair.in_band for pair in pairs] == [True, False]
    assert all(story["rationales"][pair.wrong].role == "corrupted" for pair in pairs)


async def test_a_rewrite_that_parrots_its_demonstration_is_set_aside_and_asked_for_again() -> None:
    """A real model of 1.5B wrote the shipped demonstration under every problem that it was to corrupt."""
    demonstration = shipped("number")[0].wrong or ""
    copy = demonstration.replace("answer is 1.", "answer is 7.")
    script = Script(
        lambda request: (copy if request.sample == 0 else WRONG) if request.verb == "corrupt" else helpful(request)
    )

    settings = {"dual_cot": {"band": [0, 1], "rectify": False}}
    story = await run(script, "dual_cot", settings=settings, teachers=("ada",), student=None)

    assert [request.sample for request in script.requests("corrupt")] == [0, 1]
    dropped = {each.text: each.dropped for each in story["rationales"].values() if each.role == "corrupted"}
    assert dropped == {copy: "parrots_demonstration", WRONG: None}
    (pair,) = story["pairs"].values()
    assert story["rationales"][pair.wrong].text == WRONG


async def test_where_every_rewrite_is_a_copy_there_is_no_pair() -> None:
    demonstration = shipped("number")[0]
    verbs = {"corrupt": demonstration.wrong or "", "rectify": demonstration.rationale.replace("33.", "5.")}
    script = Script(lambda request: verbs.get(request.verb) or helpful(request))

    story = await run(script, settings={"dual_cot": {"band": [0, 1]}}, teachers=("ada", "bea"))

    rewrites = [each for each in story["rationales"].values() if each.role in ("rectified", "corrupted")]
    assert {each.role for each in rewrites} == {"rectified", "corrupted"}
    assert all(each.dropped == "parrots_demonstration" and not each.reviews for each in rewrites)
    assert not story["pairs"]


async def test_a_solution_that_copies_a_demonstration_is_set_aside() -> None:
    shown = shipped("number")[0]
    script = Script(except_for("solve", shown.rationale.replace("33", "5"), "ada"))
    settings = {"rationales": {"demonstrations": [shown.model_dump()], "diversity": {}}}

    story = await run(script, settings=settings, teachers=("ada", "bea"))

    written = {each.author: each for each in story["rationales"].values() if each.role == "teacher"}
    assert {name: each.dropped for name, each in written.items()} == {"ada": "parrots_demonstration", "bea": None}
    asked_about = {request.context.about for request in script.asked}
    assert written["bea"].id in asked_about
    assert written["ada"].id not in asked_about  # nobody reviews or rewrites it


@pytest.mark.parametrize("stage", ["rationales", "dual_cot"])
async def test_no_demonstration_asks_the_very_question_at_hand(stage: str) -> None:
    shown, other = shipped("number")[0], shipped("number")[1]
    problem = apples(question=f" {shown.question.upper()} ", answer=shown.answer)
    own = [each.model_dump() for each in (shown, other)]
    for settings in ({}, {stage: {"demonstrations": own}}):
        script = Script(lambda request: f"6 * 8 = 48\nThe answer is {shown.answer}.")
        async with Grader() as grader:
            await pipeline_of(script, grader, "dual_cot", settings).ainvoke({"problem": problem})
        verb = "solve" if stage == "rationales" else "corrupt"
        texts = [request.messages[-1].content for request in script.requests(verb) if request.spec.name != "sam"]
        assert texts
        assert not any("sells 15 rolls before noon. How" in text for text in texts)
        assert all(("A rope is 2 feet long." in text) == bool(settings or verb == "corrupt") for text in texts)


async def test_a_rewrite_that_does_not_flip_the_answer_is_tried_again_up_to_its_tries() -> None:
    script = Script(except_for("corrupt", "Still 2 + 3 = 5.\nThe answer is 5."))

    story = await run(script, "dual_cot", settings={"dual_cot": {"tries": 3}}, teachers=("ada",))

    assert [request.sample for request in script.requests("corrupt")] == [0, 1, 2]
    assert not story["pairs"]
    assert len(rationales_of(story, "corrupted")) == 3
    assert (story["outcome"].status, story["outcome"].reason) == ("rejected", "no_pair")


async def test_a_wrong_rationale_is_rectified_by_its_author_given_the_answer() -> None:
    script = Script(except_for("solve", WRONG, "ada"))

    story = await run(script, "dual_cot", settings={"dual_cot": {"corrupt": False}})

    (request,) = script.requests("rectify")
    assert request.spec.name == "ada"
    assert "### Hint: the correct answer\n5\n" in request.messages[-1].content
    (pair,) = story["pairs"].values()
    right, wrong = story["rationales"][pair.right], story["rationales"][pair.wrong]
    assert (pair.origin, right.role, right.saw_answer, wrong.role) == ("rectified", "rectified", True, "teacher")
    assert right.parent_id == wrong.id
    assert [right.text[slice(*span)] for span in pair.right_spans] == ["+", "5", "5."]
    assert [wrong.text[slice(*span)] for span in pair.wrong_spans] == ["*", "6", "6."]
    assert pair.edit_ratio == 3 / 9


async def test_what_the_panel_rejected_is_not_corrupted() -> None:
    def answer(request: Request) -> Line:
        return "[1]" if request.verb == "score" and request.context.author == "ada" else helpful(request)

    script = Script(answer)
    await run(script)

    assert {request.spec.name for request in script.requests("corrupt")} == {"bea", "cyd"}


async def test_natural_pairs_are_the_nearest_right_and_wrong_of_one_author() -> None:
    texts = ["2 + 3 = 5", "Well, 2 and 3 are 5", "2 * 3 = 6", "It must be 7 in all"]
    script = Script(lambda request: texts[request.sample] if request.verb == "solve" else helpful(request))
    settings = {"rationales": {"samples": 4}, "dual_cot": {"rectify": False, "corrupt": False}}

    story = await run(script, "dual_cot", settings=settings, teachers=("ada", "bea"))

    for pair in story["pairs"].values():
        right, wrong = story["rationales"][pair.right], story["rationales"][pair.wrong]
        assert (right.text, wrong.text, right.author) == ("2 + 3 = 5", "2 * 3 = 6", wrong.author)
        assert pair.origin == "natural"
    assert len(story["pairs"]) == 2
    assert not script.requests("corrupt")


@pytest.mark.parametrize("review", [True, None])
async def test_a_panel_that_sat_before_reviews_what_was_rectified(review: bool | None) -> None:
    script = Script(except_for("solve", WRONG, "ada"))

    story = await run(script, settings={"dual_cot": {"review": review}})

    assert rationales_of(story, "rectified")
    for each in rationales_of(story, "rectified"):
        assert each.accepted is True
        assert len(each.reviews) == 2
        assert all(review.reviewer != each.author for review in each.reviews)
    assert {request.stage for request in script.requests("score")} == {"peer_review", "dual_cot"}


@pytest.mark.parametrize(("name", "review"), [("lesson", False), ("dual_cot", None)])
async def test_nobody_reviews_what_was_rectified_where_no_panel_sits(name: str, review: bool | None) -> None:
    script = Script(except_for("solve", WRONG, "ada"))

    story = await run(script, name, settings={"dual_cot": {"review": review}})

    assert rationales_of(story, "rectified")
    assert "dual_cot" not in {request.stage for request in script.requests("score")}
    assert not any(each.reviews for each in rationales_of(story, "rectified"))


async def test_a_cut_off_rationale_has_no_dual() -> None:
    script = Script(except_for("solve", CutOff("2 * 3 = 6 and then"), "ada"))

    story = await run(script, "dual_cot", teachers=("ada",))

    (only,) = rationales_of(story, "teacher")
    assert only.truncated
    assert not script.requests("rectify")


async def test_demonstrations_are_the_runs_own_else_the_shipped_ones() -> None:
    from errata.agents.demonstration import Demonstration

    own = Demonstration(question="Another question", rationale="own right", wrong="own wrong")
    itself = own.model_copy(update={"question": apples().question, "rationale": "told away"})
    for offered, word in (((itself, own), "own wrong"), ((itself,), "A baker fills"), ((), "A baker fills")):
        script = Script(helpful)
        async with Grader() as grader:
            graph = pipeline_of(script, grader, "dual_cot")
            await graph.ainvoke({"problem": apples(), "demonstrations": offered})
        shown = script.requests("corrupt")[0].messages[-1].content
        assert word in shown
        assert "told away" not in shown


# ---- the whole -------------------------------------------------------------------------------------------------------


def every_other(request: Request) -> Line:
    place = ("ada", "bea", "cyd", "sam").index(request.spec.name) + request.sample
    if request.verb == "solve":
        return f"Take {place}.\n{RIGHT if place % 2 else WRONG}"
    return helpful(request)


async def transcript(script: Script, settings: dict) -> Transcript:
    return transcript_of("lesson", await run(script, settings=settings))


async def test_the_same_story_twice_has_the_same_bytes() -> None:
    settings = {"rationales": {"samples": 3}, "exam": {"samples": 2}, "peer_review": {"revise_rounds": 1}}

    first, second = [await transcript(Script(every_other), settings) for _ in range(2)]

    assert first.to_line() == second.to_line()
    assert Transcript.from_line(first.to_line()) == first
    assert len({each.id for each in first.rationales}) == len(first.rationales) > 10


async def test_the_order_of_a_transcript_does_not_depend_on_how_it_came_about() -> None:
    story = await run(Script(every_other), settings={"rationales": {"samples": 3}})
    turned: State = {
        **story,
        **{key: dict(reversed(story[key].items())) for key in ("rationales", "explanations", "pairs", "calls")},  # type: ignore[literal-required, typeddict-item]
    }

    assert transcript_of("lesson", turned).to_line() == transcript_of("lesson", story).to_line()


async def test_every_call_id_a_record_names_is_in_the_transcript() -> None:
    told = await transcript(Script(every_other), {"rationales": {"samples": 2}, "peer_review": {"revise_rounds": 1}})

    logged = {call.id for call in told.calls}
    named = [each.call_ids for each in (*told.rationales, *told.explanations)]
    named += [review.call_ids for each in told.rationales for review in each.reviews]
    assert set(itertools.chain.from_iterable(named)) == logged


def test_a_stage_runs_with_what_it_needs_before_it() -> None:
    assert in_order([EXAM]) == (EXAM,)
    assert in_order([PEER_REVIEW]) == (RATIONALES, PEER_REVIEW)
    assert in_order([MISTAKE_EXPLANATION]) == (EXAM, MISTAKE_EXPLANATION)
    assert in_order([DUAL_COT]) == (RATIONALES, DUAL_COT)
    assert in_order([DUAL_COT], only_mistakes=True) == (EXAM, RATIONALES, DUAL_COT)
    assert in_order([EXAM, PEER_REVIEW]) == (EXAM, RATIONALES, PEER_REVIEW)
    assert in_order([RATIONALES, DUAL_COT, PEER_REVIEW]) == (RATIONALES, DUAL_COT, PEER_REVIEW)


def test_stages_in_an_order_that_cannot_work_are_refused() -> None:
    with pytest.raises(UsageError, match="stage peer_review stands before rationales"):
        in_order([PEER_REVIEW, RATIONALES])
    with pytest.raises(UsageError, match="the stage exam stands twice"):
        in_order([EXAM, RATIONALES, EXAM])


def test_goals() -> None:
    assert goals_of(STAGES) == (PEER_REVIEW, MISTAKE_EXPLANATION, DUAL_COT)
    assert goals_of([EXAM]) == ()
    assert goals_of([RATIONALES, DUAL_COT]) == (RATIONALES, DUAL_COT)
    assert goals_of([RATIONALES, DUAL_COT], "dual_cot") == (DUAL_COT,)


@pytest.mark.parametrize(
    ("name", "team", "words"),
    [
        ("exam", {"student": None}, "no student"),
        ("lesson", {"student": None}, "no student"),
        ("rationales", {"teachers": ()}, "no teacher"),
        ("peer_review", {"teachers": ("ada",)}, "nobody can review ada"),
        ("mistake_explanation", {"teachers": ()}, "no teacher"),
        ("dual_cot", {"teachers": ()}, "no teacher"),
    ],
)
async def test_a_cast_that_cannot_play_is_refused(name: str, team: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await run(Script(helpful), name, **team)
