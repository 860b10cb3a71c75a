"""What is taken and what is left out, on transcripts made for the case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.exports.correct_rows import mapd_rows, mcc_kd_rows, messages_rows, sft_rows
from errata.exports.labeled_rows import KTO, PAIRS_PER_PROBLEM, nat_rows, ranker_rows
from errata.exports.pair_rows import dpo_rows, edit_rows, privileged_rows
from errata.exports.transcript_view import LeftOut, Options, TranscriptView
from errata.graphs.stages.few_shot import shipped
from errata.records import Call, Explanation, Outcome, Pair, Problem, Rationale, Review, Span, Transcript
from tests.exports.views import source_of

PROBLEM = Problem(id="p", task="t", question="1 + 1 ?", answer="2", kind="number")
FOUR = (Review(id="r", reviewer="ben", score=4, valid=True, text=""),)
TEXTS = (
    "one and one make two , so 2",
    "count up from one by one and get to 2",
    "a pair of single things is 2",
    "double the number one to reach 2",
)


def rationale(name: str, **changes: Any) -> Rationale:
    written = Rationale(
        id=name, problem_id="p", author="ada", role="teacher", text=f"{name} 2", correct=True, answer="2"
    )
    return written.model_copy(update=changes)


def wrong(name: str, **changes: Any) -> Rationale:
    return rationale(name, **{"text": f"{name} 3", "correct": False, "answer": "3", **changes})


def view(*rationales: Rationale, status: str = "done", stages: str = "", **parts: Any) -> TranscriptView:
    source = source_of(stages)
    options = parts.pop("options", Options())
    outcome = Outcome.model_validate({"status": status})
    transcript = Transcript(graph="lesson", problem=PROBLEM, rationales=rationales, outcome=outcome, **parts)
    return TranscriptView(transcript, source, options)


def made(found: Any) -> tuple[list[str], list[str]]:
    """Ids of the rows' rationales, joined, and the reasons of what is left out."""
    rows, reasons = [], []
    for each in found:
        if isinstance(each, LeftOut):
            reasons.append(each.reason)
        else:
            rows.append("+".join(one["id"] for one in each["meta"]["rationales"]))
    return rows, reasons


# ---- right -----------------------------------------------------------------------------------------------------------


def test_what_is_fit_to_teach() -> None:
    rows, reasons = made(
        sft_rows(
            view(
                rationale("accepted", accepted=True, reviews=FOUR),
                rationale("rectified", role="rectified", saw_answer=True, accepted=True, reviews=FOUR),
                rationale("revised", role="revised", accepted=True, reviews=FOUR),
                rationale("mended", role="rectified", saw_answer=True),
                rationale("told", role="revised", saw_answer=True),
                rationale("cut", truncated=True, accepted=True, reviews=FOUR),
                rationale("rejected", accepted=False, reviews=FOUR),
                rationale("open", accepted=None, reviews=FOUR),
                wrong("wrong", accepted=True, reviews=FOUR),
                rationale("dropped", dropped="too_long"),
                rationale("blank", text=" \n"),
                rationale("ungraded", correct=None),
                rationale("student", role="student"),
                wrong("corrupted", role="corrupted"),
            )
        )
    )
    assert rows == ["accepted", "rectified", "revised"]
    shown = ["saw_answer_unjudged"] * 2 + ["cut_off"]
    assert reasons == [*shown, "rejected_by_panel", "no_verdict", "wrong", "too_long", "empty", "not_graded"]


@pytest.mark.parametrize("stages", ["", "rationales, dual_cot"])
def test_what_saw_the_answer_is_no_right_rationale_until_a_panel_says_so(stages: str) -> None:
    """A rectified text may bend false steps to the answer that it was shown; so it was in 12 % of the classroom's."""
    mended = rationale("mended", role="rectified", saw_answer=True)
    blind = rationale("blind")
    for rows_of in (sft_rows, messages_rows, mapd_rows):
        assert made(rows_of(view(blind, mended, stages=stages))) == (["blind"], ["saw_answer_unjudged"])
        taken = view(blind, mended, stages=stages, options=Options(unjudged=True))
        assert made(rows_of(taken)) == (["blind", "mended"], [])
    other = mended.model_copy(update={"text": "another way to 2", "answer_span": Span(15, 16)})
    group = (spelled("a", "from one to 2 .", "2"), other)
    reasons = ["saw_answer_unjudged", "alone_of_its_problem"]
    assert made(mcc_kd_rows(view(*group, stages=stages))) == ([], reasons)
    assert made(mcc_kd_rows(view(*group, stages=stages, options=Options(unjudged=True)))) == (["a+mended"], [])


