"""Other tools' logs, JSON lines and eval directories are compared on the items that are the same in all of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.evals.compare import compare
from errata.evals.foreign.join import joined, match
from errata.evals.results import Eval, Item, Manifest, write_items
from errata.evals.sources import given, read_evals
from tests.evals.eval_dirs import eval_dir

FILES = Path(__file__).parent / "foreign" / "files"
BASE, TUNED = FILES / "inspect_base.eval", FILES / "inspect_tuned.eval"


def made(name: str, *asked: tuple[str, str | None], task: str = "t") -> Eval:
    items = [
        Item(id=id_, task=task, correct=True, meta={} if question is None else {"question": question})
        for id_, question in asked
    ]
    return Eval(Path(name), tuple(items), Manifest(name=name, label=name, tasks={task: {"grader": name}}))


def test_two_logs_of_inspect_give_a_paired_verdict() -> None:
    comparison = compare([BASE, TUNED])

    (difference,) = comparison.differences
    assert (difference.arm, difference.against, difference.n) == ("mockllm/tuned", "mockllm/base", 4)
    assert (difference.difference.value, difference.only_arm, difference.only_against) == (0.5, 2, 0)
    assert (difference.difference.method, difference.verdict) == ("paired score", "not shown")
    assert "sums: graded by inspect_ai match" in comparison.notes


def test_files_of_three_tools_are_joined_by_their_questions() -> None:
    lm_eval = next((FILES / "lm_eval_base").glob("samples_sums_2*"))

    comparison = compare([f"base={lm_eval}", f"light={FILES / 'lighteval_tuned'}", f"tuned={TUNED}"])

    assert comparison.tasks == ("sums",)
    assert [(each.accuracy.value, each.n) for each in comparison.figures] == [(0.25, 4), (0.75, 4), (0.75, 4)]
    assert any("joined by their question" in note for note in comparison.notes)
    assert any(note.startswith("sums: graded differently on the two sides") for note in comparison.notes)


def test_files_of_two_tools_in_one_arm_are_refused() -> None:
    with pytest.raises(UsageError, match=r"tuned answers one question in sums\|0 and in sums"):
        compare([f"base={BASE}", f"tuned={FILES / 'lighteval_tuned'}", f"tuned={TUNED}"])


def test_several_files_of_one_arm_are_its_seeds(tmp_path: Path) -> None:
    other = tmp_path / "again.eval"
    shutil.copy(FILES / "inspect_two_scorers.eval", other)

    comparison = compare([f"base={BASE}", f"new={TUNED}", f"new={other}"])

    assert [(arm.name, arm.seeds) for arm in comparison.arms] == [("base", (0,)), ("new", (0, 1))]
    assert comparison.differences[0].design == "one seed each"  # both files hold the same answers, told as copies


def test_a_folder_holds_an_arm_with_all_its_tasks() -> None:
    comparison = compare([FILES / "lm_eval_base", FILES / "lm_eval_tuned"])

    assert [arm.name for arm in comparison.arms] == ["local/base", "local/tuned"]
    assert set(comparison.tasks) == {"sums", "sums_choice"}
    assert {each.task: each.difference.value for each in comparison.differences} == {"sums": 0.5, "sums_choice": 0.25}


def test_files_of_one_model_and_no_name_are_told_to_be_one_arm() -> None:
    _, notes = read_evals([BASE, FILES / "inspect_base.eval"])

    assert notes[0] == "all files are seeds of one arm, mockllm/base; name arms as ARM=FILE"


def test_json_lines_and_directories_stand_beside_logs(tmp_path: Path) -> None:
    lines = tmp_path / "mine.jsonl"
    rows = [
        {"id": f"x{n}", "correct": n > 0, "meta": {"question": f"what is  {n} + {n}?"}} for n in range(3)
    ]  # in other words of space and case, under ids of their own, one of four missing
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))

    comparison = compare([BASE, lines])

    assert [arm.name for arm in comparison.arms] == ["mockllm/base", "mine"]
    assert comparison.differences[0].n == 3
    assert (
        "mockllm/base: 1 of 4 items are not in all files and are left out: sum-3; what is said is about the 3 that are"
        in comparison.notes
    )
    assert "mine: 3 items have other tasks or ids and are joined by their question" in comparison.notes


def test_without_other_tools_nothing_is_left_out(tmp_path: Path) -> None:
    one, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_items(one, [Item(id="x", correct=True), Item(id="y", correct=True)])
    write_items(other, [Item(id="x", correct=True)])

    with pytest.raises(UsageError, match="lacks 1 items"):
        compare([one, other])


def test_an_eval_directory_takes_the_name_of_an_arm(tmp_path: Path) -> None:
    for name in ("one", "two", "base"):
        eval_dir(tmp_path, name, {"t": [True, name != "base"]})

    comparison = compare([f"new={tmp_path / 'one'}", f"new={tmp_path / 'two'}", tmp_path / "base"])

    assert [(arm.name, arm.seeds) for arm in comparison.arms] == [("new", (0, 1)), ("base", (0,))]


def test_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    file = tmp_path / "lr=1.jsonl"
    file.touch()

    assert given(file) == (None, file)
    assert given("lr=1.jsonl") == ("lr", Path("1.jsonl"))


# ---- joining ---------------------------------------------------------------------------------------------------------


def test_items_are_joined_by_question_before_id() -> None:
    first = made("first", ("0", "a?"), ("1", "b?"), ("2", "c?"))
    other = made("other", ("1", "A?"), ("2", "c?"), ("0", "d?"), task="u")

    found = match(first, other)

    assert {own.id: key.id for own, key in found.keys.items()} == {"1": "0", "2": "2"}
    assert {key.task for key in found.keys.values()} == {"t"}


def test_an_id_with_another_question_is_not_the_same_item() -> None:
    evals, notes = joined([made("first", ("0", "a?"), ("1", "b?")), made("other", ("0", "a?"), ("1", "c?"))])

    assert [[item.id for item in each.items] for each in evals] == [["0"], ["0"]]
    assert "other: 1 items have an id of first but another question" in notes
    assert sum("1 of 2 items are not in all files" in note for note in notes) == 2


def test_without_questions_ids_join() -> None:
    found = match(made("first", ("0", None), ("1", "b?")), made("other", ("1", None), ("0", "a?"), ("7", None)))

    assert {own.id: key.id for own, key in found.keys.items()} == {"1": "1", "0": "0"}


def test_a_question_that_stands_twice_is_joined_by_its_id_too() -> None:
    twice = (("0", "a?"), ("1", "a?"))

    found = match(made("first", *twice), made("other", *twice))

    assert {own.id: key.id for own, key in found.keys.items()} == {"0": "0", "1": "1"}
    assert not match(made("first", *twice), made("other", ("5", "a?"))).keys


def test_nothing_in_common_is_told() -> None:
    with pytest.raises(UsageError, match="no item of first is in all files: other has 0 of them"):
        joined([made("first", ("0", "a?")), made("other", ("0", "b?"))])
