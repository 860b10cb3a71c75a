"""NCE: a NAT student's two views distilled into one plain adapter, which can be merged (arXiv 2312.12832, eq. 6-8).

    NAT student, frozen --mixed----> p_NAT --+-- beta = tanh mean KL(p_neg || p_NAT)
                        --negative-> p_neg --+
    fresh LoRA   (1 - a) CE + a (0.5 + beta) H(p_NAT, p_student)

Unlike the official code, beta and both losses are taken over the response alone: there the
question's tokens count as well, which the student is never asked to write. What each control isolates stands in
sequence_weights.py; `lora_sft` is the same adapter on the same rationales by their likelihood alone.
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
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from errata.errors import UsageError
from errata.exports.labeled_rows import NAT as FORMAT
from errata.models.files import NAT_CONFIG, find
from errata.models.gate import NatModel, load_nat
from errata.models.load import tokenizer_in
from errata.training.arguments import Training, option
from errata.training.collate import Batch
from errata.training.encode import fingerprint
from errata.training.hidden_states import add_readout, refuse_scaled_logits
from errata.training.load_student import lora_of
from errata.training.method import Control, Knobs, Method
from errata.training.methods.nat import NatModelConfig
from errata.training.objective import Objective
from errata.training.plain import run_plain
from errata.training.prepare import prepare
from errata.training.sequence_weights import Key, given_weights, own_weights
from errata.training.shared_prompts import in_sequences, inputs_of
from errata.training.terms import Calibrated, Calibration, Likelihood, Term
from errata.training.trainer import build_trainer
from errata.training.training_run import TrainingRun


@dataclass(frozen=True)
class NceKnobs(Knobs):
    nat_checkpoint: str | None = option(None, "The folder that `errata train nat` wrote.")
    a: float = option(0.5, "Share of the distillation; 1 - a is the likelihood's. 0 needs no NAT checkpoint.")
    temperature: float = option(1.0, "Of the distillation.")
    calibrate: Calibration = option(
        "own", "A sequence's weight: its own 0.5 + beta, the mean of all, another one's (shuffled), or one."
    )


@dataclass
class NceTraining(Training):
    learning_rate: float = 3e-4
    warmup_steps: float = 1000
    num_train_epochs: float = 20.0
    per_device_train_batch_size: int = 1
    gradient_accumulation_steps: int = 8


def terms(knobs: NceKnobs) -> tuple[Term, ...]:
    """Without a share of the distillation the likelihood alone."""
    if knobs.a == 0:
        return (Likelihood(),)
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
        self.given: dict[Key, float] = {}
        """The weights that a control gives to sequences."""
        self._project: Callable[[Tensor], Tensor] | None = None

    def hidden(self, view: Literal["mixed", "negative"], batch: Batch) -> Tensor:
        """Last hidden states BTD, without gradient."""
        states: list[Tensor] = []

        def readout(hidden: Tensor, project: Callable[[Tensor], Tensor]) -> None:
            states.append(in_sequences(hidden, batch))
            self._project = project

        with torch.no_grad(), self.autocast(), self.nat.view(view):
            self.base(**inputs_of(batch), use_cache=False, readout=readout)
        return states[0]

    def project(self, hidden_ND: Tensor) -> Tensor:
        """Their logits NV, in fp32; after `hidden`."""
        with torch.no_grad(), self.autocast():
            assert self._project is not None
            return self._project(hidden_ND)

    def given_weights(self, batch: Batch) -> Tensor:
        """As terms.Teacher says."""
        ids_BT, mask_BT = batch["input_ids"], batch["attention_mask"].bool()
        if not self.given:
            return torch.ones(len(ids_BT), device=ids_BT.device)
        keys = [tuple(ids_T[mask_T].tolist()) for ids_T, mask_T in zip(ids_BT, mask_BT, strict=True)]
        return torch.tensor([self.given.get(key, 1.0) for key in keys], device=ids_BT.device)

    def give(self, rows: Dataset, term: Calibrated, seed: int) -> None:
        """Fixes the weights of these rows' sequences, where the term takes others than their own."""
        if term.calibrate in ("mean", "shuffled"):
            own = own_weights(self, rows, term.reads, next(self.nat.parameters()).device)
            self.given |= given_weights(own, term.calibrate, seed)


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
    *,
    eval_rows: Dataset | None = None,
    **kwargs: Any,
) -> SFTTrainer:
    """Stage 3. Rows without a right rationale are left out.

    Args:
        base: the plain student that both views and the new adapter stand on.
        lora: the peft.LoraConfig of the new adapter.
        objective: of `terms`; its `calibrate` says whose weight a sequence has.
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
    rows = rows.filter(objective.takes)
    trainer = build_trainer(
        base, args, rows, tokenizer, objective, eval_rows=eval_rows, teacher=nat, peft_config=lora, **kwargs
    )
    nat.nat.to(trainer.accelerator.device)
    nat.autocast = trainer.accelerator.autocast
    for term in (term for term in objective.terms if isinstance(term, Calibrated)):
        for data in (data for data in (eval_rows, rows) if data is not None):  # of a sequence in both, training counts
            nat.give(data, term, args.seed)
    return trainer


# ---- how it is run ---------------------------------------------------------------------------------------------------


def run(training: TrainingRun[NceKnobs]) -> int:
    """Trains the student from its NAT checkpoint; its base is the NAT student's by default."""
    arguments = training.arguments
    assert isinstance(arguments.knobs, NceKnobs)
    checkpoint = _nat_checkpoint(arguments.knobs) if arguments.knobs.a or arguments.knobs.nat_checkpoint else None
    if arguments.model.model_name_or_path is None and checkpoint is not None:
        base = find(str(checkpoint)).base
        arguments.model.model_name_or_path = str(base.path) if base else None
    if checkpoint is None or not arguments.knobs.a:
        return run_plain(training)
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
    if fingerprint(tokenizer_in(checkpoint)) != fingerprint(tokenizer):
        raise UsageError(
            f"the tokenizer of {checkpoint} and that of {student} differ",
            "distillation compares their distributions token by token",
            "take the base that the NAT student was trained on",
        )


NCE = Method(
    name="nce",
    help="A NAT student distilled into a plain adapter (NCE).",
    paper="NCE, arXiv 2312.12832",
    format=FORMAT,
    terms=terms,
    knobs=NceKnobs,
    training=NceTraining,
    model=NatModelConfig,
    controls=(
        Control("weights_mean", "every weight is the mean of the weights", knobs={"calibrate": "mean"}),
        Control("weights_shuffled", "the same weights on other sequences", knobs={"calibrate": "shuffled"}),
        Control("weights_one", "every weight is 1, so the distillation's share grows", knobs={"calibrate": "one"}),
        Control("lora_sft", "plain distillation of the same right rationales, the same adapter", knobs={"a": 0.0}),
    ),
    needs_teacher=True,
    run=run,
)
