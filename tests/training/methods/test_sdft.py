"""SDFT's teacher is the student itself with what it did not know in its prompt; the student alone learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from errata.config.hooks import check_hooks
from errata.errors import EXIT_DONE, UsageError
from errata.training.checkpoints import manifest_of
from errata.training.job import train
from errata.training.load_student import Student
from errata.training.methods.sdft import HOOKS, PrivilegedTrainer, SdftTraining, prepare_privileged, sdft_trainer
from errata.training.parse_args import parse
from errata.training.prepare import Prepared
from errata.training.prompted import Prompted
from errata.training.trl_experimental import SDFTTrainer
from errata.training.trl_methods import as_dataset
from tests.training import twins
from tests.training.lab import byte_tokenizer, relative_error, step_gradients, tiny_llama
from tests.training.trainings import SAVING, Stop

TOLD = {"3 and 4?": "it says and, not times", "8 halves?": "half", "9 - 5?": "count again"}
STEP: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "per_device_train_batch_size": 6,
    "num_generations": 2,
    "max_completion_length": 5,
    "max_steps": 1,
    "learning_rate": 0.0,
    "max_grad_norm": 0.0,
    "optim": "sgd",
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
    "distillation_mode": "full_logits",
}
WORDS = [
    *("--model_name_or_path", "tiny", "--max_steps", "2", "--logging_steps", "1", "--learning_rate", "1e-3"),
    *("--per_device_train_batch_size", "4", "--num_generations", "2", "--max_completion_length", "8"),
    *("--disable_tqdm", "true", "--save_strategy", "no", "--report_to", "none"),
]


class Written(TrainerCallback):
    """What the student wrote, as token ids without padding."""

    def __init__(self) -> None:
        self.texts: list[list[int]] = []
        self.prompts: list[str] = []

    def on_self_distillation_batch_prepared(self, **batch: Any) -> None:
        pad = byte_tokenizer().pad_token_id
        self.texts = [[each for each in ids.tolist() if each != pad] for ids in batch["completion_ids"]]
        self.prompts = byte_tokenizer().batch_decode(batch["prompt_ids"], skip_special_tokens=True)


def trainer_of(folder: Path, written: Written, **changes: Any) -> PrivilegedTrainer:
    student = Student(tiny_llama(), byte_tokenizer("left"), "tiny", None, homeless=True)
    rows = [{"prompt": [{"role": "user", "content": q}], "privileged_context": told} for q, told in TOLD.items()]
    prepared = Prepared(student, as_dataset(rows), None, (), "rows", [], len(rows))
    args = SdftTraining(output_dir=str(folder), **{**STEP, **changes})
    return sdft_trainer(Prompted(prepared, []), args, None, [written])


def divergence_twin(student: Any, teacher: Any, written: Written, alpha: float) -> torch.Tensor:
    """The mean over texts of the mean over their tokens of the divergence, one token at a time."""
    read = byte_tokenizer()
    losses = []
    for prompt, text in zip(written.prompts, written.texts, strict=True):
        told = read(f"{prompt.strip()}\n\n{TOLD[prompt.strip()]}\n")["input_ids"]
        alone = read(prompt)["input_ids"]
        q = student(torch.tensor([[*alone, *text]])).logits[0][len(alone) - 1 : -1].softmax(-1)
        with torch.no_grad():
            p = teacher(torch.tensor([[*told, *text]])).logits[0][len(told) - 1 : -1].softmax(-1)
        mix = alpha * p + (1 - alpha) * q
        each = alpha * (p * (p / mix).log()).sum(-1) + (1 - alpha) * (q * (q / mix).log()).sum(-1)
        losses.append(each.mean())
    return torch.stack(losses).mean()


def test_the_installed_version_has_what_is_overridden() -> None:
    check_hooks(SDFTTrainer, HOOKS, exact=True)


@pytest.mark.parametrize("kind", ["base", "live"])
def test_its_gradient_equals_its_twin(kind: str, tmp_path: Path) -> None:
    written = Written()

    found = step_gradients(trainer_of(tmp_path, written, teacher_model_kind=kind, distillation_alpha=0.3))

    assert sorted({prompt.strip() for prompt in written.prompts}) == sorted(TOLD)
    model = tiny_llama()
    twin = divergence_twin(model, tiny_llama(), written, 0.3)
    assert relative_error(found, twins.gradients(model, twin)) < 1e-4
    other = divergence_twin(model, tiny_llama(1), written, 0.3)
    assert relative_error(found, twins.gradients(model, other)) > 1e-2


def test_the_teacher_is_the_student_as_it_was_or_its_average(tmp_path: Path) -> None:
    moved = {"learning_rate": 0.5, "max_steps": 2}
    before = tiny_llama().state_dict()
    for kind, rate in (("base", 0.0), ("ema", 0.5)):
        trainer = trainer_of(tmp_path / kind, Written(), teacher_model_kind=kind, teacher_update_rate=0.5, **moved)
        trainer.train()
        student, teacher = trainer.model.state_dict(), trainer.teacher_model.state_dict()
        assert any(not torch.equal(student[name], before[name]) for name in before)
        assert all(torch.equal(teacher[name], before[name]) for name in before) is (rate == 0.0)
        assert all(value.grad is None for value in trainer.teacher_model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--use_peft", "--lora_r", "4"), ("--teacher_model_kind", "ema")])
def test_a_run_trains_a_student_on_its_mistakes(run: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    out = tmp_path / "out"

    assert train("sdft", [*WORDS, "--dataset_name", str(run), "--output_dir", str(out), *more]) == EXIT_DONE

    manifest = manifest_of(out)
    assert (manifest["method"], manifest["status"], manifest["step"]) == ("sdft", "finished", 2)
    assert manifest["paper"] == "SDFT, arXiv 2601.19897"
    assert bool(manifest.get("lora_rank")) is ("--use_peft" in more)


@pytest.mark.slow
def test_of_several_mistakes_in_a_problem_as_many_are_learned_as_asked(run: Path) -> None:
    def rows(*more: str) -> int:
        return len(prepare_privileged(parse("sdft", [*WORDS, "--dataset_name", str(run), *more])).prepared.rows)

    assert 0 < rows("--max_per_problem", "1") < rows("--max_per_problem", "99") == rows()


@pytest.mark.slow
def test_rows_without_privileged_context_are_refused(run: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "2 + 2?", "completion": "4"}) + "\n", encoding="utf-8")

    def prepared(*more: str) -> Any:
        return prepare_privileged(parse("sdft", [*WORDS, *more]))

    with pytest.raises(UsageError, match="privileged_context"):
        prepared("--dataset_name", str(rows))
    with pytest.raises(UsageError, match="prompts are longer than"):
        prepared("--dataset_name", str(run), "--max_completion_length", "100000")
    with pytest.raises(UsageError, match="the setting max_prompt_length"):
        prepared("--dataset_name", str(run), "--max_prompt_length", "20")
    with pytest.raises(UsageError, match="eval_dataset_name"):
        prepared("--dataset_name", str(run), "--eval_dataset_name", str(run))


@pytest.mark.slow
def test_a_moving_average_is_not_lost_unsaid_at_a_resumption(run: Path, tmp_path: Path) -> None:
    words = [*WORDS, *SAVING, "--dataset_name", str(run), "--output_dir", str(tmp_path / "out")]
    words += ["--per_device_train_batch_size", "2", "--teacher_model_kind", "ema"]
    with pytest.raises(KeyboardInterrupt):
        train("sdft", words, [Stop(3)])

    with pytest.raises(UsageError, match="moving average"):
        train("sdft", words)