def test_what_the_panel_says_of_an_open_verdict_holds_with_unjudged_texts_too() -> None:
    rejected = rationale("rejected", role="rectified", saw_answer=True, accepted=False, reviews=FOUR)
    open_ = rationale("open", role="rectified", saw_answer=True, reviews=FOUR)
    found = made(sft_rows(view(rejected, open_, options=Options(unjudged=True))))
    assert found == ([], ["rejected_by_panel", "no_verdict"])


CUT = {"truncated": True}
TAKERS: dict[str, tuple[Any, list[str]]] = {
    "sft": (sft_rows, ["right", "more"]),
    "messages": (messages_rows, ["right", "more"]),
    "mapd": (mapd_rows, ["right", "more", "slip"]),
    "mcc-kd": (mcc_kd_rows, ["right+more"]),
    "nat": (nat_rows, ["right", "more", "wrong", "slip"]),
    "kto": (KTO.rows, ["right", "more", "wrong", "slip"]),
    "privileged": (privileged_rows, ["slip"]),
    "ranker": (ranker_rows, []),
}
"""By format what it takes of the log below, where it is asked for."""


@pytest.mark.parametrize("name", sorted(TAKERS))
def test_what_is_cut_off_is_in_no_row_unless_it_is_asked_for(name: str) -> None:
    """Right or wrong: of a real small model 2 of 7 rows of sft ended in the middle of a sentence."""
    log = (
        spelled("right", "two ones are 2 and", "2").model_copy(update=CUT),
        spelled("more", "count to 2 then", "2").model_copy(update=CUT),
        wrong("wrong", **CUT),
        wrong("slip", role="student", **CUT),
    )
    about = Explanation(id="e", author="ben", rationale_id="slip", text="you lost one")
    takes, wanted = TAKERS[name]
    rows, reasons = made(takes(view(*log, explanations=(about,))))
    assert rows == []
    assert set(reasons) <= {"cut_off", "wrong", "nothing_to_compare", "alone_of_its_problem"}
    assert "cut_off" in reasons
    taken, left = made(takes(view(*log, explanations=(about,), options=Options(cut_off=True))))
    assert taken == wanted or (name == "ranker" and len(taken) == 4)
    assert "cut_off" not in left


@pytest.mark.parametrize("name", ["edit", "dpo"])
def test_no_pair_has_a_side_that_is_cut_off(name: str) -> None:
    log = (rationale("r", **CUT), wrong("w"), rationale("whole"), wrong("cut", **CUT))
    pairs = (pair("r", "w"), pair("whole", "cut"))
    rows, reasons = made((edit_rows if name == "edit" else dpo_rows)(view(*log, pairs=pairs)))
    assert rows == ([] if name == "edit" else ["whole+w"])
    assert reasons == (["cut_off"] * 2 if name == "edit" else [])


@pytest.mark.parametrize(("finish", "taken"), [("stop", True), ("length", False)])
def test_an_explanation_that_is_cut_off_is_in_no_row(finish: str, taken: bool) -> None:
    def call(name: str, verb: str, ended: str) -> Call:
        parts = {"id": name, "agent": "ben", "verb": verb, "prompt": f"teacher/{verb}@1", "prompt_hash": "h"}
        parts |= {"attempt": int(verb == "classify")}
        return Call.model_validate({**parts, "model": "m", "messages": (), "reply": "x", "finish_reason": ended})

    slip = wrong("slip", role="student")
    about = Explanation(id="e", author="ben", rationale_id="slip", text="you lost", call_ids=("said", "named"))
    calls = (call("said", "explain", finish), call("named", "classify", "length"))
    for rows_of in (mapd_rows, privileged_rows):
        log = view(slip, explanations=(about,), calls=calls)
        assert made(rows_of(log))[0] == (["slip"] if taken else [])
        log = view(slip, explanations=(about,), calls=calls, options=Options(cut_off=True))
        assert made(rows_of(log))[0] == ["slip"]


