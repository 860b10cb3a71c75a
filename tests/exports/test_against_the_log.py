"""Every format against slow, plain readings of a real lesson's raw log lines."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from errata.exports.labeled_rows import PAIRS_PER_PROBLEM
from errata.exports.transcript_view import Options
from errata.exports.write import Exported, export
from errata.graphs.stages.word_diff import edit_ratio
from errata.runs.runner import synthesize
from tests.small_runs import lines, rows_of, small

Line = dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lesson whose student answers three times, with pairs inside and outside of the band."""
    overrides = ("settings.exam.samples=3", "settings.dual_cot.band=[0.0, 0.08]", "settings.dual_cot.tries=1")
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs"), *overrides))).run


def in_order(run: Path) -> list[Line]:
    return sorted(lines(run), key=lambda line: line["problem"]["position"])


def everything(run: Path, name: str, folder: Path, **options: Any) -> Exported:
    return export([run], name, folder / f"{name}.jsonl", Options(**options), keep_duplicates=True)


def prompt_of(line: Line) -> str:
    text: str = next(call for call in line["calls"] if call["agent"] == "pupil")["messages"][-1]["content"]
    return text


def fit(rationale: Line) -> bool:
    taught = rationale["role"] in ("teacher", "revised", "rectified")
    right = rationale["correct"] and not rationale["dropped"]
    return taught and right and (rationale["accepted"] or not rationale["reviews"])


def named(line: Line) -> dict[str, Line]:
    return {rationale["id"]: rationale for rationale in line["rationales"]}


def test_sft(run: Path, tmp_path: Path) -> None:
    rows = rows_of(everything(run, "sft", tmp_path).out)
    expected = [(prompt_of(line), each["text"]) for line in in_order(run) for each in line["rationales"] if fit(each)]
    assert [(row["prompt"], row["completion"]) for row in rows] == expected


def test_mapd(run: Path, tmp_path: Path) -> None:
    rows = rows_of(everything(run, "mapd", tmp_path).out)

    expected: list[tuple[str, str, str]] = []
    for line in in_order(run):
        expected += [("rationale", line["problem"]["id"], each["text"]) for each in line["rationales"] if fit(each)]
        expected += [("mistake", line["problem"]["id"], each["text"]) for each in line["explanations"]]
    assert [(row["task"], row["meta"]["problem_id"], row["completion"]) for row in rows] == expected
    log = {line["problem"]["id"]: line for line in lines(run)}
    mistakes = [row for row in rows if row["task"] == "mistake"]
    assert mistakes
    for row in mistakes:
        line = log[row["meta"]["problem_id"]]
        (wrong,) = row["meta"]["rationales"]
        written = named(line)[wrong["id"]]
        assert (written["role"], written["correct"]) == ("student", False)
        for told in (line["problem"]["question"], written["text"], line["problem"]["answer"], "Point out"):
            assert told in row["prompt"]
        explained = next(each for each in line["explanations"] if each["id"] == row["meta"]["explanation_id"])
        assert row["meta"]["explainer"] == explained["author"]
        assert row["meta"]["kinds"] == "+".join(explained["kinds"])
        assert set(explained["call_ids"]) <= set(row["meta"]["calls"])


@pytest.mark.parametrize("limit", [None, 0.08])
def test_edit(run: Path, tmp_path: Path, limit: float | None) -> None:
    done = everything(run, "edit", tmp_path, max_edit_ratio=limit)
    rows = rows_of(done.out)

    expected = []
    for line in in_order(run):
        for pair in line["pairs"]:
            right, wrong = (named(line)[pair[side]] for side in ("right", "wrong"))
            graded = right["correct"] is True and wrong["correct"] is False and right["answer"] != wrong["answer"]
            taught = right["accepted"] is not False
            if pair["in_band"] and graded and taught and (limit is None or pair["edit_ratio"] <= limit):
                expected.append((pair["id"], right["text"], wrong["text"]))
    assert [(row["meta"]["pair_id"], row["chosen"], row["rejected"]) for row in rows] == expected
    assert all(pair["edit_ratio"] <= 0.12 for pair in (row["meta"] for row in rows))
    assert done.tally.left_out["out_of_band"] == sum(not p["in_band"] for line in lines(run) for p in line["pairs"]) > 0
    for row in rows:
        for side, other in (("chosen", "rejected"), ("rejected", "chosen")):
            words = {row[side][start:end] for start, end in row["spans"][side]}
            assert all(word and " " not in word for word in words)
            rest = Counter(row[side].split()) - Counter(row[other].split())
            assert set(rest) <= words  # what only this side has must be among its key words
        ratio = edit_ratio(row["chosen"], row["rejected"])
        assert row["meta"]["edit_ratio"] == pytest.approx(ratio)


