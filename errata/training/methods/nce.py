"""NCE: a NAT student's two views distilled into one plain adapter, which can be merged (arXiv 2312.12832, eq. 6-8).

    NAT student, frozen --mixed----> p_NAT --+-- beta = tanh mean KL(p_neg || p_NAT)
                        --negative-> p_neg --+
    fresh LoRA   (1 - a) CE + a (0.5 + beta) H(p_NAT, p_student)

Unlike the official code, beta and both losses are taken over the response alone: there the
question's tokens count as well, which the student is never asked to write.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from peft import LoraConfig
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from errata.errors import UsageError
from errata.exports.labeled_rows import NAT as FORMAT
from errata.models.files import NAT_CONFIG, find
from errata.models.gate import NatModel, load_nat
from errata.training.arguments import Training, option
from errata.training.collate import Batch
from errata.training.encode import fingerprint
from errata.training.hidden_states import add_readout, refuse_scaled_logits
from errata.training.load_student import lora_of
from errata.training.method import Control, Knobs, Method
from errata.training.methods.nat import NatModelConfig
from errata.training.objective import Objective
from errata.training.prepare import prepare
from errata.training.terms import Calibrated, Likelihood, Term
from errata.training.trainer import build_trainer
from errata.training.training_run import TrainingRun

INPUTS = ("input_ids", "attention_mask", "position_ids")


@dataclass(frozen=True)
class NceKnobs(Knobs):
    nat_checkpoint: str | None = option(None, "The folder that `errata train nat` wrote.")
    a: float = option(0.5, "Share of the distillation; 1 - a is the likelihood's.")
    temperature: float = option(1.0, "Of the distillation.")
    calibrate: bool = option(True, "Weigh each sequence by 0.5 + beta; without it every weight is 1.")


@dataclass
class NceTraining(Training):
    learning_rate: float = 3e-4
    warmup_steps: float = 1000
    num_train_epochs: float = 20.0
    per_device_train_batch_size: int = 1
    gradient_accumulation_steps: int = 8


def terms(knobs: NceKnobs) -> tuple[Term, ...]:
    distillation = Calibrated(weight=knobs.a, temperature=knobs.temperature, calibrate=knobs.calibrate)
    return Likelihood(weight=1 - knobs.a), distillation


class NatTeacher:
    """A frozen NAT student seen two ways (terms.Teacher). `autocast` is entered around its forward passes."""

    def __init__(self, nat: NatModel) -> None:
        self.nat = nat.eval().requires_grad_(False)
        self.base = nat.get_base_model()
        refuse_scaled_logits(self.base)
        add_readout(self.base)
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        self._project: Callable[[Tensor], Tensor] | None = None

    def hidden(self, view: Literal["mixed", "negative"], batch: Batch) -> Tensor:
        """Last hidden states BTD, without gradient."""
        states: list[Tensor] = []

        def readout(hidden_BTD: Tensor, project: Callable[[Tensor], Tensor]) -> None:
            states.append(hidden_BTD)
            self._project = project

        inputs = {name: batch[name] for name in INPUTS if name in batch}
        with torch.no_grad(), self.autocast(), self.nat.view(view):
            self.base(**inputs, use_cache=False, readout=readout)
        return states[0]

    def project(self, hidden_ND: Tensor) -> Tensor:
        """Their logits NV, in fp32; after `hidden`."""
        with torch.no_grad(), self.autocast():
            assert self._project is not None
            return self._project(hidden_ND)


def nat_teacher(base: PreTrainedModel, directory: str | Path) -> NatTeacher:
    """The NAT student saved in `directory`, frozen, on the weights of `base` themselves: none is held twice.

    `base` is frozen by it, and stays free to take the student's adapter. Raises UsageError as load_nat does.
    """
    beside = copy.deepcopy(base, {id(value): value for value in base.parameters()})
    return NatTeacher(load_nat(beside, directory))


def nce_trainer(
    base: PreTrainedModel,
    nat: NatTeacher,
    args: SFTConfig,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    lora: LoraConfig | None,
    objective: Objective,
    **kwargs: Any,
) -> SFTTrainer:
    """Stage 3. Rows without a right rationale are left out.

    Args:
        base: the plain student that both views and the new adapter stand on.
        lora: the peft.LoraConfig of the new adapter.
        objective: of `terms`; with `calibrate=False` every weight is 1, the control.
        kwargs: passed on to build_trainer.

    Raises:
        UsageError: without `lora`, for another vocabulary than the teacher's, or as build_trainer does.
    """
    if lora is None:
        raise UsageError(
            "NCE with full fine-tuning",
            "the NAT student and the new one stand on the same frozen weights",
            "set use_peft: true and the LoRA settings",
        )
    students: tuple[Any, Any] = (base, nat.base)
    sizes = [student.get_input_embeddings().weight.shape[0] for student in students]
    if sizes[0] != sizes[1]:
        raise UsageError(
            f"a student of {sizes[0]} tokens and a NAT student of {sizes[1]}",
            "distillation compares their distributions token by token",
            "take the base that the NAT student was trained on",
        )
    trainer = build_trainer(
        base, args, rows.filter(objective.takes), tokenizer, objective, teacher=nat, peft_config=lora, **kwargs
    )
    nat.nat.to(trainer.accelerator.device)
    nat.autocast = trainer.accelerator.autocast
    return trainer


# ---- how it is run ---------------------------------------------------------------------------------------------------


def run(training: TrainingRun[NceKnobs]) -> int:
    """Trains the student from its NAT checkpoint; its base is the NAT student's by default."""
    arguments = training.arguments
    assert isinstance(arguments.knobs, NceKnobs)
    checkpoint = _nat_checkpoint(arguments.knobs)
    if arguments.model.model_name_or_path is None:
        base = find(str(checkpoint)).base
        arguments.model.model_name_or_path = str(base.path) if base else None
    prepared = prepare(arguments)
    _check_tokenizer(checkpoint, prepared.student.tokenizer, str(arguments.model.model_name_or_path))
    training.describe(prepared)
    house = prepared.student.house(training.output)

    def build() -> SFTTrainer:
        return nce_trainer(
            prepared.student.model,
            nat_teacher(prepared.student.model, checkpoint),
            training.args,
            prepared.rows,
            prepared.student.tokenizer,
            lora_of(arguments.model),
            prepared.objective,
            eval_rows=prepared.eval_rows,
            callbacks=training.callbacks,
        )

    return training.fit(training.built(prepared.student, house, build), training.output, training.resume)