def test_copies_of_a_demonstration_in_old_logs_are_in_no_row() -> None:
    """Logs of versions that did not look for them hold such pairs, inside their band."""
    shown = shipped("number")[0]
    mended = {"role": "rectified", "parent_id": "slip", "text": shown.rationale, "accepted": True, "saw_answer": True}
    spoilt = {"role": "corrupted", "parent_id": "right", "text": shown.wrong, "saw_answer": True}
    log = (
        rationale("right", text="so 1 + 1 makes two and the answer is 2"),
        wrong("slip", role="student", text="so 1 + 1 makes three and the answer is 3"),
        rationale("mended", **mended),
        wrong("spoilt", **spoilt),
    )
    pairs = (pair("right", "spoilt", edit_ratio=0.94), pair("mended", "slip", edit_ratio=0.94))
    assert made(sft_rows(view(*log))) == (["right"], ["parrots_demonstration"])
    assert made(edit_rows(view(*log, pairs=pairs))) == ([], ["parrots_demonstration"] * 2)
    assert "spoilt" not in str(made(dpo_rows(view(*log, pairs=pairs)))[0])
    assert "parrots_demonstration" in made(privileged_rows(view(*log)))[1]


def test_a_right_side_that_the_panel_rejected_is_in_no_pair() -> None:
    log = (rationale("r", accepted=False, reviews=FOUR), wrong("w"))
    assert made(edit_rows(view(*log, pairs=(pair("r", "w"),)))) == ([], ["rejected_by_panel"])
    assert made(dpo_rows(view(*log, pairs=(pair("r", "w"),)))) == ([], ["rejected_by_panel"])


def test_of_a_failed_problem_only_what_the_panel_accepted() -> None:
    waiting, accepted = rationale("waiting"), rationale("accepted", accepted=True)
    assert made(sft_rows(view(waiting, accepted, status="failed"))) == (["accepted"], ["no_verdict"])
    assert made(sft_rows(view(waiting, accepted, status="failed", stages="rationales")))[0] == ["waiting", "accepted"]


def test_the_graders_choice_owes_nothing_to_the_panel() -> None:
    options = Options(grader_only=True)
    rejected = rationale("rejected", accepted=False, reviews=FOUR)
    revised = rationale("revised", role="revised", accepted=True, reviews=FOUR)
    found = made(sft_rows(view(rejected, revised, wrong("wrong", accepted=True), options=options)))
    assert found == (["rejected"], ["owed_to_the_panel", "wrong"])


def test_only_the_students_mistakes_are_explained() -> None:
    slip, other, right = wrong("slip", role="student"), wrong("other"), rationale("right", role="student")
    explanations = tuple(
        Explanation(id=f"e-{name}", author="ben", rationale_id=name, text=text)
        for name, text in (("slip", "you lost one"), ("slip", " "), ("other", "x"), ("right", "x"))
    )
    rows, reasons = made(mapd_rows(view(slip, other, right, explanations=explanations)))
    assert rows == ["slip"]
    assert reasons == ["wrong", "empty", "mistake_of_another", "right_after_all"]


def spelled(name: str, text: str, answer: str) -> Rationale:
    start = text.index(answer)
    return rationale(name, text=text, answer_span=Span(start, start + len(answer)))


def test_a_group_marks_the_answers_that_are_written_alike() -> None:
    group = (
        spelled("a", "from one to 2 .", "2"),
        spelled("b", "two is it : 2.0", "2.0"),
        spelled("c", "so we say 2 and stop", "2"),
        rationale("d", text="no span of its own 2"),
    )
    (row,) = mcc_kd_rows(view(*group))
    assert not isinstance(row, LeftOut)
    assert row["answer_spans"] == [[12, 13], None, [10, 11], None]
    assert [text[slice(*span)] for text, span in zip(row["completions"], row["answer_spans"], strict=True) if span] == [
        "2",
        "2",
    ]


def test_a_group_needs_two_that_differ() -> None:
    alone = view(spelled("a", "from one to 2 .", "2"), spelled("b", "From one  to 2 .", "2"))
    assert made(mcc_kd_rows(alone)) == ([], ["near_duplicate", "alone_of_its_problem"])
    unlike = view(spelled("a", "from one to 2 .", "2"), spelled("b", "this is 2.0", "2.0"))
    assert made(mcc_kd_rows(unlike)) == ([], ["alone_of_its_problem"] * 2)


