"""Direct preference optimization and KTO, by TRL's own trainers, over the pairs and graded rationales of a run.

DPO: arXiv 2305.18290. KTO: arXiv 2402.01306. Both compare the student with itself as it was before the training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from errata.config.hooks import Hooks, check_hooks
from errata.exports.labeled_rows import KTO as KTO_FORMAT
from errata.exports.pair_rows import DPO as DPO_FORMAT
from errata.training.encode import Group
from errata.training.method import GRADER_ONLY, Knobs, Method
from errata.training.prepare import Prepared
from errata.training.terms import Term
from errata.training.training_run import TrainingRun
from errata.training.trl_methods import LossOfTrl, TrlFlags, as_dataset, frozen_copy, run_trl
from errata.training.trl_rows import labeled_rows, preference_rows, with_mismatched

HOOKS: Hooks = {"_prepare_dataset": ("dataset", "processing_class", "args", "dataset_name")}
"""What is overridden of TRL's trainers: the rows hold token ids already."""


@dataclass
class DpoTraining(TrlFlags, DPOConfig):  # type: ignore[misc]
    """TRL's flags of DPO."""


@dataclass
class KtoTraining(TrlFlags, KTOConfig):  # type: ignore[misc]
    """TRL's flags of KTO."""


class PairTrainer(DPOTrainer):
    """TRL's, over rows of token ids."""

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        return dataset


class LabelTrainer(KTOTrainer):
    """TRL's, over rows of token ids, whose mismatched completions are those of the batch as it is."""

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        if not self.calculate_KL:
            return dataset
        return as_dataset(with_mismatched(dataset.to_list(), args.per_device_train_batch_size))


def dpo_terms(knobs: Knobs) -> tuple[Term, ...]:
    return (LossOfTrl(loss="dpo", pairs=True, reads=("chosen", "rejected")),)


def kto_terms(knobs: Knobs) -> tuple[Term, ...]:
    return (LossOfTrl(loss="kto", reads=("right", "wrong")),)


def _builder(
    trainer: type[Any], parent: type[Any], rows_of: Callable[[Iterable[Group]], Iterable[dict[str, Any]]]
) -> Callable[[TrainingRun[Knobs], Prepared, Any], Any]:
    """Builds a trainer of TRL's over errata's rows; its parent's hooks are checked."""

    def build(training: TrainingRun[Knobs], prepared: Prepared, lora: Any) -> Any:
        check_hooks(parent, HOOKS, exact=True)
        return trainer(
            prepared.student.model,
            frozen_copy(prepared, lora),
            training.args,
            train_dataset=as_dataset([*rows_of(prepared.rows)]),
            eval_dataset=prepared.eval_rows and as_dataset([*rows_of(prepared.eval_rows)]),
            processing_class=prepared.student.tokenizer,
            peft_config=lora,
            callbacks=training.callbacks,
        )

    return build


_dpo = _builder(PairTrainer, DPOTrainer, preference_rows)
_kto = _builder(LabelTrainer, KTOTrainer, labeled_rows)


DPO = Method(
    name="dpo",
    help="Direct preference optimization over pairs, by TRL's trainer.",
    paper="DPO, arXiv 2305.18290",
    format=DPO_FORMAT,
    terms=dpo_terms,
    knobs=Knobs,
    training=DpoTraining,  # type: ignore[arg-type]
    controls=(GRADER_ONLY,),
    run=lambda training: run_trl(training, _dpo),
)
KTO = Method(
    name="kto",
    help="KTO over right and wrong rationales, by TRL's trainer.",
    paper="KTO, arXiv 2402.01306",
    format=KTO_FORMAT,
    terms=kto_terms,
    knobs=Knobs,
    training=KtoTraining,  # type: ignore[arg-type]
    run=lambda training: run_trl(training, _kto),
)