def test_mcc_kd(run: Path, tmp_path: Path) -> None:
    rows = rows_of(everything(run, "mcc-kd", tmp_path).out)

    log = {line["problem"]["id"]: line for line in lines(run)}
    for row in rows:
        line = log[row["meta"]["problem_id"]]
        members = [each["id"] for each in row["meta"]["rationales"]]
        diverse = []
        for each in line["rationales"]:
            if fit(each) and not any(
                " ".join(each["text"].split()) == " ".join(one["text"].split()) for one in diverse
            ):
                diverse.append(each)
        assert members == [each["id"] for each in diverse]  # the faculty's texts are equal or far apart
        assert row["completions"] == [each["text"] for each in diverse]
        assert row["answer"] == line["problem"]["answer"]
        answers = {text[slice(*span)] for text, span in zip(row["completions"], row["answer_spans"], strict=True)}
        assert answers == {row["answer"]}
    several = [
        line["problem"]["id"] for line in in_order(run) if len({e["text"] for e in line["rationales"] if fit(e)}) > 1
    ]
    assert [row["meta"]["problem_id"] for row in rows] == several


@pytest.mark.parametrize("name", ["nat", "kto"])
def test_nat(run: Path, tmp_path: Path, name: str) -> None:
    done = everything(run, name, tmp_path)
    expected, shown = [], 0
    for line in in_order(run):
        for each in line["rationales"]:
            shown += each["saw_answer"]
            if not each["saw_answer"] and not each["dropped"] and (each["correct"] or each["answer"] is not None):
                expected.append((prompt_of(line), each["text"], each["correct"]))
    rows = rows_of(done.out)
    assert [(row["prompt"], row["completion"], row["label"]) for row in rows] == expected
    assert done.tally.left_out["shown_the_answer"] == shown > 0
    assert {each["role"] for row in rows for each in row["meta"]["rationales"]} == {"teacher", "student", "revised"}
    assert done.tally.kinds == Counter("right" if label else "wrong" for _, _, label in expected)

    only = rows_of(everything(run, name, tmp_path, roles=("teacher",)).out)
    assert only == [row for row in rows if row["meta"]["rationales"][0]["role"] == "teacher"]


def test_ranker(run: Path, tmp_path: Path) -> None:
    rows = rows_of(everything(run, "ranker", tmp_path).out)

    by_problem: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        by_problem.setdefault(row["meta"]["problem_id"], []).append((row["chosen"], row["rejected"]))
    for line in lines(run):
        unaided = [each for each in line["rationales"] if not each["saw_answer"] and not each["dropped"]]
        right = {each["text"] for each in unaided if each["correct"]}
        wrong = {each["text"] for each in unaided if not each["correct"] and each["answer"] is not None}
        pairs = by_problem.get(line["problem"]["id"], [])
        assert set(pairs) <= set(product(right, wrong))
        assert len(set(pairs)) == len(pairs) == min(len(right) * len(wrong), PAIRS_PER_PROBLEM)


def test_ranker_by_scores(run: Path, tmp_path: Path) -> None:
    def mean(told: Line) -> float:
        scores = [int(score.split()[-1]) for score in told["scores"].split(", ")]
        return sum(scores) / len(scores)

    rows = rows_of(everything(run, "ranker", tmp_path, by_scores=True).out)
    assert rows
    for row in rows:
        better, worse = row["meta"]["rationales"]
        assert mean(better) - mean(worse) >= 1


