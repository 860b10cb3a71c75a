"""`errata compare`: claims in a file, tables for people, JSON for programs."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from rich.console import Console

from errata.cli import cli
from errata.evals.claims import Claim
from errata.evals.results import read_eval
from errata.evals.tables import show_evals
from tests.evals.eval_dirs import eval_dir, rights

HEAVY = {"langchain_core.callbacks.manager", "langsmith.run_helpers", "scipy.stats"}
CLAIM = "claims: [{name: it helps, arm: after, control: before}]\n"


def two(folder: Path, claims: tuple[Claim, ...] = ()) -> list[str]:
    rates = (("before", 20), ("after", 34))
    return [str(eval_dir(folder, name, {"t": rights(60, right)}, claims=claims)) for name, right in rates]


def printed(*words: str) -> str:
    ended = CliRunner().invoke(cli, ["compare", *words])
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_claims_of_a_file_are_records_of_the_json(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("seeds: [0]\n" + CLAIM)

    data = orjson.loads(printed(*two(tmp_path), "--claims", str(tmp_path / "study.yaml"), "--json"))

    [claim], [difference] = data["claims"], data["differences"]
    assert (claim["name"], claim["arm"], claim["control"], claim["task"]) == ("it helps", "after", "before", "t")
    assert claim["verdict"] == difference["verdict"] == "better"
    assert claim["p"] == claim["p_adjusted"] == difference["p"]
    assert claim["low"] == difference["difference"]["low"] > 0
    assert 0 < claim["detectable"] < 1
    assert (claim["design"], claim["method"], claim["items"]) == ("one seed each", "paired score", 60)
    assert difference["claim"] == "it helps"


def test_items_that_belong_to_no_task_are_called_items(tmp_path: Path) -> None:
    for name, right in (("before", 20), ("after", 34)):
        lines = (orjson.dumps({"id": str(n), "correct": each}) for n, each in enumerate(rights(60, right)))
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(lines))
    shown = printed(str(tmp_path / "before.jsonl"), str(tmp_path / "after.jsonl")).splitlines()
    assert shown[0] == "items"
    assert "items, exploratory: differences in points with their 95 % interval, uncorrected" in shown


def test_tables_keep_claims_apart_and_say_what_intervals_cover(tmp_path: Path) -> None:
    claim = Claim(name="it helps", arm="after", control="before", task="t")

    told = " ".join(printed(*two(tmp_path / "named", (claim,))).split())
    exploratory = " ".join(printed(*two(tmp_path / "bare")).split())

    assert "t, claims: differences in points, corrected by Holm" in told
    assert "exploratory" not in told
    assert "t, exploratory: differences in points with their 95 % interval, uncorrected" in exploratory
    for text in (told, exploratory):
        assert "could show" in text
        assert "one seed each, paired score: intervals cover these two checkpoints on other items" in text


def test_logs_of_another_tool_are_compared_by_the_named_score() -> None:
    files = Path(__file__).parent / "foreign" / "files"

    told = printed(
        f"base={files / 'inspect_base.eval'}", str(files / "inspect_two_scorers.eval"), "--metric", "includes"
    )

    assert "mockllm/two_scorers - base" in told
    assert "sums: read by includes; inspect_ai gave match too" in " ".join(told.split())


def test_mistakes_are_told_in_the_words_of_the_explanations(tmp_path: Path) -> None:
    """Two kinds of first flaws are one kind of mistake, and their counts are added up."""
    before = eval_dir(tmp_path, "before", {"t": [False] * 4 + [True] * 2}, baseline=True)
    after = eval_dir(tmp_path, "after", {"t": [True] * 3 + [False] + [True, False]})
    flaws = ["logical_op", "logical_num", "calc", "logical_num", "logical_op", "logical_op"]
    for path in (before, after):
        rows = [orjson.loads(line) for line in (path / "items.jsonl").read_bytes().splitlines()]
        for row, flaw in zip(rows, flaws, strict=True):
            if not row["correct"]:
                row["meta"]["mistake"] = flaw
        (path / "items.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    told = printed(str(before), str(after)).partition("cured:introduced")[2]
    heading, row = re.findall(r"^(?:arm|after) .*$", told, re.MULTILINE)
    assert heading.split() == ["arm", "logical", "calculation"]
    assert row.split() == ["after", "2:1", "1:0"]

    console = Console(file=io.StringIO(), width=120)
    summary = {"split": "t", "n": 6, "accuracy": {"value": 0.5, "low": 0.1, "high": 0.9}, "truncated": 0}
    figures = {**summary, "tokens_mean": 1.0, "mistakes": {"logical_op": 1, "logical_num": 2, "final": 4, "none": 9}}
    show_evals([replace(read_eval(before), summary={"tasks": {"t": figures}})], console)
    told = console.file.getvalue().partition("mistakes by kind")[2]
    assert re.findall(r"^(\w+) +(\d+)", told, re.MULTILINE) == [("logical", "3"), ("other", "4"), ("none", "9")]


@pytest.mark.slow
def test_what_takes_seconds_to_import_is_there_before_the_first_item_is_answered(tmp_path: Path) -> None:
    recipe = tmp_path / "eval.yaml"
    recipe.write_text("baseline: {name: untouched, model: simulated/pupil}\ntasks: {classroom_id: {limit: 2}}\n")
    code = f"""
import sys
from pathlib import Path
from errata.evals import commands

async def evaluate(*words, **more):
    print(*sorted({HEAVY!r} - sys.modules.keys()))
    sys.exit()

commands.evaluate_async = evaluate
commands.run_eval(Path({str(recipe)!r}), [], quiet=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "\n"
