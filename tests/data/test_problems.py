"""Files, data sets and the classroom become problems; bad input is named by file, place and field."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.data.problems import Fingerprints, Problems, fingerprint, normalised
from errata.data.source import Mapping, ProblemSource
from errata.errors import UsageError
from errata.records import Problem

PLAIN = Mapping(question="question", answer="answer", kind="number")
ROWS = [{"question": f"What is {n} + 1?", "answer": n + 1, "id": f"q{n}", "level": n % 2} for n in range(6)]


def lines(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def read(source: str, mapping: Mapping | str | None = PLAIN, limit: int | None = None, **more: Any) -> list[Problem]:
    return list(Problems(ProblemSource(source=source, mapping=mapping, **more), limit))


def refusal(source: str, mapping: Mapping | str | None = PLAIN, **more: Any) -> str:
    with pytest.raises(UsageError) as caught:
        read(source, mapping, **more)
    assert caught.value.exit_code == 2
    assert caught.value.do
    return str(caught.value)


# ---- formats ---------------------------------------------------------------------------------------------------------


def _as_jsonl(folder: Path) -> str:
    return lines(folder / "set.jsonl", ROWS)


def _as_lines_named_json(folder: Path) -> str:
    return lines(folder / "set.json", ROWS)


def _as_array(folder: Path) -> str:
    (folder / "set.json").write_text(json.dumps(ROWS, indent=2), encoding="utf-8")
    return str(folder / "set.json")


def _as_object(folder: Path) -> str:
    (folder / "set.json").write_text(json.dumps({"canary": "x", "tags": ["y"], "examples": ROWS}), encoding="utf-8")
    return str(folder / "set.json")


def _as_bom(folder: Path) -> str:
    (folder / "set.json").write_text("\ufeff" + json.dumps(ROWS), encoding="utf-8")
    return str(folder / "set.json")


def _as_parquet(folder: Path) -> str:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(ROWS), folder / "set.parquet", row_group_size=2)
    return str(folder / "set.parquet")


def _as_saved_set(folder: Path) -> str:
    import datasets

    datasets.Dataset.from_list(ROWS).save_to_disk(str(folder / "set"))
    return str(folder / "set")


def _as_saved_splits(folder: Path) -> str:
    import datasets

    both = {"train": datasets.Dataset.from_list(ROWS), "test": datasets.Dataset.from_list(ROWS[:1])}
    datasets.DatasetDict(both).save_to_disk(str(folder / "set"))
    return str(folder / "set")


def _as_folder_of_parquet(folder: Path) -> str:
    (folder / "set").mkdir()
    _as_parquet(folder / "set")
    (folder / "set" / "set.parquet").rename(folder / "set" / "train-00000-of-00001.parquet")
    return str(folder / "set")


def _as_folder_of_json(folder: Path) -> str:
    (folder / "set").mkdir()
    lines(folder / "set" / "train.jsonl", ROWS)
    return str(folder / "set")


FORMATS = [
    _as_jsonl, _as_lines_named_json, _as_array, _as_object, _as_bom, _as_parquet,
    _as_saved_set, _as_saved_splits, _as_folder_of_parquet, _as_folder_of_json,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_problems(tmp_path: Path, form: Any) -> None:
    found = read(form(tmp_path))

    assert [problem.question for problem in found] == [row["question"] for row in ROWS]
    assert [problem.answer for problem in found] == ["1", "2", "3", "4", "5", "6"]
    assert [problem.position for problem in found] == list(range(6))
    assert len({problem.id for problem in found}) == 6
    assert {problem.task for problem in found} == {"set"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_splits_of_a_saved_data_set(tmp_path: Path) -> None:
    path = _as_saved_splits(tmp_path)
    assert len(read(path, split="test")) == 1
    assert {problem.split for problem in read(path)} == {"train"}
    assert "its splits are train, test" in refusal(path, split="dev")


def test_logiqa_blocks(tmp_path: Path) -> None:
    block = ["", "b", "Ada is older than Ben.", "Who is younger?", "A.Ada", "B.Ben", "C.Both", "D.None"]
    columns = ["", "b", "Ada is older.", "Who is not?", "A.Ada", "C.Both", "B.Ben", "D.None"]
    (tmp_path / "Test.txt").write_text("\n".join(block + columns) + "\n")

    found = read(str(tmp_path / "Test.txt"), "logiqa")

    assert found[0].question == "Ada is older than Ben.\nWho is younger?"
    assert [problem.choices for problem in found] == [("Ada", "Ben", "Both", "None")] * 2
    assert [problem.answer for problem in found] == ["B", "B"]
    (tmp_path / "torn.txt").write_text("\n".join(block + columns[:5]))
    assert "lines 9 to 13: no block" in refusal(str(tmp_path / "torn.txt"), "logiqa")


def test_several_files_by_pattern(tmp_path: Path) -> None:
    lines(tmp_path / "b.jsonl", ROWS[3:])
    lines(tmp_path / "a.jsonl", ROWS[:3])
    found = read(str(tmp_path / "*.jsonl"), task="sums")
    assert [problem.question for problem in found] == [row["question"] for row in ROWS]
    assert [problem.position for problem in found] == list(range(6))
    assert "no such file" in refusal(str(tmp_path / "*.nothing"))


def test_classroom() -> None:
    found = list(Problems(ProblemSource(source="classroom", options={"count": 5}), 3))
    assert [problem.position for problem in found] == [0, 1, 2]
    assert {problem.split for problem in Problems(ProblemSource(source="classroom", split="id"), 4)} == {"id"}
    assert "count" in refusal("classroom", None, options={"cuont": 5})


# ---- mappings of one's own -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "mapping", "wanted"),
    [
        (
            {"Body": "Ann has 3 pens ", "Question": " How many? ", "n": 3.0},
            {"question": "{Body} {Question}", "answer": "n", "kind": "number"},
            {"question": "Ann has 3 pens How many?", "answer": "3"},
        ),
        (
            {"data": {"q": "Q: What?"}, "gold": ["1,234"]},
            {"question": "data.q", "answer": "gold.0", "kind": "number", "prefix": "Q:"},
            {"question": "What?", "answer": "1234"},
        ),
        (
            {"q": "?", "choices": {"label": ["1", "2"], "text": ["x", "y"]}, "key": "2"},
            {"question": "q", "answer": "key", "kind": "choice", "choices": "choices"},
            {"answer": "B", "choices": ("x", "y")},
        ),
        (
            {"q": "?", "choices": ["(A) x", "(B) y"], "key": 0},
            {"question": "q", "answer": "key", "kind": "choice", "choices": "choices"},
            {"answer": "A", "choices": ("x", "y")},
        ),
        (
            {"q": "?", "choices": ["left", "right"], "key": "right"},
            {"question": "q", "answer": "key", "kind": "choice", "choices": "choices"},
            {"answer": "B"},
        ),
        ({"q": "(A) x (B) y", "key": "(b)"}, {"question": "q", "answer": "key", "kind": "choice"}, {"answer": "B"}),
        ({"q": "?", "a": True}, {"question": "q", "answer": "a", "kind": "boolean"}, {"answer": "yes"}),
        (
            {"q": "?", "a": r"So $\boxed{\frac{1}{2}}$."},
            {"question": "q", "answer": "a", "kind": "latex", "rationale": "a"},
            {"answer": r"\frac{1}{2}", "rationale": r"So $\boxed{\frac{1}{2}}$."},
        ),
        ({"q": "?", "a": "2 + 2\n#### 4"}, {"question": "q", "answer": "a", "kind": "number"}, {"answer": "4"}),
        (
            {"q": "?", "a": "x", "i": 7, "s": "dev", "m": {"k": [1]}},
            {"question": "q", "answer": "a", "kind": "string", "id": "i", "split": "s", "meta": ["m.k"]},
            {"id": "set:7", "split": "dev", "meta": {"m.k": [1]}},
        ),
    ],
)
def test_own_mapping(tmp_path: Path, row: dict[str, Any], mapping: dict[str, Any], wanted: dict[str, Any]) -> None:
    (problem,) = read(lines(tmp_path / "set.jsonl", [row]), Mapping(**mapping))
    assert {key: getattr(problem, key) for key in wanted} == wanted


def test_missing_and_unknown_mappings_list_the_ready_ones(tmp_path: Path) -> None:
    path = lines(tmp_path / "set.jsonl", ROWS)
    assert "gsm8k, svamp, multiarith" in refusal(path, None)
    assert "did you mean gsm8k?" in refusal(path, "gsmk8")
    assert "navigate" in refusal(path, "bbh")


# ---- bad input -------------------------------------------------------------------------------------------------------

GOOD = '{"question": "What is 1 + 1?", "answer": 2}'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no problem"),
        ("\n \n", "holds no problem"),
        (f'{GOOD}\n{{"question": "x", "ans', "line 2: not JSON"),
        (f"{GOOD}\nprose\n", "line 2: not JSON"),
        (f"{GOOD}\n[1, 2]\n", "line 2: [1, 2]"),
        (f'{GOOD}\n{{"question": "x"}}\n', "line 2, field answer: it is missing"),
        (f'{GOOD}\n{{"qestion": "x", "answer": 1}}\n', "did you mean qestion?"),
        (f'{GOOD}\n{{"question": "x", "answer": null}}\n', "line 2, field answer: it is empty"),
        (f'{GOOD}\n{{"question": "x", "answer": " "}}\n', "line 2, field answer: it is empty"),
        (f'{GOOD}\n{{"question": "x", "answer": [1]}}\n', "line 2, field answer: it is [1]"),
        (f'{GOOD}\n{{"question": "x", "answer": true}}\n', "line 2, field answer: it is True"),
        (f'{GOOD}\n{{"question": "x", "answer": NaN}}\n', "line 2, field answer: it is nan"),
        (f'{GOOD}\n{{"question": "x", "answer": "none"}}\n', "a number is expected"),
        (f'{GOOD}\n{{"question": 5, "answer": 1}}\n', "line 2, field question: it is 5"),
        (f'{GOOD}\n{{"question": "", "answer": 1}}\n', "line 2, field question: it is empty"),
        (f'{GOOD}\n{{"question": "\\ud800", "answer": 1}}\n', "line 2, field question"),
        (
            f'{GOOD}\n{{"question": "What is 1 + 1?", "answer": 3}}\n',
            "line 2, field question: another record has the id",
        ),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_bad_record_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "set.jsonl").write_text(text, encoding="utf-8")
    message = refusal(str(tmp_path / "set.jsonl"))
    assert told in message, message
    assert "set.jsonl" in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no problem"),
        ("[]", "holds no problem"),
        ('[{"question": ', "not JSON"),
        ('{"a": 1}', "holds no list of records"),
        ('{"a": [{}], "b": [{}]}', "lists of records under a, b"),
        ('"text"', "no list of records"),
        (f"[{GOOD}, 3]", "record 2: 3"),
        (f'[{GOOD}, {{"question": "x"}}]', "record 2, field answer: it is missing"),
    ],
)
def test_bad_json_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "set.json").write_text(text, encoding="utf-8")
    assert told in refusal(str(tmp_path / "set.json"))


def test_bad_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such file" in refusal(str(tmp_path / "none.jsonl"))
    assert "no such file" in refusal("a\0b.jsonl")
    monkeypatch.delenv("ERRATA_DATA", raising=False)
    assert "set ERRATA_DATA" in refusal("${ERRATA_DATA:-nowhere}/gsm8k/train.jsonl", "gsm8k")
    (tmp_path / "set.xlsx").write_text("question,answer\n")
    assert "files of type .xlsx are not read" in refusal(str(tmp_path / "set.xlsx"))
    (tmp_path / "latin.jsonl").write_bytes(GOOD.encode() + b'\n{"question": "caf\xe9", "answer": 1}\n')
    assert "line 2: byte 18 of it is not UTF-8" in refusal(str(tmp_path / "latin.jsonl"))
    (tmp_path / "set.parquet").write_bytes(b"PAR1 no more")
    assert "set.parquet" in refusal(str(tmp_path / "set.parquet"))
    (tmp_path / "empty").mkdir()
    assert "neither a file nor a data set folder" in refusal(str(tmp_path / "empty"))


def test_a_missing_file_is_not_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert "data/gsm8k: no such file" in refusal("data/gsm8k", "gsm8k")


def test_an_unreachable_data_set_is_named() -> None:
    code = "from tests.data.test_problems import refusal; print(refusal('owner/none', 'gsm8k'))"
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=offline, capture_output=True, text=True, check=True)
    assert "owner/none" in done.stdout
    assert "HF_HUB_OFFLINE=1 to read the cache" in done.stdout


def test_options_are_for_the_classroom(tmp_path: Path) -> None:
    assert "remove problems.options" in refusal(lines(tmp_path / "set.jsonl", ROWS), options={"count": 3})


@given(data=st.binary(max_size=80) | st.text(alphabet='{}[]":,\\ \nquestionaw012null', max_size=80).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_problems_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("set.jsonl", "set.json", "set.txt", "set.parquet"):
        (folder / name).write_bytes(data)
        with pytest.raises(UsageError):  # none of these bytes happens to be a problem
            read(str(folder / name), "logiqa" if name == "set.txt" else PLAIN)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("qab"), inner, max_size=3),
    max_leaves=8,
)


@given(record=st.dictionaries(st.sampled_from(["question", "answer", "choices", "id"]), _json, max_size=4))
@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("kind", ["number", "latex", "choice", "boolean", "string"])
def test_any_record_is_a_problem_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: Any, record: dict[str, Any]
) -> None:
    path = lines(tmp_path_factory.mktemp("any") / "set.jsonl", [record])
    mapping = Mapping(question="question", answer="answer", kind=kind, id="id", choices="choices")
    try:
        (problem,) = read(path, mapping)
    except UsageError:
        return
    assert problem.answer
    assert Problem.model_validate_json(problem.model_dump_json()) == problem


# ---- which problems --------------------------------------------------------------------------------------------------


def test_duplicates_are_left_out_and_told(tmp_path: Path) -> None:
    problems = Problems(ProblemSource(source=lines(tmp_path / "s.jsonl", [*ROWS, *ROWS[:5], ROWS[0]]), mapping=PLAIN))

    for _ in range(2):  # counts are of the latest iteration
        assert [problem.position for problem in problems] == list(range(6))
        assert problems.duplicates == 6
    (note,) = problems.notes()
    assert note.startswith("6 duplicates, left out")
    assert note.endswith("(s.jsonl, line 7, s.jsonl, line 8, s.jsonl, line 9, ...)")


def test_same_question_under_another_id_is_kept_and_told(tmp_path: Path) -> None:
    rows = [*ROWS, {**ROWS[2], "id": "again", "question": "what is  2 + 1"}]
    problems = Problems(
        ProblemSource(source=lines(tmp_path / "s.jsonl", rows), mapping=PLAIN.model_copy(update={"id": "id"}))
    )
    assert [problem.id for problem in problems][-1] == "s:again"
    assert (problems.duplicates, problems.repeated) == (0, 1)
    assert "line 7" in problems.notes()[0]


def test_one_id_for_two_questions_is_refused(tmp_path: Path) -> None:
    rows = [*ROWS, {"question": "other", "answer": 1, "id": "q2"}]
    message = refusal(lines(tmp_path / "s.jsonl", rows), PLAIN.model_copy(update={"id": "id"}))
    assert "line 7, field id: another record has the id s:q2" in message


def test_limit_changes_no_position(tmp_path: Path) -> None:
    path = lines(tmp_path / "s.jsonl", [ROWS[0], ROWS[0], *ROWS[1:]])
    assert read(path, limit=3) == read(path)[:3]
    assert len(read(path, limit=100)) == 6


def test_a_limit_that_is_not_reached_is_noted(tmp_path: Path) -> None:
    source = ProblemSource(source=lines(tmp_path / "p.jsonl", ROWS), mapping=PLAIN)
    for limit, noted in ((100, [f"limit is 100, and {source.source} gives 6 problems"]), (6, []), (3, []), (None, [])):
        problems = Problems(source, limit)
        assert problems.notes() == []
        list(problems)
        assert problems.notes() == noted
    begun = Problems(source, 100)
    next(iter(begun))
    assert begun.notes() == []


def test_where_and_split(tmp_path: Path) -> None:
    rows = [{**row, "fold": "train" if n < 4 else "test"} for n, row in enumerate(ROWS)]
    path = lines(tmp_path / "s.jsonl", [*rows, {"level": 9}])
    folded = PLAIN.model_copy(update={"split": "fold"})
    found = read(path, folded, split="train", where={"level": 1})
    assert [problem.answer for problem in found] == ["2", "4"]
    assert "that passes split, where" in refusal(path, folded, split="dev", where={"level": 1})
    assert "field levle: it is missing" in refusal(path, folded, where={"levle": 1})
    assert "field split: it is not known" in refusal(path, PLAIN, split="train", where={"level": 1})


def test_split_is_read_off_the_files_name(tmp_path: Path) -> None:
    assert {problem.split for problem in read(lines(tmp_path / "train_rand.jsonl", ROWS))} == {"train"}
    assert "holds no problem that passes split" in refusal(lines(tmp_path / "test.jsonl", ROWS), split="train")
    assert {problem.split for problem in read(lines(tmp_path / "train_or_test.jsonl", ROWS))} == {None}


def test_excluded_questions_are_left_out_and_counted(tmp_path: Path) -> None:
    held_out = [{"question": "what is 1 + 1", "answer": 2}, {"question": " What  is 4 + 1 ?", "answer": 5}]
    other = ProblemSource(source=lines(tmp_path / "held.jsonl", held_out), mapping=PLAIN)
    source = ProblemSource(source=lines(tmp_path / "s.jsonl", ROWS), mapping=PLAIN, exclude=(other,))
    problems = Problems(source)
    assert [problem.answer for problem in problems] == ["1", "3", "4", "6"]
    assert [problem.position for problem in problems] == [0, 1, 2, 3]
    assert problems.excluded == 2


def test_same_question_with_other_options_is_another_problem(tmp_path: Path) -> None:
    mapping = Mapping(question="q", answer="a", kind="choice", choices="c")
    rows = [{"q": "Which?", "a": "A", "c": [f"x{n}", "y"]} for n in range(3)]
    path = lines(tmp_path / "s.jsonl", rows)
    assert len({problem.id for problem in read(path, mapping)}) == 3
    turned = ProblemSource(
        source=lines(tmp_path / "t.jsonl", [{"q": "which", "a": "A", "c": ["Y", "x1."]}]), mapping=mapping
    )
    assert len(read(path, mapping, exclude=(turned,))) == 2


def test_ids_are_data_not_paths(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "id": "../../etc/passwd"}, {**ROWS[1], "id": 7}]
    found = read(lines(tmp_path / "s.jsonl", rows), PLAIN.model_copy(update={"id": "id"}))
    assert [problem.id for problem in found] == ["s:../../etc/passwd", "s:7"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("How many, then?", "how many then", True),
        ("How  many\nthen", "How many then", True),
        ("“Quoted” it’s", "Quoted it s", True),
        ("Is 3.5 more?", "Is 35 more?", False),
        ("Is x+y 3?", "Is x-y 3?", False),
        ("Is 1,000 more?", "is 1,000 more", True),
        ("It is 5. How many?", "it is 5 how many", True),
    ],
)
def test_normalised(one: str, other: str, same: bool) -> None:
    assert (normalised(one) == normalised(other)) is same


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_fingerprints_behave_as_a_dict() -> None:
    table, twin = Fingerprints(), dict[int, int]()
    draw = random.Random(3)
    for _ in range(20_000):
        key, value = draw.choice([draw.getrandbits(64) or 1, draw.randrange(1, 3000) * 64]), draw.getrandbits(64)
        assert table.get(key) == twin.get(key)
        assert table.add(key, value) == twin.get(key)
        twin.setdefault(key, value)
    assert len(table) == len(twin)
    assert fingerprint("") != 0


def test_memory_for_each_problem_is_bounded(tmp_path: Path) -> None:
    count = 8_000
    rows = ({"question": f"What is {n} + 1?", "answer": n, "id": n} for n in range(count))
    path = lines(tmp_path / "set.jsonl", list(rows))
    mapping = PLAIN.model_copy(update={"id": "id"})

    def peak(limit: int) -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in Problems(ProblemSource(source=path, mapping=mapping), limit)) == limit
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert (peak(count) - peak(10)) / count < 90


# ---- tables, golds and bad records -----------------------------------------------------------------------------------

CSV = 'question,A,B,C,answer\n"Which, then?",red,"blue, dark",,B\nWho?,Ann,Ben,"Cy ""C""",a\n'
COLUMNS = Mapping(question="question", answer="answer", kind="choice", choices=("A", "B", "C"))