def test_dpo(run: Path, tmp_path: Path) -> None:
    edit = rows_of(everything(run, "edit", tmp_path).out)
    rows = rows_of(everything(run, "dpo", tmp_path).out)

    paired = {row["meta"]["problem_id"] for row in edit}
    of_edit = [row for row in rows if row["meta"]["problem_id"] in paired]
    assert of_edit == [{key: value for key, value in row.items() if key != "spans"} for row in edit]
    others = [row for row in rows if row["meta"]["problem_id"] not in paired]
    assert {row["meta"]["origin"] for row in others} == {"natural"}
    log = {line["problem"]["id"]: line for line in lines(run)}
    for row in others:
        natural = {pair["id"] for pair in log[row["meta"]["problem_id"]]["pairs"] if pair["origin"] == "natural"}
        assert row["meta"]["pair_id"] in natural


def test_privileged(run: Path, tmp_path: Path) -> None:
    rows = rows_of(everything(run, "privileged", tmp_path).out)

    expected = []
    for line in in_order(run):
        known = named(line)
        told = [(known[each["rationale_id"]], each["text"], "explanation") for each in line["explanations"]]
        mended = [each for each in line["rationales"] if each["role"] == "rectified" and each["correct"]]
        told += [(known[each["parent_id"]], each["text"], "rectified") for each in mended]
        expected += [(w["text"], text, kind) for w, text, kind in told if not w["correct"] and w["answer"] is not None]
    found = [(row["completion"], row["privileged_context"], row["meta"]["context"]) for row in rows]
    assert found == expected
    assert {kind for _, _, kind in found} == {"explanation", "rectified"}


def test_the_grader_alone_is_the_control_of_the_panel(run: Path, tmp_path: Path) -> None:
    rows = rows_of(everything(run, "sft", tmp_path, grader_only=True).out)
    expected = [
        each["text"]
        for line in in_order(run)
        for each in line["rationales"]
        if each["role"] in ("teacher", "rectified") and each["correct"] and not each["dropped"]
    ]
    assert [row["completion"] for row in rows] == expected
    verdicts = Counter(row["meta"]["rationales"][0]["verdict"] for row in rows)
    assert verdicts["rejected"] > 0


def test_near_duplicates_counted_the_slow_way(run: Path, tmp_path: Path) -> None:
    kept, done = everything(run, "nat", tmp_path), export([run], "nat", tmp_path / "few.jsonl")
    seen: list[tuple[str, str, bool]] = []
    fresh = []
    for row in rows_of(kept.out):
        key = (row["prompt"].casefold(), " ".join(row["completion"].casefold().split()), row["label"])
        if key not in seen:
            fresh.append(row)
        seen.append(key)
    rows = rows_of(done.out)
    assert done.tally.repeated["same"] == len(seen) - len(set(seen)) > 0
    assert len(rows) == len(fresh) - done.tally.repeated["like"]
    assert all(row in fresh for row in rows)


# ---- what trainers expect --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_trl_trains_on_the_rows_as_they_are(run: Path, tmp_path: Path) -> None:
    """One step of TRL's own trainers on the exported files, no column renamed."""
    from datasets import load_dataset
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

    from tests.models.tiny import save_plain

    tiny = str(save_plain(tmp_path / "tiny"))
    plain: dict[str, Any] = {
        "max_steps": 1,
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "per_device_train_batch_size": 2,
    }
    for name, trainer, config in (
        ("sft", SFTTrainer, SFTConfig),
        ("messages", SFTTrainer, SFTConfig),
        ("dpo", DPOTrainer, DPOConfig),
        ("kto", KTOTrainer, KTOConfig),
    ):
        file = str(everything(run, name, tmp_path).out)
        rows = load_dataset("json", data_files=file, split="train[:8]", cache_dir=str(tmp_path / "cache"))
        args = config(output_dir=str(tmp_path / "out"), **plain)
        done = trainer(tiny, args=args, train_dataset=rows).train()
        assert done.training_loss > 0
