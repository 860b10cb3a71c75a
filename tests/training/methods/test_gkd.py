"""GKD's gradient is that of its equation; the student alone learns; teachers that cannot teach are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from errata.config.hooks import check_hooks
from errata.errors import EXIT_DONE, UsageError
from errata.training.checkpoints import manifest_of
from errata.training.classroom_student import model as tiny
from errata.training.job import train
from errata.training.load_student import Student
from errata.training.methods.gkd import COLUMNS, HOOKS, GkdTraining, find_teacher, gkd_trainer
from errata.training.prepare import Prepared
from errata.training.trl_experimental import DataCollatorForChatML, GKDTrainer
from tests.training import twins
from tests.training.lab import byte_tokenizer, dataset, relative_error, sample_rows, step_gradients, tiny_llama
from tests.training.trainings import curve

ROWS = [{**row, "members": [each for each in row["members"] if each["kind"] == "right"]} for row in sample_rows()]
STEP = {
    "use_cpu": True,
    "bf16": False,
    "per_device_train_batch_size": len(ROWS) * 3,
    "max_steps": 1,
    "learning_rate": 0.0,
    "max_grad_norm": 0.0,
    "optim": "sgd",
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "max_length": None,
    "dataloader_pin_memory": False,
}
WORDS = [
    *("--max_steps", "4", "--logging_steps", "1", "--learning_rate", "1e-2", "--lmbda", "0"),
    *("--per_device_train_batch_size", "16", "--gradient_accumulation_steps", "1", "--disable_tqdm", "true"),
    *("--save_strategy", "no", "--report_to", "none", "--max_new_tokens", "8", "--lr_scheduler_type", "constant"),
]


def trainer_of(folder: Path, teacher: Any, **changes: Any) -> GKDTrainer:
    student = Student(tiny_llama(), byte_tokenizer("left"), "tiny", None, homeless=True)
    prepared = Prepared(student, dataset(ROWS), None, (), "rows", [], 0)  # type: ignore[arg-type]
    return gkd_trainer(prepared, teacher, GkdTraining(output_dir=str(folder), **{**STEP, **changes}), None)


def divergence_twin(student: Any, teacher: Any, beta: float) -> torch.Tensor:
    """beta KL(teacher || mix) + (1 - beta) KL(student || mix), one token at a time; the mean over all tokens."""
    total, count = torch.zeros(()), 0
    for member in (member for row in ROWS for member in row["members"]):
        ids = torch.tensor([member["input_ids"]])
        p, q = (model(ids).logits[0].softmax(-1) for model in (teacher, student))
        for place in range(member["prompt"] - 1, ids.shape[1] - 1):
            mix = beta * p[place] + (1 - beta) * q[place]
            teachers = (p[place] * (p[place] / mix).log()).sum()
            students = (q[place] * (q[place] / mix).log()).sum()
            total, count = total + beta * teachers + (1 - beta) * students, count + 1
    return total / count


def test_the_installed_version_has_what_is_relied_on() -> None:
    check_hooks(GKDTrainer, HOOKS)
    check_hooks(DataCollatorForChatML, COLUMNS, exact=True)


@pytest.mark.parametrize("beta", [0.5, 0.2])
def test_its_gradient_equals_its_twin_and_the_teacher_has_none(beta: float, tmp_path: Path) -> None:
    teacher = tiny_llama(1).requires_grad_(False).eval()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}

    found = step_gradients(trainer_of(tmp_path, teacher, lmbda=0.0, beta=beta))

    model = tiny_llama()
    assert relative_error(found, twins.gradients(model, divergence_twin(model, teacher, beta))) < 1e-4
    assert relative_error(found, twins.gradients(model, divergence_twin(model, teacher, 1 - beta + 0.1))) > 1e-2
    assert all(value.grad is None for value in teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_of_a_share_of_one_the_student_writes_all_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    write = GKDTrainer.generate_on_policy_outputs

    def watched(model: Any, inputs: Any, config: Any) -> Any:
        asked.extend(byte_tokenizer().batch_decode(inputs["prompts"], skip_special_tokens=True))
        return write(model, inputs, config)

    monkeypatch.setattr(GKDTrainer, "generate_on_policy_outputs", staticmethod(watched))

    found = step_gradients(trainer_of(tmp_path, tiny_llama(1), lmbda=1.0, temperature=0.9, max_new_tokens=5))

    assert sorted(set(asked)) == ["12 less 1?", "3 and 4?", "8 halves?", "9 - 5?"]
    assert sum(float(value.abs().sum()) for value in found.values()) > 0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A student and a teacher of the same words, other weights."""
    texts = [f"{a} + {b} = {a + b}" for a in range(9) for b in range(9)]
    folder = tmp_path_factory.mktemp("pair")
    for name, seed in (("student", 0), ("teacher", 1)):
        tiny.save(folder / name, *tiny.make(texts, texts, seed=seed))
    return folder / "student", folder / "teacher"


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--use_peft", "--lora_r", "4")])
def test_a_run_brings_the_student_closer_to_its_teacher(
    run: Path, pair: tuple[Path, Path], tmp_path: Path, more: tuple[str, ...]
) -> None:
    student, teacher = pair
    words = [*WORDS, "--model_name_or_path", str(student), "--teacher", f"local/{teacher}", *more]

    assert train("gkd", [*words, "--dataset_name", str(run), "--output_dir", str(tmp_path / "out")]) == EXIT_DONE

    manifest = manifest_of(tmp_path / "out")
    assert (manifest["method"], manifest["status"], manifest["step"]) == ("gkd", "finished", 4)
    assert manifest["teacher"]["name"] == str(teacher)
    assert len(manifest["teacher"]["fingerprint"]) == 64
    losses = [loss for _, loss, _ in curve(tmp_path / "out")]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "gkd without --teacher"),
        ("openai/gpt-4o", "--teacher openai/gpt-4o"),
        ("local/nowhere/at/all", "no file or folder nowhere/at/all"),
    ],
)
def test_a_teacher_that_cannot_be_asked_is_refused(name: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_teacher(name)


@pytest.mark.slow
def test_another_vocabulary_and_idle_settings_are_refused_before_anything_is_written(
    run: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    words = [*WORDS, "--teacher", f"local/{pair[1]}", "--dataset_name", str(run), "--output_dir", str(tmp_path / "out")]
    same = [*words, "--model_name_or_path", str(pair[0])]

    with pytest.raises(UsageError, match=r"the tokenizer of .*teacher and that of tiny differ"):
        train("gkd", [*words, "--model_name_or_path", "tiny"])
    with pytest.raises(UsageError, match="the setting teacher_model_name_or_path"):
        train("gkd", [*same, "--teacher_model_name_or_path", str(pair[1])])
    with pytest.raises(UsageError, match="room for"):
        train("gkd", [*same, "--lmbda", "0.5", "--max_new_tokens", "1020"])
    assert not (tmp_path / "out").exists()