def _nat_checkpoint(knobs: NceKnobs) -> Path:
    if not knobs.nat_checkpoint:
        raise UsageError(
            "NCE without a NAT checkpoint",
            "it distils a student that has a negative and a positive adapter with their gate",
            "train one with `errata train nat` and set --nat_checkpoint",
        )
    checkpoint = Path(knobs.nat_checkpoint)
    if not (checkpoint / NAT_CONFIG).is_file():
        raise UsageError(
            f"{checkpoint} holds no {NAT_CONFIG}",
            "it is not the folder of a NAT student",
            "name the folder that `errata train nat` wrote",
        )
    return checkpoint


def _check_tokenizer(checkpoint: Path, tokenizer: PreTrainedTokenizerBase, student: str) -> None:
    if not (checkpoint / "tokenizer_config.json").is_file():
        return
    if fingerprint(AutoTokenizer.from_pretrained(checkpoint)) != fingerprint(tokenizer):
        raise UsageError(
            f"the tokenizer of {checkpoint} and that of {student} differ",
            "distillation compares their distributions token by token",
            "take the base that the NAT student was trained on",
        )


NCE = Method(
    name="nce",
    help="A NAT student distilled into a plain adapter (NCE).",
    format=FORMAT,
    terms=terms,
    knobs=NceKnobs,
    training=NceTraining,
    model=NatModelConfig,
    controls=(Control("weights_one", "plain self-distillation", knobs={"calibrate": False}),),
    needs_teacher=True,
    run=run,
)
