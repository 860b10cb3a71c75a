"""Evals on the simulated faculty: directories, resuming, stopping, failures, and what is refused."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pandas
import pytest
import yaml
from click.testing import CliRunner

from errata.cli import cli
from errata.errors import BudgetExhausted, UsageError
from errata.evals.compare import compare
from errata.evals.evaluate import Evaluation, evaluate, evaluate_async
from errata.evals.recipe import load_eval_recipe
from errata.evals.results import Eval, read_eval
from errata.llm.backends.simulated.server import Faults, serving
from errata.runs.counters import Snapshot, StopSignal
from errata.runs.times import times_in
from tests.evals.small_evals import ALONE, RECIPE, over_http, recipe

ROOT = Path(__file__).parents[2]
FILES = ("items.jsonl", "summary.json", "manifest.json")


def files(done: Evaluation) -> dict[str, bytes]:
    return {f"{each.path.name}/{file}": (each.path / file).read_bytes() for each in done.evals for file in FILES}


def contents(done: Evaluation) -> dict[str, bytes]:
    """The files without what a clock told: what two directories with the same answers have alike."""
    clock = re.compile(rb'"times": \{[^}]*\}')
    return {name: clock.sub(b'"times"', text) for name, text in files(done).items()}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


async def test_every_model_and_decoding_makes_a_directory(tmp_path: Path) -> None:
    done = await evaluate_async(recipe(tmp_path))

    assert done.exit_code == 0
    assert [each.name for each in done.evals] == ["pupil-greedy", "pupil-maj3", "ada-greedy", "ada-maj3"]
    for each in done.evals:
        again = read_eval(each.path)
        assert again.items == each.items
        assert again.manifest == each.manifest
        assert again.summary["tasks"].keys() == {"classroom_id", "classroom_ood4"}
        assert len(again.by_task["classroom_id"]) == 12
    greedy, maj = done.evals[:2]
    assert all(isinstance(item.correct, bool) for item in greedy.items)
    assert all(len(item.samples) == 3 for item in maj.items)
    assert "maj@3" in maj.summary["tasks"]["classroom_id"]
    assert [each.manifest.baseline for each in done.evals] == [True, True, False, False]


async def test_an_item_tells_what_is_known_of_its_problem(tmp_path: Path) -> None:
    done = await evaluate_async(recipe(tmp_path, decodings={"greedy": {}}))
    items = [item for each in done.evals for item in each.items]

    wrong = [item for item in items if not item.correct]
    assert {item.meta["split"] for item in items} == {"id", "ood"}
    assert {item.meta["steps"] for item in items} == {2, 3, 4}
    assert all(item.meta["mistake"] for item in wrong)
    assert all(item.meta["gold"] == item.answer for item in items if item.correct)
    assert all(item.tokens == item.samples[0].tokens > 0 for item in items)


async def test_the_same_command_asks_nothing_twice_and_changes_no_byte(tmp_path: Path) -> None:
    first = await evaluate_async(recipe(tmp_path))
    before = files(first)

    second = await evaluate_async(recipe(tmp_path))

    assert second.spent["this_run"]["paid"] == second.spent["this_run"]["cached"] == 0
    assert files(second) == before


async def test_its_manifest_says_when_it_worked_over_several_processes(tmp_path: Path) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    first = times_in((await evaluate_async(recipe(tmp_path, limit=2, **ALONE))).evals[0].manifest.model_dump())
    rest = times_in((await evaluate_async(recipe(tmp_path, **ALONE))).evals[0].manifest.model_dump())

    assert first is not None
    assert rest is not None
    assert began <= datetime.fromisoformat(first.begun) <= datetime.fromisoformat(first.last) <= datetime.now(UTC)
    assert rest.begun == first.begun
    assert rest.last >= first.last
    assert rest.seconds > first.seconds


async def test_a_manifest_without_times_or_with_unreadable_ones_is_gone_on_with(tmp_path: Path) -> None:
    done = await evaluate_async(recipe(tmp_path, **ALONE))
    file = done.evals[0].path / "manifest.json"
    for older in ({}, {"times": ["yesterday"]}):
        manifest = {key: value for key, value in orjson.loads(file.read_bytes()).items() if key != "times"}
        file.write_bytes(orjson.dumps(manifest | older))
        again = await evaluate_async(recipe(tmp_path, **ALONE))
        assert again.evals[0].manifest.times is None


async def test_in_whatever_order_items_are_answered_the_files_are_the_same(tmp_path: Path) -> None:
    one = await evaluate_async(recipe(tmp_path / "one", concurrency=1, **ALONE))
    many = await evaluate_async(recipe(tmp_path / "many", concurrency=64, **ALONE))

    assert contents(one) == contents(many)


async def test_a_torn_line_is_answered_again_from_the_store(tmp_path: Path) -> None:
    first = await evaluate_async(recipe(tmp_path, **ALONE))
    before = contents(first)
    file = first.evals[0].path / "items.jsonl"
    file.write_bytes(file.read_bytes()[:-40])

    second = await evaluate_async(recipe(tmp_path, **ALONE))

    assert second.spent["this_run"] | {"agents": {}} == second.spent["this_run"] | {
        "agents": {},
        "paid": 0,
        "cached": 1,
    }
    assert contents(second) == before


async def test_a_larger_limit_goes_on_where_a_smaller_one_ended(tmp_path: Path) -> None:
    whole = await evaluate_async(recipe(tmp_path / "whole", **ALONE))
    await evaluate_async(recipe(tmp_path / "part", limit=2, **ALONE))

    rest = await evaluate_async(recipe(tmp_path / "part", **ALONE))

    assert rest.spent["this_run"]["paid"] < whole.spent["this_run"]["paid"]
    assert {name: text for name, text in contents(rest).items() if "items" in name} == {
        name: text for name, text in contents(whole).items() if "items" in name
    }


OPTIONS = ("7", "8", "9", "10")


def with_options(folder: Path, changes: dict[int, dict[str, Any]] | None = None, **more: Any) -> Any:
    """A recipe over ten questions with options, some of them changed; the gold letter and the ids stay the same."""
    file = folder / "primes.jsonl"
    rows = [
        {
            "id": f"p{n}",
            "question": f"Case {n}: which is prime?",
            "answer": "A",
            "choices": OPTIONS,
            **(changes or {}).get(n, {}),
        }
        for n in range(10)
    ]
    file.write_text("".join(orjson.dumps(row).decode() + "\n" for row in rows))
    mapping = {"kind": "choice", "id": "id", "question": "question", "answer": "answer", "choices": "choices"}
    task = {"source": str(file), "mapping": mapping, **more}
    return recipe(folder, models=[], decodings={"greedy": {}}, tasks={"primes": task})


async def test_reshuffled_options_under_the_same_gold_letter_are_another_question(tmp_path: Path) -> None:
    first = await evaluate_async(with_options(tmp_path))
    file = first.evals[0].path / "items.jsonl"
    assert [item.meta["choices"] for item in first.evals[0].items] == [[*OPTIONS]] * 10
    assert (await evaluate_async(with_options(tmp_path))).spent["this_run"]["paid"] == 0

    shuffled = {3: {"choices": OPTIONS[::-1]}, 5: {"choices": OPTIONS[1:]}}
    second = await evaluate_async(with_options(tmp_path, shuffled))

    assert second.spent["this_run"]["paid"] == 2
    assert {item.id: item.meta["choices"] for item in second.evals[0].items if item.meta["choices"] != [*OPTIONS]} == {
        "primes:p3": [*OPTIONS[::-1]],
        "primes:p5": [*OPTIONS[1:]],
    }
    before = file.read_bytes()
    assert (await evaluate_async(with_options(tmp_path, shuffled))).pending == 0
    assert file.read_bytes() == before


async def test_items_of_an_older_version_without_options_stay_where_the_whole_task_is_the_same(tmp_path: Path) -> None:
    file = (await evaluate_async(with_options(tmp_path))).evals[0].path / "items.jsonl"
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    for line in lines:
        del line["meta"]["choices"]
    older = b"".join(orjson.dumps(line) + b"\n" for line in lines)

    file.write_bytes(older)
    await evaluate_async(with_options(tmp_path))
    assert file.read_bytes() == older  # not asked again

    manifest = file.with_name("manifest.json")
    stopped = orjson.loads(manifest.read_bytes()) | {"status": "running"}
    manifest.write_bytes(orjson.dumps(stopped))  # of which task the lines are is not known
    await evaluate_async(with_options(tmp_path))
    assert file.read_bytes() != older

    file.write_bytes(older)
    changed = await evaluate_async(with_options(tmp_path, {3: {"choices": OPTIONS[::-1]}}))
    assert all("choices" in item.meta for item in changed.evals[0].items)  # which of them stayed cannot be known


async def test_a_stop_leaves_what_is_pending_to_the_next_run(tmp_path: Path) -> None:
    stop = StopSignal()
    snapshots: list[Snapshot] = []

    async def request_stop() -> None:
        file = tmp_path / "run" / "evals" / "pupil-greedy" / "items.jsonl"
        for _ in range(10_000):
            if file.exists() and file.read_bytes():
                break
            await asyncio.sleep(0.001)
        stop.request()

    requesting = asyncio.create_task(request_stop())
    stopped = await evaluate_async(recipe(tmp_path, concurrency=1, **ALONE), stop=stop, watch=snapshots.append)
    await requesting
    whole = await evaluate_async(recipe(tmp_path / "whole", **ALONE))
    rest = await evaluate_async(recipe(tmp_path, **ALONE))

    assert stopped.exit_code == 130
    assert stopped.pending > 0
    assert stopped.evals[0].manifest.status == "running"
    assert snapshots[-1].tally.pending == stopped.pending
    assert rest.exit_code == 0
    assert contents(rest) == contents(whole)


def test_killed_and_started_again_the_files_are_the_same_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, **ALONE, "tasks": {"classroom_id": {"limit": 200}}}))
    whole = evaluate(path, [f"run={tmp_path}/whole"])
    words = ["eval", str(path), "--quiet", "concurrency=1", f"run={tmp_path}/killed"]
    child = subprocess.Popen([sys.executable, "-m", "errata", *words], cwd=ROOT, stderr=subprocess.DEVNULL)
    file = tmp_path / "killed" / "evals" / "pupil-greedy" / "items.jsonl"
    for _ in range(2400):
        if child.poll() is not None or (file.exists() and file.read_bytes().count(b"\n") >= 3):
            break
        time.sleep(0.025)

    child.kill()
    child.wait()
    there = file.read_bytes().count(b"\n")
    done = evaluate(path, [f"run={tmp_path}/killed"])

    assert 3 <= there < 200, "the kill came too late to show anything"
    assert done.spent["this_run"]["paid"] < whole.spent["this_run"]["paid"]
    assert contents(done) == contents(whole)


async def test_items_lost_to_the_provider_stay_pending_and_are_tried_again(tmp_path: Path) -> None:
    only = {"models": [], "decodings": {"greedy": {}}, "tasks": {"classroom_id": {"limit": 12}}}
    async with serving(faults=Faults(rate=0.5, kinds=("500",))) as url:
        lost = await evaluate_async(recipe(tmp_path, baseline=over_http(url), **only))

        assert lost.exit_code == 3
        assert 0 < lost.failed == 12 - len(lost.evals[0].items)
        for _ in range(12):
            again = await evaluate_async(recipe(tmp_path, baseline=over_http(url), **only))
            if again.exit_code == 0:
                break
    assert again.exit_code == 0
    assert len(again.evals[0].items) == 12


async def test_a_budget_ends_it_and_more_goes_on(tmp_path: Path) -> None:
    stopped = await evaluate_async(recipe(tmp_path, budget={"calls": 10}))

    assert stopped.exit_code == 4
    assert isinstance(stopped.error, BudgetExhausted)
    assert stopped.spent["this_run"]["paid"] == 10
    rest = await evaluate_async(recipe(tmp_path))
    assert rest.exit_code == 0
    assert rest.spent["all_runs"]["paid"] == 4 * 18 * 2


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": {"gsm9k": {}}}, "no ready task is called gsm9k"),
        ({"tasks": {}}, "tasks is {}"),
        ({"decodings": {"x": {"samples": 4}}}, "all the same"),
        ({"decodings": {"x": {"vote": "majority"}}}, "several samples"),
        ({"decodings": {"x": {"samples": 4, "temperature": 1, "vote": "s"}}}, "name the ranker"),
        ({"models": [{"name": "pupil", "model": "simulated/ada"}]}, "two evals would be called"),
        ({"models": [{"name": "a/b", "model": "simulated/ada"}]}, "without slashes"),
        ({"models": [{"name": "a", "model": "simulated/ada", "temperature": 1}]}, "belongs under decodings"),
        ({"models": [{"name": "a", "model": "simulated/ada", "modle": 1}]}, "modle"),
        ({"baseline": None}, "baseline"),
        ({"task": {}}, "did you mean tasks"),
    ],
)
def test_a_recipe_that_cannot_be_right_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, **changes}))

    with pytest.raises(UsageError) as raised:
        load_eval_recipe(path)

    assert message in str(raised.value)
    assert str(raised.value).count("found:") == 1, "no message within another"


def test_overrides_change_a_part_of_a_ready_task(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "tasks": ["classroom_id"]}))

    result = load_eval_recipe(path, ["tasks.classroom_id.limit=3", "tasks.classroom_dis2.options.seed=9"])

    assert result.tasks["classroom_id"].limit == 3
    assert result.tasks["classroom_id"].options == {"split": "id", "count": 500, "seed": 1}
    assert result.tasks["classroom_dis2"].options == {"split": "dis2", "count": 500, "seed": 9}
    assert result.name == "trial"
    assert result.run == "runs/trial"


# ---- in Python and at the command line -------------------------------------------------------------------------------


async def test_it_runs_where_an_event_loop_runs_already(tmp_path: Path) -> None:
    done = evaluate(recipe(tmp_path, limit=3))

    frame = pandas.DataFrame(done.records())
    assert len(frame) == 4 * 6
    assert set(frame["eval"]) == {"pupil-greedy", "pupil-maj3", "ada-greedy", "ada-maj3"}
    assert len(compare([each for each in done.evals if each.name.endswith("greedy")]).differences) == 2


def test_the_command_prints_figures_paths_and_differences(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "limit": 4, "run": str(tmp_path / "run")}))

    ended = CliRunner().invoke(cli, ["eval", str(path), "--quiet"])

    assert ended.exit_code == 0, ended.output
    assert "classroom_ood4 (ood)" in ended.stdout
    assert str(tmp_path / "run" / "evals" / "ada-maj3") in ended.stdout
    assert "ada - pupil" in ended.stdout
    told = " ".join(ended.stdout.split())
    assert "exploratory: differences in points" in told
    assert "not shown" in told
    assert "intervals cover these two checkpoints on other items" in told
    assert "paid" in ended.stderr


def test_compare_prints_a_table_or_json(tmp_path: Path) -> None:
    done = evaluate(recipe(tmp_path, decodings={"greedy": {}}))
    paths = [str(each.path) for each in done.evals]

    table = CliRunner().invoke(cli, ["compare", *paths])
    as_json = CliRunner().invoke(cli, ["compare", *paths, "--json", "--task", "classroom_id", "--against", "ada"])
    four = CliRunner().invoke(cli, ["compare", *paths, "--json", "--where", "steps=4"])
    none = CliRunner().invoke(cli, ["compare", *paths, "--where", "steps=9"])
    alone = CliRunner().invoke(cli, ["compare", paths[0]])
    equal = CliRunner().invoke(cli, ["compare", *paths, "--equal", "tokens"])

    assert table.exit_code == 0
    assert "ada - pupil" in table.stdout
    result = orjson.loads(as_json.stdout)
    assert [(each["arm"], each["against"]) for each in result["differences"]] == [("pupil", "ada")]
    assert result["tasks"] == ["classroom_id"]
    assert [each["n"] for each in orjson.loads(four.stdout)["figures"]] == [6, 6]
    assert orjson.loads(four.stdout)["tasks"] == ["classroom_ood4"]
    assert none.exit_code == 2
    assert "no item with steps=9" in none.stderr
    assert alone.exit_code == 2
    assert "one eval" in alone.stderr
    assert equal.exit_code == 2
    assert "no two arms of equal tokens: pupil unknown, ada unknown" in equal.stderr


def test_an_eval_is_read_where_nothing_else_of_the_run_is(tmp_path: Path) -> None:
    done = evaluate(recipe(tmp_path, decodings={"greedy": {}}))
    elsewhere = tmp_path / "elsewhere"
    os.rename(done.evals[1].path, elsewhere)

    moved = read_eval(elsewhere)

    assert isinstance(moved, Eval)
    assert moved.name == "ada-greedy"
    assert len(compare([done.evals[0], moved]).differences) == 2
