"""Rows of steps, and where wrong rationales begin to count as wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from datasets import Features, List, Value, load_dataset

from errata.errors import UsageError
from errata.exports.formats import check_options, format_of
from errata.exports.labeled_rows import nat_rows
from errata.exports.pair_rows import edit_rows
from errata.exports.step_rows import NO_STEP, stepwise_rows
from errata.exports.transcript_view import LeftOut, Options, Row, TranscriptView
from errata.exports.write import export
from errata.grading.steps import steps_of
from errata.graphs.stages.step_model import located
from errata.records import Outcome, Pair, Problem, Rationale, Review, Span, StepVote, Transcript, WrongStep
from errata.runs.runner import synthesize
from tests.exports.views import source_of
from tests.small_runs import lines, rows_of, small

PROBLEM = Problem(id="p", task="t", question="(1 + 1) * 2 ?", answer="4", kind="number")
RIGHT = "1 + 1 = 2 .\n2 * 2 = 4 .\nThe answer is 4."
WRONG = "1 + 1 = 2 .\n2 * 2 = 6 .\nThe answer is 6."
FOUND = located(steps_of(WRONG), [StepVote(source="arithmetic", step=1), StepVote(source="reviewer", by="b", step=1)])


def right(name: str = "right", **changes: Any) -> Rationale:
    one = Rationale(id=name, problem_id="p", author="ada", role="teacher", text=RIGHT, correct=True, answer="4")
    return one.model_copy(update=changes)


def wrong(name: str = "wrong", found: WrongStep | None = FOUND, **changes: Any) -> Rationale:
    one = right(name, text=WRONG, correct=False, answer="6", wrong_step=found)
    return one.model_copy(update=changes)


def view(*rationales: Rationale, pairs: tuple[Pair, ...] = (), stages: str = "", **options: Any) -> TranscriptView:
    transcript = Transcript(
        graph="lesson", problem=PROBLEM, rationales=rationales, pairs=pairs, outcome=Outcome(status="done")
    )
    return TranscriptView(transcript, source_of(stages), Options(**options))


def sorted_out(found: Any) -> tuple[list[Row], list[str]]:
    every = list(found)
    rows = [each for each in every if not isinstance(each, LeftOut)]
    return rows, [each.reason for each in every if isinstance(each, LeftOut)]


def test_steps_are_right_up_to_the_first_wrong_one() -> None:
    rows, reasons = sorted_out(stepwise_rows(view(right(), wrong(), stages="exam, rationales")))

    assert reasons == []
    assert [row["labels"] for row in rows] == [[True, True, True], [True, False, False]]
    assert rows[1]["completions"] == ["1 + 1 = 2 .", "2 * 2 = 6 .", "The answer is 6."]
    assert [row["meta"]["first_wrong_step"] for row in rows] == [NO_STEP, 1]
    assert rows[1]["meta"]["step_probability"] == FOUND.probability > 0.9


def test_what_gives_no_row_of_steps_is_told() -> None:
    unsure = located(steps_of(WRONG), [StepVote(source="prefixes", by="ben", step=1)])
    assert 0.4 < unsure.probability < 0.8
    four = (Review(id="r", reviewer="ben", score=4, valid=True, text=""),)
    told = sorted_out(
        stepwise_rows(
            view(
                right("rejected", accepted=False, reviews=four),
                right("lucky", sound=False),
                right("mended", role="rectified", saw_answer=True),
                wrong("unlocated", None),
                wrong("unsure", unsure),
                wrong("cut", truncated=True),
                wrong("mute", answer=None),
                stages="exam, rationales",
                min_step_probability=0.8,
            )
        )
    )
    reasons = ["rejected_by_panel", "not_sound", "saw_answer_unjudged", "first_wrong_step_unknown"]
    assert told == ([], [*reasons, "first_wrong_step_unsure", "cut_off", "no_answer_read"])
    assert len(sorted_out(stepwise_rows(view(wrong("unsure", unsure), min_step_probability=0.4)))[0]) == 1


def test_a_wrong_row_says_from_which_character_it_is_wrong() -> None:
    told = view(right(), wrong(), wrong("unlocated", None), wrong_from="first_wrong_step")
    rows, reasons = sorted_out(nat_rows(told))

    assert reasons == ["first_wrong_step_unknown"]
    assert "wrong_from" not in rows[0]["meta"]
    assert rows[1]["completion"][rows[1]["meta"]["wrong_from"] :] == "2 * 2 = 6 .\nThe answer is 6."
    assert all("wrong_from" not in row["meta"] for row in sorted_out(nat_rows(view(right(), wrong())))[0])


def test_with_thinking_before_it_the_character_is_that_of_the_whole_completion() -> None:
    thinking = wrong(reasoning="hm, twice")
    (row,), _ = sorted_out(nat_rows(view(thinking, wrong_from="first_wrong_step", reasoning="keep")))
    assert row["completion"].startswith("<think>")
    assert row["completion"][row["meta"]["wrong_from"] :].startswith("2 * 2 = 6")


def test_so_does_a_pair_and_one_that_is_not_located_is_left_out() -> None:
    def pair(name: str) -> Pair:
        spans = (Span(19, 20),)
        return Pair(
            id=name, right="right", wrong=name, origin="natural", edit_ratio=0.1, in_band=True, wrong_spans=spans
        )

    told = view(
        right(),
        wrong(),
        wrong("unlocated", None),
        pairs=(pair("wrong"), pair("unlocated")),
        stages="exam, rationales, dual_cot",
        wrong_from="first_wrong_step",
    )
    (row,), reasons = sorted_out(edit_rows(told))
    assert reasons == ["first_wrong_step_unknown"]
    assert row["rejected"][row["meta"]["wrong_from"] :].startswith("2 * 2 = 6")


def test_options_without_effect_are_refused() -> None:
    for name, options in (
        ("sft", Options(wrong_from="first_wrong_step")),
        ("kto", Options(wrong_from="first_wrong_step")),
        ("dpo", Options(min_step_probability=0.7)),
        ("nat", Options(min_step_probability=0.7)),
    ):
        with pytest.raises(UsageError, match="it would change no row"):
            check_options(format_of(name), options)
    check_options(format_of("nat"), Options(min_step_probability=0.7, wrong_from="first_wrong_step"))
    check_options(format_of("stepwise"), Options(min_step_probability=0.7))


# ---- of a real run ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stages = "stages=[exam,rationales,dual_cot,locate]"
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs"), stages, problems=8))).run


def test_rows_of_a_run_are_its_rationales_and_load_with_the_columns_of_stepwise_supervision(
    run: Path, tmp_path: Path
) -> None:
    done = export([run], "stepwise", tmp_path / "steps.jsonl")
    texts = {each["id"]: each["text"] for line in lines(run) for each in line["rationales"]}

    rows = rows_of(done.out)
    assert done.tally.kinds["wrong"] > 3 < done.tally.kinds["right"]
    for row in rows:
        (source,) = row["meta"]["rationales"]
        assert "".join("".join(row["completions"]).split()) == "".join(texts[source["id"]].split())
        assert len(row["labels"]) == len(row["completions"])
        assert row["labels"] == sorted(row["labels"], reverse=True)
        assert all(row["labels"]) is source["correct"]
    columns = Features(prompt=Value("string"), completions=List(Value("string")), labels=List(Value("bool")))
    loaded = load_dataset("json", data_files=str(done.out), split="train", cache_dir=str(tmp_path / "cache"))
    assert {name: loaded.features[name] for name in columns} == columns
    card = done.card.read_text(encoding="utf-8")
    assert (
        f"rows by kind: {done.tally.rows} ({done.tally.kinds['right']} right, {done.tally.kinds['wrong']} wrong)"
        in card
    )


def test_the_card_says_what_the_least_probability_leaves_out(run: Path, tmp_path: Path) -> None:
    sure = export([run], "stepwise", tmp_path / "sure.jsonl", Options(min_step_probability=0.99))
    card = sure.card.read_text(encoding="utf-8")
    assert "A first wrong step is known where its probability is 0.99 or more." in card
    assert f"{sure.tally.left_out['first_wrong_step_unsure']} first_wrong_step_unsure" in card
    nat = export([run], "nat", tmp_path / "nat.jsonl", Options(wrong_from="first_wrong_step"))
    assert "In `meta.wrong_from` stands the character" in nat.card.read_text(encoding="utf-8")
    assert all(("wrong_from" in row["meta"]) is not row["label"] for row in rows_of(nat.out))


async def test_a_run_that_located_nothing_says_what_would_help(tmp_path: Path) -> None:
    bare = (await synthesize(small(tmp_path, "graph=exam", "settings={}", problems=3))).run
    options = Options(wrong_from="first_wrong_step", roles=("student",))
    log = bare / "transcripts.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"correct":true', b'"correct":false'))
    with pytest.raises(UsageError, match="no row") as raised:
        export([bare], "nat", tmp_path / "x.jsonl", options)
    assert "first_wrong_step_unknown" in raised.value.why
    assert "add locate to `stages` of the recipe" in raised.value.do