@pytest.mark.parametrize(("suffix", "text"), [("csv", CSV), ("csv", "\ufeff" + CSV), ("tsv", None)])
def test_tables_with_options_in_columns(tmp_path: Path, suffix: str, text: str | None) -> None:
    if text is None:
        text = 'question\tA\tB\tC\tanswer\nWhich, then?\tred\tblue, dark\t\tB\nWho?\tAnn\tBen\t"Cy ""C"""\ta\n'
    (tmp_path / f"set.{suffix}").write_text(text, encoding="utf-8")

    found = read(str(tmp_path / f"set.{suffix}"), COLUMNS)

    assert [problem.question for problem in found] == ["Which, then?", "Who?"]
    assert [problem.choices for problem in found] == [("red", "blue, dark"), ("Ann", "Ben", 'Cy "C"')]
    assert [problem.answer for problem in found] == ["B", "A"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("question,question\nx,1\n", "line 1: its columns are question, question"),
        ("question,\nx,1\n", "line 1: its columns are question, "),
        ("question,answer\nx,1,2\n", "line 2: 3 cells for 2 columns"),
        ('question,answer\n"x,1\n', "line 2: unexpected end of data"),
        ("question,answer\nx,none\n", "line 2, field answer"),
        ("question,answer\n", "holds no problem"),
        ("", "holds no problem"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "set.csv").write_text(text)
    assert told in refusal(str(tmp_path / "set.csv"))


@pytest.mark.parametrize(
    ("gold", "kind"),
    [
        ("5:6", "ratio"),
        ("11; 12; 13", "list"),
        ("-(1/3)", "latex"),
        ("[0, 5)", "interval"),
        ("x > 2", "interval"),
        ("3 or 4", "string"),
        ("2x + 1", "string"),
        ("none", "string"),
        (r"\sqrt{2}", "latex"),
    ],
)
def test_a_gold_that_is_no_number_is_refused_with_the_kind_that_would_do(tmp_path: Path, gold: str, kind: str) -> None:
    message = refusal(lines(tmp_path / "set.jsonl", [{"question": "x", "answer": gold}]))
    assert "a number is expected" in message
    assert f"kind to {kind}?" in message


@pytest.mark.parametrize(
    "gold",
    ["5", "-3.5", "1,080", "$1,080.50", "25%", "25 percent", "1/3", "2 1/2", "5 km", "3e4", "18 dollars per day"],
)
def test_golds_that_are_numbers(tmp_path: Path, gold: str) -> None:
    (problem,) = read(lines(tmp_path / "set.jsonl", [{"question": "x", "answer": gold}]))
    assert problem.answer.replace(",", "") == gold.replace(",", "")


@pytest.mark.parametrize(
    ("record", "mapping", "wanted"),
    [
        ({"a": 8, "more": ["9", 10, 8]}, {"kind": "number", "answers": "more"}, ("8", ("9", "10"))),
        (
            {"a": "A", "more": ["C"], "c": ["x", "y", "z"]},
            {"kind": "choice", "answers": "more", "choices": "c"},
            ("A", ("C",)),
        ),
        ({"a": [3, 1]}, {"kind": "list"}, ("3; 1", ())),
        ({"a": "A, C", "c": ["x", "y", "z"]}, {"kind": "set", "choices": "c"}, ("A; C", ())),
        ({"a": ["x", "z"], "c": ["x", "y", "z"]}, {"kind": "set", "choices": "c"}, ("A; C", ())),
        ({"a": [5, 6]}, {"kind": "ratio"}, ("5:6", ())),
        ({"a": "x > 2"}, {"kind": "interval"}, ("x > 2", ())),
    ],
)  # fmt: skip
def test_golds_of_several_parts(tmp_path: Path, record: dict[str, Any], mapping: dict[str, Any], wanted: Any) -> None:
    path = lines(tmp_path / "set.jsonl", [{"q": "?", **record}])
    (problem,) = read(path, Mapping(question="q", answer="a", **mapping))
    assert (problem.answer, problem.answers) == wanted


@pytest.mark.parametrize(
    ("gold", "kind", "told"),
    [("5 and 6", "ratio", "of kind ratio"), ("much", "interval", "of kind interval"), ([], "list", "it is []")],
)
def test_golds_that_their_kind_cannot_hold_are_refused(tmp_path: Path, gold: Any, kind: Any, told: str) -> None:
    path = lines(tmp_path / "set.jsonl", [{"q": "?", "a": gold}])
    assert told in refusal(path, Mapping(question="q", answer="a", kind=kind))


def test_bad_records_are_skipped_counted_and_listed_where_asked(tmp_path: Path) -> None:
    clash = '{"question": "What is 0 + 1?", "answer": 7}\n'
    bad = '{"question": "x"}\nprose\n[1]\n{"question": "y", "answer": "5:6"}\n' + clash
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS) + bad)
    problems = Problems(ProblemSource(source=str(path), mapping=PLAIN, on_bad_record="skip"))

    assert [problem.answer for problem in problems] == ["1", "2", "3", "4", "5", "6"]
    assert problems.skipped == 5
    (note,) = problems.notes()
    assert note.startswith("5 skipped, left out: the record is no problem")
    assert "set.jsonl, line 7: field answer: it is missing" in note
    assert "line 8: not JSON" in note
    with pytest.raises(UsageError, match="line 7"):
        list(Problems(ProblemSource(source=str(path), mapping=PLAIN)))


