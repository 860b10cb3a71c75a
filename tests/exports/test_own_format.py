"""A format in a file of one's own: by the command, from Python, and what is said of it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from errata.cli import cli
from errata.errors import UsageError
from errata.exports.formats import FORMATS, check_columns, format_of
from errata.exports.sequences import SourceRow
from errata.exports.write import export
from errata.graphs.pipeline import STAGES
from errata.runs.runner import synthesize
from tests.own_parts.my_format import FORMAT
from tests.small_runs import lines, rows_of, small

FILE = Path(__file__).parents[1] / "own_parts" / "my_format.py"
OWN = f"{FILE}:FORMAT"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs"), problems=6))).run


def command(run: Path, out: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["export", str(run), "--out", str(out), *words])


def test_the_command_writes_it_under_its_own_name(run: Path, tmp_path: Path) -> None:
    done = command(run, tmp_path / "x.jsonl", "--format", OWN, "--json")

    assert done.exit_code == 0, done.output
    figures = orjson.loads(done.stdout)
    rows = rows_of(tmp_path / "x.jsonl")
    assert (figures["format"], figures["rows"]) == ("alpaca", len(rows))
    by_problem = {line["problem"]["id"]: line for line in lines(run)}
    assert rows
    for row in rows:
        right = [
            each["text"]
            for each in by_problem[row["meta"]["problem_id"]]["rationales"]
            if each["correct"] and not each["dropped"] and each["role"] in ("teacher", "revised", "rectified")
            if each["accepted"] or (each["accepted"] is None and not each["saw_answer"])
        ]
        assert len(row["output"]) == min(map(len, right))
    sha = hashlib.sha256(FILE.read_bytes()).hexdigest()[:16]
    assert done.stderr.startswith(f"own code: alpaca from {FILE} (sha256 {sha})")
    card = (tmp_path / "x.md").read_text()
    assert f"{len(rows)} rows of format `alpaca`" in card
    assert f"`{FILE}`, sha256 {sha}" in card


def test_a_value_writes_what_the_command_writes(run: Path, tmp_path: Path) -> None:
    assert command(run, tmp_path / "x.jsonl", "--format", OWN).exit_code == 0

    assert export([run], FORMAT, tmp_path / "y.jsonl").out.read_bytes() == (tmp_path / "x.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--format", f"{FILE}:FROMAT"], "did you mean FORMAT?"),
        (["--format", f"{FILE}:NOT_A_FORMAT"], "a format is a value of errata.Format"),
        (["--format", "sftt"], "did you mean sft?"),
        (["--format", OWN, "--grader-only"], "it would change no row"),
        (["--format", "sft", "--roles", "teachr"], "did you mean teacher?"),
        (["--format", "sft", "--roles", "zzz"], "the roles are student, teacher"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(words: list[str], text: str, run: Path, tmp_path: Path) -> None:
    done = command(run, tmp_path / "x.jsonl", *words)

    assert done.exit_code == 2
    assert text in done.output
    assert not (tmp_path / "x.jsonl").exists()


def test_rows_without_their_source_are_refused(run: Path, tmp_path: Path) -> None:
    bare = replace(FORMAT, rows=lambda view: [{"instruction": view.prompt, "output": "7"}])

    with pytest.raises(UsageError, match="add meta=row_meta"):
        export([run], bare, tmp_path / "x.jsonl")


# ---- what is trained on ----------------------------------------------------------------------------------------------


def test_names_are_those_of_one_format_each() -> None:
    assert len({each.name for each in FORMATS}) == len(FORMATS) == 12


@pytest.mark.parametrize("name", [each.name for each in FORMATS if each.sequences])
def test_every_row_becomes_labeled_sequences(name: str, run: Path, tmp_path: Path) -> None:
    form, kinds = format_of(name), set()
    for row in rows_of(export([run], form, tmp_path / "x.jsonl").out):
        assert form.sequences is not None
        check_columns("here", row, form, stated=False) if name not in ("edit", "dpo", "ranker") else None
        sequences = [*form.sequences(SourceRow("here", row, "Be brief."))]
        texts = [row.get(column) for column in ("completion", "chosen", "rejected")] + row.get("completions", [])
        texts += [row["messages"][-1]["content"]] if "messages" in row else []
        assert [one.text for one in sequences] == [text for text in texts if text]
        assert all(one.prompt[-1].content == row.get("prompt", one.prompt[-1].content) for one in sequences)
        kinds |= {one.kind for one in sequences}
    wanted: dict[str, Any] = {"mapd": {"right", "mistake"}, "nat": {"right", "wrong"}, "kto": {"right", "wrong"}}
    wanted |= {key: {"chosen", "rejected"} for key in ("edit", "dpo", "ranker")}
    assert kinds == wanted.get(name, {"right"})


@pytest.mark.parametrize(
    ("columns", "name", "stated", "other"),
    [
        (("prompt", "completion"), "sft", False, None),
        (("prompt", "completion", "source"), "sft", False, None),
        (("task", "prompt", "completion"), "sft", False, "mapd"),
        (("task", "prompt", "completion"), "sft", True, None),
        (("prompt", "completion", "label"), "sft", False, "nat"),
        (("prompt", "completion", "privileged_context"), "sft", False, "privileged"),
        (("prompt", "completion"), "mapd", False, "sft"),
        (("prompt", "chosen", "rejected"), "edit", False, None),
        (("prompt", "chosen", "rejected"), "sft", False, "edit"),
        (("prompt", "completions", "answer"), "sft", True, "mcc-kd"),
        (("messages",), "sft", False, "messages"),
        (("prompt",), "sft", False, None),
    ],
)
def test_columns_of_another_format_are_refused_with_its_name(
    columns: tuple[str, ...], name: str, stated: bool, other: str | None
) -> None:
    if other is None:
        check_columns("here", columns, format_of(name), stated=stated)
        return
    with pytest.raises(UsageError, match=f"those of the format {other}") as error:
        check_columns("here", columns, format_of(name), stated=stated)
    assert f"--dataset_format {other}" in error.value.do


# ---- roles of one's own stages ---------------------------------------------------------------------------------------


def test_the_roles_to_learn_from_are_those_that_the_stages_state(run: Path, tmp_path: Path) -> None:
    """As if one's own stage had written the teachers' rationales: the manifest states its role and its use."""
    for use, rows in (("target", True), ("contrast", False)):
        other = tmp_path / use
        other.mkdir()
        for file in ("recipe.yaml", "transcripts.jsonl", "manifest.json"):
            content = (run / file).read_bytes()
            if file == "transcripts.jsonl":
                content = content.replace(b'"role":"teacher"', b'"role":"shortened"')
            if file == "manifest.json":
                manifest = orjson.loads(content)
                stages = [each for each in manifest["stages"] if each["name"] not in ("dual_cot", "peer_review")]
                stages += [{"name": "shorten", "roles": {"shortened": use}}]
                content = orjson.dumps(manifest | {"stages": stages})
            (other / file).write_bytes(content)

        exported = lambda: export([other], "sft", tmp_path / f"{use}.jsonl")  # noqa: B023, E731
        if rows:
            roles = {each["role"] for row in rows_of(exported().out) for each in row["meta"]["rationales"]}
            assert roles == {"shortened"}
        else:
            with pytest.raises(UsageError, match="no row"):
                exported()


def test_shipped_stages_state_the_roles_that_students_learn_from() -> None:
    roles = {role for stage in STAGES for role, use in stage.roles.items() if use == "target"}
    assert roles == {"teacher", "revised", "rectified"}