def test_rows_tell_how_the_exam_went() -> None:
    good, bad = rationale("good", role="student"), wrong("bad", role="student")
    assert [view(*exam).exam for exam in ((), (good,), (good, bad))] == ["none", "right", "mistaken"]


# ---- graded ----------------------------------------------------------------------------------------------------------


def test_what_counts_as_a_negative() -> None:
    rows, reasons = made(
        nat_rows(
            view(
                rationale("right"),
                rationale("judged", accepted=False, reviews=FOUR),
                rationale("cut", truncated=True),
                wrong("wrong"),
                wrong("student", role="student"),
                wrong("blind", role="revised"),
                wrong("shown", role="corrupted", saw_answer=True),
                rationale("hinted", role="revised", saw_answer=True),
                wrong("cut-wrong", truncated=True),
                wrong("silent", answer=None),
                wrong("long", dropped="too_long"),
                status="rejected",
            )
        )
    )
    assert rows == ["right", "judged", "wrong", "student", "blind"]
    assert reasons == ["cut_off", *["shown_the_answer"] * 2, "cut_off", "no_answer_read", "too_long"]


@given(st.integers(0, 12), st.integers(0, 12))
def test_ranker_pairs_are_distinct_and_use_every_rationale_alike(right: int, wrong_: int) -> None:
    rationales = [rationale(f"r{i}") for i in range(right)] + [wrong(f"w{i}") for i in range(wrong_)]
    pairs, _ = made(ranker_rows(view(*rationales)))
    assert len(set(pairs)) == len(pairs) == min(right * wrong_, PAIRS_PER_PROBLEM)
    for side, size in ((0, right), (1, wrong_)):
        names = [pair.split("+")[side] for pair in pairs]
        assert all(name.startswith("rw"[side]) for name in names)
        uses = [names.count(name) for name in set(names)]
        assert not uses or (max(uses) - min(uses) <= 1 and len(uses) == min(size, len(pairs)))


def test_a_ranker_sees_each_text_once() -> None:
    twice = view(rationale("a", text="x 2"), rationale("b", text="X  2"), wrong("w"))
    assert made(ranker_rows(twice)) == (["a+w"], ["near_duplicate"])
    assert made(ranker_rows(view(rationale("a")))) == ([], ["nothing_to_compare"])


# ---- pairs -----------------------------------------------------------------------------------------------------------


def pair(right: str, wrong_: str, **changes: Any) -> Pair:
    fresh = Pair(id=f"{right}-{wrong_}", right=right, wrong=wrong_, origin="corrupted", edit_ratio=0.2, in_band=True)
    return fresh.model_copy(update=changes)


def test_which_pairs_teach_key_steps() -> None:
    texts = (rationale("r"), rationale("ungraded", correct=None), wrong("w"), wrong("silent", answer=None))
    both = (*texts, wrong("same", answer="2"), wrong("cut", truncated=True))
    pairs = (
        pair("r", "w"),
        pair("r", "w", edit_ratio=0.4),
        pair("r", "w", in_band=False),
        pair("ungraded", "w"),
        pair("r", "silent"),
        pair("r", "same"),
        pair("r", "cut"),
        pair("w", "r"),
    )
    rows, reasons = made(edit_rows(view(*both, pairs=pairs, options=Options(max_edit_ratio=0.3))))
    assert rows == ["r+w"]
    assert reasons == [
        "beyond_max_edit_ratio",
        "out_of_band",
        "not_graded",
        "no_answer_read",
        "answers_do_not_differ",
        "cut_off",
        "answers_do_not_differ",
    ]