# ---- without gold answers --------------------------------------------------------------------------------------------

SOME = '{"question": "a?", "answer": "7"}\n{"question": "b?", "answer": " "}\n{"question": "c?"}\n'


def test_records_without_an_answer_are_problems_where_some_may_lack_one(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(SOME)
    problems = Problems(ProblemSource(source=str(path), mapping=PLAIN, gold="some"))

    assert [(problem.answer, problem.kind) for problem in problems] == [
        ("7", "number"), (None, "number"), (None, "number")
    ]  # fmt: skip
    (note,) = problems.notes()
    assert note.startswith(
        "2 without_gold, kept: there is no gold answer, so verdicts are estimated (set.jsonl, line 2"
    )
    assert [problem.answer for problem in read(str(path), on_bad_record="skip")] == ["7"]
    assert "set problems.gold: some" in refusal(str(path), where={"question": "b?"})


def test_a_source_without_gold_reads_neither_answers_nor_solutions(tmp_path: Path) -> None:
    path = lines(tmp_path / "gsm8k.jsonl", [{"question": "a?", "answer": "So 3 + 4 = 7.\n#### 7"}])
    own = Mapping(question="question", answer="gone", answers="gone", rationale="answer", kind="number")

    for mapping in (own, "gsm8k", Mapping(question="question", kind="number")):
        (problem,) = read(path, mapping, gold="none")
        assert (problem.answer, problem.answers, problem.rationale) == (None, (), None)
    (problem,) = read("classroom", None, limit=1, gold="none")
    (known,) = read("classroom", None, limit=1)
    assert problem == known.model_copy(update={"answer": None, "rationale": None})


def test_a_mapping_without_an_answer_is_refused_where_gold_answers_are_expected(tmp_path: Path) -> None:
    path = lines(tmp_path / "set.jsonl", ROWS)
    for gold in ("all", "some"):
        assert "set problems.gold: none" in refusal(path, Mapping(question="question", kind="number"), gold=gold)
