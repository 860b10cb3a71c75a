"""Real logs of inspect_ai, lm-eval and lighteval are read unchanged, and what is none is told."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.evals.foreign.bounded import Zip, json_lines
from errata.evals.foreign.inspect_log import read_eval_log, read_json_log
from errata.evals.foreign.lighteval import read_details
from errata.evals.foreign.lm_eval import read_samples
from errata.evals.foreign.log import Answer, Score, Source, to_log

FILES = Path(__file__).parent / "files"
QUESTIONS = [f"What is {n} + {n}?" for n in range(4)]


def lm_eval_file(name: str, task: str) -> Path:
    return next((FILES / f"lm_eval_{name}").glob(f"samples_{task}_2*.jsonl"))


def lighteval_file(name: str) -> Path:
    return next((FILES / f"lighteval_{name}").rglob("*.parquet"))


def test_an_eval_log_of_inspect_is_read() -> None:
    log = read_eval_log(FILES / "inspect_base.eval")

    assert [(item.id, item.correct) for item in log.items] == [
        ("sum-0", True),
        ("sum-1", False),
        ("sum-2", False),
        ("sum-3", False),
    ]
    first = log.items[0]
    assert first.meta == {"question": "What is 0 + 0?", "gold": "0"}
    assert (first.answer, first.samples[0].text, first.tokens) == ("0", "The answer is 0", 15)
    assert (log.source.model, log.source.task, log.metric) == ("mockllm/base", "sums", "match")
    assert log.source.finished


def test_epochs_of_inspect_are_samples_of_one_item() -> None:
    log = read_json_log(FILES / "inspect_twice.json")

    assert [item.correct for item in log.items] == [0.5, 0.0, 0.0, 0.0]
    assert [sample.answer for sample in log.items[0].samples] == ["0", "4"]


def test_of_several_scores_the_named_one_is_read_and_the_others_are_told() -> None:
    path = FILES / "inspect_two_scorers.eval"

    assert (read_eval_log(path).metric, read_eval_log(path).others) == ("match", ("includes",))
    assert read_eval_log(path, ["exact", "includes"]).metric == "includes"
    with pytest.raises(UsageError, match="has no score exact") as raised:
        read_eval_log(path, ["exact"])
    assert "match, includes" in raised.value.do


def test_samples_of_lm_eval_are_read_by_one_filter() -> None:
    path = lm_eval_file("base", "sums")
    strict, flexible = read_samples(path), read_samples(path, ["flexible-extract"])

    assert [item.correct for item in strict.items] == [True, False, False, False]
    assert [item.correct for item in flexible.items] == [True, False, True, False]
    assert (strict.metric, strict.others) == ("exact_match,strict-match", ("exact_match,flexible-extract",))
    assert [item.answer for item in strict.items][:3] == ["0", "3", "[invalid]"]
    assert [item.meta["question"] for item in strict.items] == QUESTIONS
    assert (strict.source.model, strict.source.task) == ("local/base", "sums")


def test_choices_of_lm_eval_are_read() -> None:
    log = read_samples(lm_eval_file("tuned", "sums_choice"))

    assert [item.correct for item in log.items] == [True, True, True, False]
    assert (log.metric, log.others) == ("acc,none", ("acc_norm,none",))


def test_details_of_lighteval_are_read() -> None:
    log = read_details(lighteval_file("tuned"))

    assert [item.correct for item in log.items] == [True, True, True, False]
    assert log.items[1].meta == {"question": "What is 1 + 1?", "gold": "2"}
    assert (log.items[1].samples[0].text, log.items[1].tokens) == ("The answer is 2", 4)
    assert (log.source.model, log.source.task) == ("local/tuned", "sums|0")
    assert (log.metric, log.others) == ("em", ())  # `words`, a count, is no share


def test_what_has_no_grade_is_left_out_and_named() -> None:
    answers = [Answer("a", {"m": Score("C")}), Answer("b", {"m": Score(None)}), Answer("c", {})]

    log = to_log(Source(Path("x"), "tool", "", "model", "task"), answers)

    assert ([item.id for item in log.items], log.unscored) == (["a"], ("b", "c"))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], "holds no answer"),
        ([Answer("a", {})], "no answer is scored"),
        ([Answer("a", {"bleu": Score(31.5)})], "its scores are bleu"),
        ([Answer("a", {"m": Score(True)}), Answer("a", {"m": Score(True)})], "two answers to a"),
    ],
)
def test_what_cannot_be_compared_is_told(answers: list[Answer], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        to_log(Source(Path("x"), "tool", "", "model", "task"), answers)


# ---- what is no log --------------------------------------------------------------------------------------------------


def test_a_cut_off_or_changed_log_is_told(tmp_path: Path) -> None:
    whole = (FILES / "inspect_base.eval").read_bytes()
    changed = bytearray(whole)
    changed[whole.index(b"samples/") + 80] ^= 0xFF
    for number, data in enumerate((whole[:5000], b"", b"PK\x03\x04", bytes(changed))):
        path = tmp_path / f"{number}.eval"
        path.write_bytes(data)
        with pytest.raises(UsageError, match=str(path)):
            read_eval_log(path)


def test_a_log_that_was_not_finished_has_the_samples_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "running.eval"
    head = {"eval": {"task": "sums", "model": "m"}}
    sample = {"id": 1, "epoch": 1, "input": [{"role": "user", "content": "?"}], "scores": {"match": {"value": "C"}}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("_journal/start.json", json.dumps(head))
        file.writestr("samples/1_epoch_1.json", json.dumps(sample))

    log = read_eval_log(path)

    assert [(item.id, item.correct, item.meta["question"]) for item in log.items] == [("1", True, "?")]
    assert not log.source.finished


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_that_unpacks_to_too_much_is_not_read(tmp_path: Path, method: int) -> None:
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("header.json", b" " * 10_000 + b"{}")

    with Zip(path, largest_part=10_002) as opened:
        assert opened.json("header.json") == {}
    for bounds in ((10_001, 10**9), (10**9, 10_001)):
        with pytest.raises(UsageError, match="unpacks to more than 10,001 bytes"), Zip(path, *bounds) as opened:
            opened.json("header.json")


def test_a_zstandard_member_is_bounded_as_it_is_unpacked() -> None:
    path = FILES / "inspect_base.eval"
    assert {info.compress_type for info in zipfile.ZipFile(path).infolist()} == {93}

    first = zipfile.ZipFile(path).infolist()[0]
    for most in (first.compress_size - 1, first.compress_size, first.file_size - 1):
        with pytest.raises(UsageError, match="unpacks to more"), Zip(path, largest_part=most) as opened:
            opened.json(first.filename)
    with Zip(path, largest_part=first.file_size) as opened:
        assert opened.json(first.filename)


def test_a_log_nested_beyond_reading_is_told(tmp_path: Path) -> None:
    path = tmp_path / "deep.eval"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("header.json", "[" * 200_000)

    with pytest.raises(UsageError, match=r"header\.json"):
        read_eval_log(path)


def test_a_line_that_is_too_long_or_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "samples_x.jsonl"
    path.write_text('{"doc_id": 0}\n' + "x" * 100 + "\n")

    with pytest.raises(UsageError, match="line 2"):
        list(json_lines(path))
    with pytest.raises(UsageError, match="line 1: more than 5 bytes"):
        list(json_lines(path, most=5))


def test_a_parquet_file_of_something_else_is_told(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    path = tmp_path / "details_x.parquet"
    write_table(pyarrow.table({"question": ["?"]}), path)
    with pytest.raises(UsageError, match="no column doc, metric, model_response; it has question"):
        read_details(path)
    path.write_bytes(io.BytesIO(b"PAR1").getvalue())
    with pytest.raises(UsageError, match="details_x"):
        read_details(path)