def test_a_right_side_is_fit_to_be_learned() -> None:
    """The panel's verdicts and what is known of soundness, each way."""
    sides = (
        rationale("accepted", accepted=True, reviews=FOUR),
        rationale("rejected", accepted=False, reviews=FOUR),
        rationale("open", accepted=None, reviews=FOUR),
        rationale("unknown", role="rectified"),
        rationale("sound", role="rectified", sound=True),
        rationale("false", accepted=True, sound=False, reviews=FOUR),
    )
    pairs = tuple(pair(side.id, "w") for side in sides)

    def found(**options: Any) -> tuple[list[str], list[str]]:
        return made(edit_rows(view(*sides, wrong("w"), pairs=pairs, options=Options(**options))))

    assert found() == (["accepted+w", "open+w", "unknown+w", "sound+w", "false+w"], ["rejected_by_panel"])
    assert found(sound_only=True) == (
        ["accepted+w", "sound+w"],
        ["rejected_by_panel", "soundness_unknown", "soundness_unknown", "not_sound"],
    )
    assert found(grader_only=True) == ([f"{side.id}+w" for side in sides], [])


def test_a_natural_pair_has_no_rejected_right_side_either() -> None:
    log = (rationale("r", accepted=False, reviews=FOUR), wrong("w"))
    assert made(dpo_rows(view(*log))) == ([], ["rejected_by_panel"])


def test_natural_pairs_are_mined_where_nothing_was_rewritten() -> None:
    near, far = rationale("near", text="so 1 + 1 is 2"), rationale("far", text="it can only be 2")
    slip, other = wrong("slip", text="so 1 + 1 is 3"), wrong("other", author="ben", text="so 1 + 1 is 3")
    log = (near, far, slip, other)
    mined = view(*log, stages="rationales", options=Options(max_edit_ratio=0.3))
    (row,) = edit_rows(mined)
    assert not isinstance(row, LeftOut)
    assert row["spans"] == {"chosen": [[12, 13]], "rejected": [[12, 13]]}
    assert made(edit_rows(view(*log, stages="rationales", options=Options(max_edit_ratio=0.1))))[0] == []
    assert made(dpo_rows(view(*log, stages="rationales")))[0] == ["near+slip"]


def test_dpo_falls_back_on_natural_pairs_problem_by_problem() -> None:
    log = (rationale("r"), wrong("w"), wrong("c", role="corrupted", saw_answer=True, parent_id="r"))
    assert made(dpo_rows(view(*log, pairs=(pair("r", "c"),))))[0] == ["r+c"]
    assert made(dpo_rows(view(*log, pairs=(pair("r", "c", in_band=False),))))[0] == ["r+w"]


def test_privileged_contexts_speak_of_the_completion() -> None:
    slip = wrong("slip", role="student")
    mended = rationale("mended", role="rectified", parent_id="slip", saw_answer=True)
    failed = wrong("failed", role="rectified", parent_id="slip", saw_answer=True)
    explanation = Explanation(id="e", author="ben", rationale_id="slip", text="you lost one", kinds=("calculation",))
    found = [*privileged_rows(view(slip, mended, failed, explanations=(explanation,)))]
    first, second, third = found
    assert third == LeftOut("no_answer_read" if failed.answer is None else "not_rectified")
    assert not isinstance(first, LeftOut)
    assert not isinstance(second, LeftOut)
    assert (first["completion"], first["privileged_context"]) == (slip.text, "you lost one")
    assert (second["completion"], second["privileged_context"]) == (slip.text, mended.text)
    assert first["meta"].keys() == second["meta"].keys()
    assert (first["meta"]["kinds"], second["meta"]["kinds"]) == ("calculation", "")


def test_authors_choose_whose_rationales_count() -> None:
    mine, other = rationale("m", author="ada"), rationale("o", author="ben")
    pairs = (pair("m", "w"), pair("m", "x"))
    slip = wrong("s", role="student", author="pupil")
    said = [Explanation(id=name, rationale_id="s", author=name, text="look") for name in ("ada", "ben")]
    log = view(
        *(mine, other, wrong("w", author="ada"), wrong("x", author="ben"), slip),
        pairs=pairs,
        explanations=tuple(said),
        options=Options(authors=("ada",)),
    )

    assert made(nat_rows(log))[0] == ["m", "w"]
    assert made(edit_rows(log)) == (["m+w"], ["not_asked_for"])
    assert made(mapd_rows(log)) == (["m", "s"], ["wrong", "not_asked_for"])


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_roles_choose_whose_rationales_count(role: Any) -> None:
    log = view(rationale("t"), wrong("s", role="student"), options=Options(roles=(role,)))
    assert made(nat_rows(log))[0] == [role[0]]
