"""A real study over the faculty and a tiny student: killed, resumed, extended; what it writes; who fails alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from errata.cli import cli
from errata.steps.record import read_record

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LESSON = {
    "vary": {"seed": 0, "problems.options.seed": 100},
    "recipe": {
        "stages": ["exam", "rationales"],
        "problems": {"source": "classroom", "options": {"count": 12}},
        "agents": {"teachers": [{"name": "ada", "model": "simulated/ada"}, {"name": "ben", "model": "simulated/ben"}]},
        "settings": {"exam": {"samples": 1, "sampling": {"max_tokens": 32}}},
    },
}
TRAINING = {
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "learning_rate": 3e-4,
    "use_peft": False,
    "gradient_checkpointing": False,
    "save_strategy": "no",
    "report_to": "none",
}
STUDY: dict[str, Any] = {
    "seeds": [0, 1],
    "together": 1,
    "students": {"tiny": {"pretrain": {"problems": 64, "batch": 16, "examined": 4, "admitted": 0}}},
    "data": {"lesson": LESSON},
    "training": TRAINING,
    "arms": {"sft": {"method": "sft"}, "answers": {"method": "sft", "flags": {"control": "answer_only"}}},
    "claims": [
        {"name": "rationales", "arm": "sft", "control": "answers", "equal": ["rows", "steps"], "source": "table 2"}
    ],
    "evals": {
        "vary": {"options.seed": 1000},
        "decodings": {"greedy": {"max_tokens": 24}},
        "tasks": {"classroom_id": {"options": {"count": 6}}},
    },
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(STUDY | {"runs": str(folder / "runs")} | changes, sort_keys=False))
    return path


def errata(*words: str) -> Any:
    return CliRunner().invoke(cli, list(words), catch_exceptions=False)


def test_a_study_that_was_killed_goes_on_and_one_that_grew_does_only_what_is_new(tmp_path: Path) -> None:
    path, home = written(tmp_path), tmp_path / "runs/small"
    command = [sys.executable, "-m", "errata", "study", str(path)]
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True)
    while len(read_record(home)) < 3 and child.poll() is None:
        time.sleep(0.1)
    second = errata("study", str(path))
    assert second.exit_code == 2
    assert f"is in use by process {child.pid}" in second.output
    os.kill(child.pid, signal.SIGKILL)  # its worker ends by itself what it is at
    child.wait()
    before = [finish.step for finish in read_record(home)]

    assert errata("study", str(path)).exit_code == 0
    steps = [finish.step for finish in read_record(home) if finish.code == 0]
    assert steps[: len(before)] == before
    assert len(steps) == len(set(steps)) == 9, "no step was done twice"

    results = json.loads((home / "study.json").read_bytes())
    (claim,) = results["claims"]
    assert (claim["name"], claim["arm"], claim["control"], claim["task"]) == (
        "rationales",
        "sft",
        "answers",
        "classroom_id",
    )
    assert (claim["seeds"], claim["items"], claim["source"]) == ([0, 1], 6, "table 2")
    assert claim["equal"] == {"rows": False, "steps": True}, "answers without a rationale are fewer rows"
    assert set(claim["differs"]) == {"target_tokens"}
    assert claim["low"] <= claim["difference"] <= claim["high"]
    assert {arm["arm"] for arm in results["arms"]} == {"untouched", "sft", "answers"}
    card = (home / "card.md").read_text()
    assert "| rationales | sft - answers | classroom_id |" in card
    assert "rationales: not equal as they should be: rows" in card
    assert "Of 1 claim none is shown" in (home / "report.html").read_text()

    assert errata("study", str(path), "seeds=[0,1,2]").exit_code == 0
    grown = [finish.step for finish in read_record(home)][len(steps) :]
    assert [step for step in grown if not step.startswith("eval")] == [
        "lesson tiny seed-2 lesson",
        "train tiny seed-2 sft",
        "train tiny seed-2 answers",
    ]
    assert json.loads((home / "study.json").read_bytes())["claims"][0]["seeds"] == [0, 1, 2]
    planned = json.loads(errata("plan", str(path), "--json").stdout)
    assert planned["steps"]["train"] == {"all": 4, "done": 4}


def test_an_arm_that_fails_holds_up_only_those_that_need_it(tmp_path: Path) -> None:
    arms = {
        "bad": {"method": "sft", "flags": {"authors": ["nobody"]}},
        "sft": {"method": "sft"},
        "on": {"method": "sft", "start": "bad"},
    }
    result = errata("study", str(written(tmp_path, arms=arms, claims=[], seeds=[0])))
    assert result.exit_code == 3
    assert "failed: train tiny seed-0 bad" in result.output
    assert "nobody" in result.output
    finished = {finish.step for finish in read_record(tmp_path / "runs/small") if finish.code == 0}
    assert "train tiny seed-0 sft" in finished
    assert not {step for step in finished if "on" in step.split() or step.startswith("eval")}


def test_a_flag_that_no_training_takes_is_refused_before_the_first_step(tmp_path: Path) -> None:
    arms = {"sft": {"method": "sft", "flags": {"lerning_rate": 1}}}
    result = errata("study", str(written(tmp_path, arms=arms, claims=[], seeds=[0])))
    assert result.exit_code == 2
    assert "arm sft: the flag --lerning_rate is not known" in result.output
    assert "did you mean --learning_rate?" in result.output
    assert read_record(tmp_path / "runs/small") == []


def test_a_budget_of_hours_begins_no_further_step(tmp_path: Path) -> None:
    path = written(tmp_path, budget={"hours": 1e-4})
    result = errata("study", str(path))
    assert result.exit_code == 4
    assert "budget of 0.0001 hours is used up" in result.output
    assert [finish.step for finish in read_record(tmp_path / "runs/small")] == ["pretrain tiny"]
    assert errata("study", str(path), "budget.hours=null").exit_code == 0
