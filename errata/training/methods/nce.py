"""NCE: a NAT student's two views distilled into one plain adapter, which can be merged (arXiv 2312.12832, eq. 6-8).

    NAT student, frozen --mixed----> p_NAT --+-- beta = tanh mean KL(p_neg || p_NAT)
                        --negative-> p_neg --+
    fresh LoRA   (1 - a) CE + a (0.5 + beta) H(p_NAT, p_student)

The terms are objective.nce. Unlike the official code, beta and both losses are taken over the response alone: there the
question's tokens count as well, which the student is never asked to write.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from trl import SFTConfig, SFTTrainer

from errata.errors import UsageError
from errata.models.gate import NatModel, load_nat
from errata.training.collate import Batch
from errata.training.hidden_states import add_readout, refuse_scaled_logits
from errata.training.objective import Objective, Term, nce
from errata.training.trainer import build_trainer

INPUTS = ("input_ids", "attention_mask", "position_ids")


class NatTeacher:
    """A frozen NAT student seen two ways (terms.Teacher). `autocast` is entered around its forward passes."""

    def __init__(self, nat: NatModel) -> None:
        self.nat = nat.eval().requires_grad_(False)
        self.base = nat.get_base_model()
        refuse_scaled_logits(self.base)
        add_readout(self.base)
        self.autocast: Any = nullcontext
        self._project: Any = None

    def hidden(self, view: Literal["mixed", "negative"], batch: Batch) -> Tensor:
        """Last hidden states BTD, without gradient."""
        read: list[Tensor] = []

        def readout(hidden_BTD: Tensor, project: Any) -> None:
            read.append(hidden_BTD)
            self._project = project

        inputs = {name: batch[name] for name in INPUTS if name in batch}
        around: AbstractContextManager[Any] = self.autocast()
        with torch.no_grad(), around, self.nat.view(view):
            self.base(**inputs, use_cache=False, logits_to_keep=1, readout=readout)
        return read[0]

    def project(self, hidden_ND: Tensor) -> Tensor:
        """Their logits NV, in fp32."""
        with torch.no_grad(), self.autocast():
            logits: Tensor = self._project(hidden_ND)
        return logits


def nat_teacher(base: Any, directory: str | Path) -> NatTeacher:
    """The NAT student saved in `directory`, frozen, on the weights of `base` themselves: none is held twice.

    `base` is frozen by it, and stays free to take the student's adapter. Raises UsageError as load_nat does.
    """
    beside = copy.deepcopy(base, {id(value): value for value in base.parameters()})
    return NatTeacher(load_nat(beside, directory))


def nce_trainer(
    base: Any,
    nat: NatTeacher,
    args: SFTConfig,
    rows: Any,
    tokenizer: Any,
    lora: Any,
    terms: tuple[Term, ...] | None = None,
    **kwargs: Any,
) -> SFTTrainer:
    """Stage 3. Rows without a right rationale are left out.

    Args:
        base: the plain student that both views and the new adapter stand on.
        lora: the peft.LoraConfig of the new adapter.
        terms: those of objective.nce by default; with `calibrate=False` every weight is 1, the control.
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
    sizes = [model.get_input_embeddings().weight.shape[0] for model in (base, nat.base)]
    if sizes[0] != sizes[1]:
        raise UsageError(
            f"a student of {sizes[0]} tokens and a NAT student of {sizes[1]}",
            "distillation compares their distributions token by token",
            "take the base that the NAT student was trained on",
        )
    objective = Objective(terms or nce())
    trainer = build_trainer(
        base, args, rows.filter(objective.takes), tokenizer, objective, teacher=nat, peft_config=lora, **kwargs
    )
    nat.nat.to(trainer.accelerator.device)
    nat.autocast = trainer.accelerator.autocast
    return trainer
