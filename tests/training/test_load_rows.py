"""Where rows come from: a slip in a run's name is found here, and no hub is asked about it."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import datasets
import pytest
import yaml

from errata.errors import UsageError
from errata.exports.correct_rows import MCC_KD, SFT
from errata.exports.formats import FORMATS
from errata.training.load_rows import Overlap, Where, read
from tests.small_runs import lines
from tests.training.trainings import go

WHERE = Where(FORMATS[0])


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the hub was asked about, from a folder with one run in it."""
    names: list[str] = []

    def load(name: str, *_: object, **__: object) -> None:
        names.append(name)
        raise ConnectionError("no network in tests")

    (tmp_path / "runs/recipe").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", load)
    return names


@pytest.mark.parametrize("name", ["runs/recipee", "./runs/recipee", "rnus/recipe", "nowhere/runs/x", "rows.jsonl"])
def test_a_run_or_file_that_is_not_there_is_said_before_a_hub_is_asked(name: str, asked: list[str]) -> None:
    with pytest.raises(UsageError, match=f"no run and no file {name}") as refused:
        read([name], WHERE)

    assert asked == []
    assert ("did you mean runs/recipe?" in str(refused.value)) == ("recipe" in name)


def test_an_owner_that_is_no_folder_here_is_the_hubs(asked: list[str]) -> None:
    with pytest.raises(UsageError, match="the data set somebody/rows cannot be opened"):
        read(["somebody/rows"], WHERE)

    assert asked == ["somebody/rows"]


def test_max_rows_draws_the_same_rows_again_in_their_order_and_fewer_are_a_part_of_more(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"{n} + 1 ?", "completion": str(n + 1)}) + "\n" for n in range(50)))
    where = WHERE._replace(seed=3)

    def prompts(most: int | None, seed: int = 3) -> list[str]:
        return [each.row.data["prompt"] for each in read([str(file)], where._replace(most=most, seed=seed)).rows]

    every, ten, five = prompts(None), prompts(10), prompts(5)
    assert prompts(99) == every
    assert len(ten) == 10
    assert sorted(ten, key=every.index) == ten == prompts(10)
    assert set(five) < set(ten) < set(every)
    assert prompts(10, seed=4) != ten


@pytest.mark.parametrize("named", [True, False])
def test_max_per_problem_draws_so_many_rows_of_each_problem_and_fewer_are_a_part_of_more(
    tmp_path: Path, named: bool
) -> None:
    # 9 rationales of each of 20 problems, one after the other or in turns; with the problem's id, or its question alone
    rows = [
        {"prompt": f"{problem} + 1 ?", "completion": f"{problem + 1}{' ' * n}", "meta": {"problem_id": f"p{problem}"}}
        for n in range(9)
        for problem in range(20)
    ]
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    for file, part in ((first, rows[:100]), (second, rows[100:])):
        file.write_text("".join(json.dumps(row if named else {**row, "meta": {}}) + "\n" for row in part))

    def learned(per_problem: int | None, most: int | None = None, seed: int = 3) -> list[tuple[str, str]]:
        where = WHERE._replace(per_problem=per_problem, most=most, seed=seed)
        loaded = [each.row.data for each in read([str(first), str(second)], where).rows]
        return [(row["prompt"], row["completion"]) for row in loaded]

    every, four, one = learned(None), learned(4), learned(1)
    assert [Counter(prompt for prompt, _ in each) for each in (one, four)] == [
        {f"{problem} + 1 ?": count for problem in range(20)} for count in (1, 4)
    ]
    assert set(one) < set(four) < set(every)
    assert four == sorted(four, key=every.index)  # in their order
    assert learned(9) == learned(99) == every
    assert len({len(completion) for _, completion in one}) > 3  # not the first of each
    assert learned(1, seed=4) != one == learned(1)
    assert set(learned(1, most=7)) < set(one)  # the rows in all are drawn of those


@pytest.mark.parametrize("method", ["sft", "ranker"])
def test_every_training_learns_no_more_rows_per_problem_than_asked(run: Path, tmp_path: Path, method: str) -> None:
    learned = {}
    for limit in ("1", "99"):
        assert go(method, run, tmp_path / limit, "--max_steps", "1", "--max_per_problem", limit) == 0
        learned[limit] = json.loads((tmp_path / limit / "manifest.json").read_text())["data"][0]["rows"]
    problems = sum(any(each["correct"] for each in line["rationales"]) for line in lines(run))
    assert learned["1"] <= problems < learned["99"]


def test_no_rows_at_all_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "1 + 1 ?", "completion": "2"}\n')
    for limit, flag in (({"most": 0}, "max_rows"), ({"per_problem": 0}, "max_per_problem")):
        with pytest.raises(UsageError, match=f"--{flag} 0"):
            read([str(file)], WHERE._replace(**limit))  # type: ignore[arg-type]


