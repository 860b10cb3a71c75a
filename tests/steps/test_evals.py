"""An eval as a step says how far it is, since its log is all that whoever waits can look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.evals.recipe import EvalRecipe
from errata.steps.evals import evaluate_all


def test_the_log_of_an_eval_tells_how_far_it_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recipe = EvalRecipe(
        name="small",
        run=str(tmp_path / "run"),
        baseline={"name": "ada", "model": "simulated/ada"},  # type: ignore[arg-type]
        tasks={"classroom_id": {"options": {"count": 8}}},  # type: ignore[dict-item]
    )
    assert evaluate_all(recipe) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert "/8: " in err
    assert "8 done" in err.splitlines()[-1] or "left" in err.splitlines()[-1]
