"""Evals share the store beside the runs: equal answers are paid once, payments are each run directory's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from errata.evals.evaluate import Evaluation, evaluate_async
from errata.evals.recipe import EvalRecipe
from errata.llm.store import Store

ITEMS = 3


async def run(folder: Path, name: str, **changes: Any) -> Evaluation:
    recipe = {
        "name": "trial",
        "run": str(folder / name),
        "baseline": {"name": "pupil", "model": "simulated/pupil"},
        "tasks": {"classroom_id": {"limit": ITEMS}},
    }
    return await evaluate_async(EvalRecipe.model_validate(recipe | changes))


def paid(done: Evaluation) -> tuple[int, int]:
    """By this process, and by all evals of the run directory."""
    return done.spent["this_run"]["paid"], done.spent["all_runs"]["paid"]


async def test_the_same_eval_of_another_run_is_not_paid_again(tmp_path: Path) -> None:
    first = await run(tmp_path, "one")
    second = await run(tmp_path, "two")
    more = await run(tmp_path, "two", models=[{"name": "ada", "model": "simulated/ada"}])

    assert (paid(first), paid(second), paid(more)) == ((ITEMS, ITEMS), (0, 0), (ITEMS, ITEMS))
    assert second.spent["this_run"]["cached"] == ITEMS
    assert not (tmp_path / "one" / "calls").exists()
    for file in ("items.jsonl", "summary.json"):
        assert (first.evals[0].path / file).read_bytes() == (second.evals[0].path / file).read_bytes()


async def test_an_eval_that_has_its_own_calls_goes_on_with_them(tmp_path: Path) -> None:
    Store(tmp_path / "one" / "calls", "evals").close()

    stopped = await run(tmp_path, "one", budget={"calls": 1})
    rest = await run(tmp_path, "one")

    assert not (tmp_path / ".calls").exists()
    assert (paid(stopped), paid(rest)) == ((1, 1), (ITEMS - 1, ITEMS))


async def test_a_budget_is_each_runs_own_and_outlives_the_store(tmp_path: Path) -> None:
    budget = {"calls": 2}
    first, other = [await run(tmp_path, name, budget=budget, seed=seed) for name, seed in (("one", 1), ("two", 2))]
    assert [paid(each) for each in (first, other)] == [(2, 2)] * 2
    shutil.rmtree(tmp_path / ".calls")

    again = await run(tmp_path, "one", budget=budget, seed=1)

    assert (again.exit_code, paid(again)) == (4, (0, 2))
    assert any("knows 0 paid calls of this run, its manifest 2" in note for note in again.notes)


async def test_deleted_evals_begin_anew_and_their_replies_are_free(tmp_path: Path) -> None:
    await run(tmp_path, "one")
    shutil.rmtree(tmp_path / "one")

    again = await run(tmp_path, "one", budget={"calls": 1})

    assert (again.exit_code, paid(again)) == (0, (0, 0))


async def test_a_moved_directory_takes_its_payments_along(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    await run(tmp_path, "one", budget={"calls": 2})
    shutil.move(tmp_path / "one", tmp_path / "there" / "one")

    moved = await run(tmp_path / "there", "one", budget={"calls": 2})

    assert (moved.exit_code, paid(moved)) == (4, (0, 2))