def test_max_per_problem_is_refused_where_a_row_holds_all_rationales_of_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "1 + 1 ?", "completions": ["2", "it is 2"]}\n')
    with pytest.raises(UsageError, match=r"--max_per_problem with .*rows\.jsonl, line 1"):
        read([str(file)], Where(MCC_KD, per_problem=1))


def naming_an_eval_set(run: Path, folder: Path, source: str | None = None) -> tuple[Path, str]:
    """A copy of the run whose recipe names an evaluation set that asks one of its questions; that problem's id."""
    held = folder / "runs" / run.name
    shutil.copytree(run, held)
    graded = {
        line["problem"]["id"]: {each["correct"] for each in line["rationales"] if each["role"] == "teacher"}
        for line in lines(held)
    }
    met = next(line["problem"] for line in lines(held) if graded[line["problem"]["id"]] >= {True, False})
    eval_set = folder / "test.jsonl"
    eval_set.write_text(json.dumps({"question": met["question"].upper(), "answer": "#### 1"}) + "\n")
    recipe = held / "recipe.yaml"
    named = {"eval_sets": [{"source": source or str(eval_set), "mapping": "gsm8k"}]}
    recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | named))
    return held, met["id"]


def test_problems_of_an_evaluation_set_that_the_runs_recipe_names_are_left_out_where_asked(
    run: Path, tmp_path: Path
) -> None:
    held, met = naming_an_eval_set(run, tmp_path)

    whole, clean = (read([str(held)], Where(SFT, exclude_overlap=asked)) for asked in (False, True))

    rows = [[each.row.data for each in found.rows] for found in (whole, clean)]
    assert rows[1] == [row for row in rows[0] if row["meta"]["problem_id"] != met]
    assert 0 < len(rows[1]) < len(rows[0])
    assert (whole.overlap, clean.overlap) == (Overlap(learned=1), Overlap(learned=0, left_out=1))
    assert whole.sha256 != clean.sha256


@pytest.mark.parametrize("method", ["sft", "ranker"])
def test_a_training_says_what_it_learns_of_an_evaluation_set(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    held, _ = naming_an_eval_set(run, tmp_path)
    told = []
    for asked in ("false", "true"):
        assert go(method, held, tmp_path / asked, "--max_steps", "1", "--exclude_overlap", asked) == 0
        manifest = json.loads((tmp_path / asked / "manifest.json").read_text())
        told.append((manifest["in_eval_sets"], manifest["left_out"].get("in an evaluation set", 0)))
        words = capsys.readouterr().err
        assert ("share 13 words with it: 1; --exclude_overlap true" in words) == (asked == "false")
        assert ("left out: 1 in an evaluation set" in words) == (asked == "true")
    assert told == [(1, 0), (0, 1)]


@pytest.mark.parametrize("source", ["a" * 300 + ".jsonl", "bbh/*.json", "nobody\0.jsonl"])
def test_a_source_that_cannot_be_looked_at_stops_no_training_and_is_not_said_to_be_met_by_none(
    run: Path, tmp_path: Path, source: str
) -> None:
    held, _ = naming_an_eval_set(run, tmp_path, source)

    assert read([str(held)], Where(SFT)).overlap.learned is None
    assert read([str(run)], Where(SFT)).overlap.learned is None, "its recipe names no set"


def test_an_evaluation_set_that_has_moved_away_stops_no_training_that_takes_all(run: Path, tmp_path: Path) -> None:
    held, _ = naming_an_eval_set(run, tmp_path)
    (tmp_path / "test.jsonl").unlink()

    assert read([str(held)], Where(SFT)).overlap == Overlap()
    with pytest.raises(UsageError, match=r"test\.jsonl: no such file"):
        read([str(held)], Where(SFT, exclude_overlap=True))


def test_a_note_on_overlap_asks_no_hub_and_waits_for_no_pipe(run: Path, tmp_path: Path, asked: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for number, source in enumerate(
        ("somebody/questions", str(tmp_path / "pipe.jsonl"), "${NOT_SET_ANYWHERE}/x.jsonl")
    ):
        held, _ = naming_an_eval_set(run, tmp_path / str(number), source)
        assert read([str(held)], Where(SFT)).overlap == Overlap()
    assert asked == []


def test_overlap_is_left_out_of_a_run_that_names_evaluation_sets_alone(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "1 + 1 ?", "completion": "2"}\n')
    for source, told in ((run, "no evaluation set is named"), (file, "is no run directory")):
        with pytest.raises(UsageError, match=told):
            read([str(source)], Where(SFT, exclude_overlap=True))
