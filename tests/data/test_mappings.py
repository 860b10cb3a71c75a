"""Every ready mapping over every file of the known data sets."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from errata.data.fields import BadField
from errata.data.mappings import BBH, READY, logiqa, tdg_math
from errata.data.problems import Problems, normalised
from errata.data.source import ProblemSource
from errata.records import Problem

DATA = Path(os.environ.get("ERRATA_DATA", "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the public data sets under {DATA} (ERRATA_DATA)")

COMMITTEE = "learn_from_committee/Llama-2-7b-chat-hf_{}_round0.json"
SETS = [
    # file, mapping, records, repeated under another id, kind, split
    ("gsm8k/train.jsonl", "gsm8k", 7473, 0, "number", "train"),
    ("gsm8k/test.jsonl", "gsm8k", 1319, 0, "number", "test"),
    ("svamp/SVAMP.json", "svamp", 1000, 0, "number", None),
    ("multiarith/MultiArith.json", "multiarith", 600, 20, "number", None),
    ("aqua/dev.json", "aqua", 254, 0, "choice", "dev"),
    ("aqua/test.json", "aqua", 254, 0, "choice", "test"),
    ("commonsenseqa/train_rand_split.jsonl", "commonsenseqa", 9741, 0, "choice", "train"),
    ("commonsenseqa/dev_rand_split.jsonl", "commonsenseqa", 1221, 0, "choice", "dev"),
    ("strategyqa/train.json", "strategyqa", 2061, 1, "boolean", "train"),
    ("strategyqa/dev.json", "strategyqa", 229, 0, "boolean", "dev"),
    ("logiqa/Eval.txt", "logiqa", 651, 0, "choice", "eval"),
    ("logiqa/Test.txt", "logiqa", 651, 0, "choice", "test"),
    (COMMITTEE.format("svamp_false"), "committee_svamp", 387, 0, "number", "train"),
    (COMMITTEE.format("svamp_feedback"), "committee_svamp", 387, 0, "number", "train"),
    (COMMITTEE.format("svamp_rationale"), "committee_svamp", 387, 0, "number", "train"),
    (COMMITTEE.format("strategyQA_false"), "committee_strategyqa", 825, 0, "boolean", "train"),
    ("tdg/gpt35_math.jsonl", "tdg_math", 4589, 0, "latex", "train"),
    ("tdg/gpt4_math.jsonl", "tdg_math", 4589, 0, "latex", "train"),
    ("mcc_kd/SVAMP/train.json", "mcc_kd_svamp", 700, 0, "number", "train"),
]


def problems(file: str, mapping: str, **more: str) -> Problems:
    return Problems(ProblemSource(source=str(DATA / file), mapping=mapping, **more))


def check(problem: Problem) -> None:
    assert problem.question == problem.question.strip() != ""
    if problem.kind == "number":
        assert re.fullmatch(r"-?\d+(\.\d*[1-9])?", problem.answer)
    elif problem.kind == "boolean":
        assert problem.answer in {"yes", "no", "true", "false"}
    elif problem.kind == "choice":
        assert 0 <= ord(problem.answer) - ord("A") < len(problem.choices)
        assert all(choice == choice.strip() != "" for choice in problem.choices)
        assert "Options:" not in problem.question
    elif problem.kind == "latex":
        assert problem.answer.count("{") == problem.answer.count("}")
        assert "boxed" not in problem.answer


@needs_data
@pytest.mark.parametrize(("file", "mapping", "records", "repeated", "kind", "split"), SETS)
def test_ready_mapping(file: str, mapping: str, records: int, repeated: int, kind: str, split: str | None) -> None:
    source = problems(file, mapping)
    found = list(source)

    assert len(found) == records
    assert (source.duplicates, source.repeated) == (0, repeated)
    assert len({problem.id for problem in found}) == records
    assert {(problem.task, problem.kind, problem.split) for problem in found} == {(mapping, kind, split)}
    for problem in found:
        check(problem)


@needs_data
def test_big_bench_hard() -> None:
    source = problems("bbh/*.json", "bbh")
    found = list(source)

    assert {problem.task for problem in found} == {f"bbh_{task}" for task in BBH}
    assert len(found) + source.duplicates == 6511
    assert (source.duplicates, source.repeated) == (2, 3)
    odd = [problem for problem in found if problem.kind != BBH[problem.task.removeprefix("bbh_")]]
    assert sorted(problem.answer for problem in odd) == [
        "Monsters, Inc",
        "dearth, wind, & fire",
        "rita, sue and bob poo",
    ]
    assert {problem.kind for problem in odd} == {"string"}
    assert Counter(problem.split for problem in found)["train"] / len(found) == pytest.approx(0.8, abs=0.01)
    for problem in found:
        check(problem)


@needs_data
def test_every_file_of_the_data_is_tried() -> None:
    tried = {file for file, *_ in SETS} | {f"bbh/{task}.json" for task in BBH}
    there = {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.suffix in {".json", ".jsonl", ".txt"}}
    assert there == tried
    assert {mapping for _, mapping, *_ in SETS} == set(READY)


@needs_data
def test_released_files_ask_the_questions_of_their_sources() -> None:
    svamp = {problem.question for problem in problems("svamp/SVAMP.json", "svamp")}
    for file, mapping in (
        ("mcc_kd/SVAMP/train.json", "mcc_kd_svamp"),
        (COMMITTEE.format("svamp_false"), "committee_svamp"),
    ):
        assert {problem.question for problem in problems(file, mapping)} <= svamp

    strategyqa = {normalised(p.question): p.answer for p in problems("strategyqa/train.json", "strategyqa")}
    yes_no = {"true": "yes", "false": "no"}
    shared = [
        problem
        for problem in problems(COMMITTEE.format("strategyQA_false"), "committee_strategyqa")
        if normalised(problem.question) in strategyqa
    ]
    assert len(shared) > 700
    assert all(yes_no[problem.answer] == strategyqa[normalised(problem.question)] for problem in shared)


@needs_data
def test_both_teachers_of_math_were_given_the_same_problems() -> None:
    one = problems("tdg/gpt35_math.jsonl", "tdg_math")
    other = problems("tdg/gpt4_math.jsonl", "tdg_math")
    assert list(one) == list(other)


@needs_data
def test_excluding_the_paper_s_training_problems_leaves_svamp_s_test_problems() -> None:
    train = ProblemSource(source=str(DATA / "mcc_kd/SVAMP/train.json"), mapping="mcc_kd_svamp")
    rest = Problems(ProblemSource(source=str(DATA / "svamp/SVAMP.json"), mapping="svamp", exclude=(train,)))
    assert len(list(rest)) == 300
    assert rest.excluded == 700


@pytest.mark.parametrize(
    ("options", "letter", "choices"),
    [
        (["A.one", "B.two", "C.three", "D.four"], "b", ["one", "two", "three", "four"]),
        (["A.one", "C.three", "B.two", "D.four"], "b", ["one", "two", "three", "four"]),
        (["A one", "B? two", "C. three", "d.four"], "d", ["one", "two", "three", "four"]),
        (["A.one", "Professor B.Lin left", "C.three", "D.four"], "b", ["one", "Professor B.Lin left", "three", "four"]),
        (["A.A", "B.B", "C.C", "D.D and A"], "d", ["A", "B", "C", "D and A"]),
    ],
)
def test_logiqa_options(options: list[str], letter: str, choices: list[str]) -> None:
    fields = logiqa({"context": "c", "question": "q", "answer": letter, "options": options})
    assert list(fields.choices) == choices
    assert fields.answer == letter.upper()


def test_math_without_a_box_has_no_gold_answer() -> None:
    record = {"question": "Problem:\nq", "answer": "so 3", "level": "Level 1", "type": "Algebra"}
    with pytest.raises(BadField, match="boxed"):
        tdg_math(record)
    with pytest.raises(BadField, match="boxed"):
        tdg_math(record | {"answer": r"so $\boxed{}$."})
    assert tdg_math(record | {"answer": r"$\boxed{1}$ or $\boxed 3$."}).answer == "3"
    assert tdg_math(record | {"answer": r"$\boxed{1}$"}).question == "q"


@pytest.mark.parametrize("mapping", sorted(READY))
def test_records_of_another_set_are_refused_by_field(tmp_path: Path, mapping: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(json.dumps({"unrelated": 1}) + "\n")
    with pytest.raises(ValueError, match=r"other\.jsonl, line 1, field \w+"):
        list(Problems(ProblemSource(source=str(path), mapping=mapping)))
