"""GRPO rewards what the grader finds right, and asks what the exam asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from trl import GRPOTrainer

from errata.config.hooks import check_hooks
from errata.errors import EXIT_DONE, UsageError
from errata.records import Problem
from errata.training.checkpoints import manifest_of
from errata.training.job import train
from errata.training.methods.grpo import HOOKS, Reward, prepare_exam
from errata.training.parse_args import parse

WORDS = [
    *("--model_name_or_path", "tiny", "--max_steps", "2", "--logging_steps", "1", "--learning_rate", "1e-3"),
    *("--per_device_train_batch_size", "4", "--num_generations", "2", "--max_completion_length", "8"),
    *("--disable_tqdm", "true", "--save_strategy", "no", "--report_to", "none"),
]


def test_the_installed_version_has_what_is_overridden() -> None:
    check_hooks(GRPOTrainer, HOOKS, exact=True)


def test_right_answers_are_rewarded() -> None:
    problem = Problem(id="a", task="t", question="2 + 2?", answer="4", kind="number").model_dump_json()
    reward = Reward()

    try:
        assert reward(["So the answer is 4.", "The answer is 5.", ""], [problem] * 3, trainer_state=None) == [1, 0, 0]
        assert reward(["The answer is 4."], [problem]) == [1]
    finally:
        reward.close()


@pytest.mark.slow
def test_a_run_trains_a_student_on_its_problems(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    assert train("grpo", [*WORDS, "--dataset_name", str(run), "--output_dir", str(out)]) == EXIT_DONE

    manifest = manifest_of(out)
    assert (manifest["method"], manifest["rows"], manifest["status"], manifest["step"]) == ("grpo", 4, "finished", 2)


@pytest.mark.slow
def test_prompts_that_leave_no_room_for_an_answer_are_refused(run: Path, tmp_path: Path) -> None:
    words = [
        *WORDS,
        "--max_completion_length",
        "100000",
        "--dataset_name",
        str(run),
        "--output_dir",
        str(tmp_path / "o"),
    ]

    with pytest.raises(UsageError, match="4 of 4 prompts are longer than"):
        prepare_exam(parse("grpo", words))
