"""TRL's SFTTrainer with an objective of several terms: one forward pass, denominators of the whole step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import SFTConfig, SFTTrainer

from errata.config.hooks import Hooks, check_attributes, check_hooks
from errata.errors import Diverged, UsageError
from errata.training.arguments import Training, is_large_on_cpu
from errata.training.collate import IGNORED, Batch, Collator, parts_of
from errata.training.encode import Group, fingerprint, refuse_truncation
from errata.training.fillers import filled_up
from errata.training.hidden_states import add_readout, learned_scores, refuse_scaled_logits, takes_fused_head
from errata.training.length_sampler import EpochLengthSampler
from errata.training.objective import Objective
from errata.training.refused_settings import refuse_settings, unknown_setting
from errata.training.shared_prompts import in_sequences, inputs_of, reads_alike
from errata.training.step_sums import StepSums, squared_norms
from errata.training.terms import ForwardPass, Teacher

HOOKS: Hooks = {
    "_set_signature_columns_if_needed": (),
    "_get_train_sampler": ("train_dataset",),
    "_get_num_items_in_batch": ("batch_samples", "device"),
    "training_step": ("args", "kwargs"),
    "prediction_step": ("model", "inputs", "prediction_loss_only", "ignore_keys"),
    "compute_loss": ("model", "inputs", "return_outputs", "num_items_in_batch"),
    "get_eval_dataloader": ("eval_dataset",),
    "evaluation_loop": ("dataloader", "description", "prediction_loss_only", "ignore_keys", "metric_key_prefix"),
}
"""What GroupTrainer overrides of TRL's trainer."""
ATTRIBUTES = ("_metrics", "_total_train_tokens", "_signature_columns", "aux_loss_enabled")
"""What it reads and sets of it."""
TOKENS_ON_CPU = 1024
"""Tokens that pass at once through a student that is not tiny on a CPU, where no budget is asked for. One core
with AVX-512 passes 160 tokens/s through a 135M student so, 145 where it takes 2,048 and 130 where it takes 256; and of
16 rows of SVAMP's rationales 9 % is padding, of 8 without parts 37 %."""


class GroupTrainer(SFTTrainer):
    """Trains on groups (encode.Group) by an Objective.

    Logged at every `logging_steps`, for each part of each term: `loss/NAME`, its value before its factor, and
    `grad_share/NAME`, the norm of its gradient at the last hidden state as a share of all parts' norms at that step; so
    a term that does nothing shows. And for each kind of sequence `logp/KIND`, its mean log-probability per token.
    """

    objective: Objective
    teacher: Teacher | None
    loss_is_scaled_for_ga: Any = True  # by our own denominators, which count the whole step

    def __init__(self, *args: Any, objective: Objective, teacher: Teacher | None = None, **kwargs: Any) -> None:
        check_hooks(SFTTrainer, HOOKS, exact=True)
        super().__init__(*args, **kwargs)
        check_attributes(self, SFTTrainer, ATTRIBUTES)
        self.objective, self.teacher = objective, teacher
        spread = self.accelerator.parallelism_config
        if self.aux_loss_enabled:
            raise unknown_setting("router_aux_loss_coef")
        if spread is not None and (spread.cp_enabled or spread.sp_enabled):
            raise unknown_setting("context or sequence parallelism")
        self._base: Any = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        if objective.reads_logits:
            refuse_scaled_logits(self._base)
        add_readout(self._base)
        self._sums, self._parted = StepSums(), False
        if isinstance(self.data_collator, Collator):
            self.add_callback(_TellEpoch(self.data_collator))

    # ---- TRL's and transformers' hooks ----

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns: Any = [*Group.__annotations__, self.args.length_column_name]

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(train_dataset)
        if not isinstance(sampler, LengthGroupedSampler):
            return sampler
        return EpochLengthSampler(sampler, self.args.seed if self.args.data_seed is None else self.args.data_seed)

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        """The K denominators of the step: over all micro-batches and processes."""
        counts_K = torch.zeros(len(self.objective.parts), device=device)
        for part in (part for batch in batch_samples for part in parts_of(batch)):
            counts_K += self.objective.counts(part).to(device)
        return self.accelerator.reduce(counts_K, "sum") if self.accelerator.num_processes > 1 else counts_K

    def training_step(self, model: Any, inputs: Batch, num_items_in_batch: Any = None) -> Tensor:
        """One micro-batch, part by part; gradients meet those of other processes after the last one."""
        losses: list[Tensor] = []
        for place, part in enumerate(parts := parts_of(inputs)):
            self._parted = place < len(parts) - 1
            with self.accelerator.no_sync(model) if self._parted else nullcontext():
                losses.append(super().training_step(model, part, num_items_in_batch))  # type: ignore[no-untyped-call]
        return torch.stack(losses).sum()

    def prediction_step(
        self, model: Any, inputs: Batch, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[Any, Any, Any]:
        """Of a batch in parts the last part's loss is returned, for `evaluation_loop` gives that of the whole set."""
        loss: Any = None
        for part in parts_of(inputs):
            loss, *_ = super().prediction_step(model, part, True, ignore_keys)
        return loss, None, None

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        training = model.training
        local_K = self.objective.counts(inputs)
        counts_K = local_K if num_items_in_batch is None else num_items_in_batch
        outputs, forward = self._forward(model, inputs)
        sums = self.objective.sums(forward, inputs)
        terms = [
            part.factor * value / count
            for part, value, count in zip(self.objective.parts, sums, counts_K.clamp(min=1e-8), strict=True)
        ]
        shares = squared_norms(terms, forward) if training and self._share_due() else []
        self._sums.add(inputs, outputs, sums, local_K, shares)
        if training and self.accelerator.gradient_state.sync_gradients and not self._parted:
            self._flush("train")
        loss = torch.stack(terms).sum()
        if num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # gradients are averaged over processes
        return (loss, outputs) if return_outputs else loss

    def _forward(self, model: Any, batch: Batch) -> tuple[Any, ForwardPass]:
        states: dict[str, Any] = {}
        base = self._base
        fused = takes_fused_head(base, batch["input_ids"].device)

        def readout(hidden: Tensor, project: Any) -> Any:
            hidden_BTD = in_sequences(hidden, batch)
            states.update(hidden_BTD=hidden_BTD, project=project)
            if self.objective.reads_answers:
                with torch.set_grad_enabled(torch.is_grad_enabled() and self.objective.trains_answers):
                    states["answer_NV"] = project(hidden_BTD.flatten(0, 1)[batch["answer_rows"]])
            return None if fused else learned_scores(base, hidden_BTD, batch["labels"])

        inputs: dict[str, Any] = inputs_of(batch)
        if fused:
            inputs |= {"labels": batch["labels"], "fused_lm_head": True}
        outputs = model(**inputs, use_cache=False, readout=readout)
        return outputs, ForwardPass(logp_BT=outputs.log_probs, teacher=self.teacher, **states)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Held-out rows are read once each and alike at every epoch: evaluations differ by the weights alone."""
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        if self.accelerator.num_processes > 1 and isinstance(rows, Dataset):
            eval_dataset = filled_up(rows, self.args.eval_batch_size * self.accelerator.num_processes)
        collator = self.data_collator
        if isinstance(collator, Collator):
            self.data_collator = collator.of_first_epoch()
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = collator

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        """The loss is that of the whole set as one step, however it is split into batches."""
        self._sums = StepSums()
        output = super().evaluation_loop(dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix)
        if self._sums and output.metrics is not None:
            output.metrics[f"{metric_key_prefix}_loss"] = self._flush("eval")
        return output

    # ---- what is logged ----

    def _share_due(self) -> bool:
        step = self.state.global_step + 1
        due = step % self.state.logging_steps == 0 or (step == 1 and self.args.logging_first_step)
        return due and self.args.logging_strategy == "steps" and len(self.objective.parts) > 1

    def _flush(self, mode: str) -> float:
        """One entry per step into TRL's metrics, which averages entries; the loss. Raises if a step's is no number.

        In evaluation, everything since its start counts as one step.
        """
        spread = self.accelerator.num_processes > 1
        totals = self._sums.take(lambda flat: self.accelerator.reduce(flat, "sum") if spread else flat)
        for name, value in totals.metrics(self.objective.parts).items():
            self._metrics[mode][name].append(value)
        if mode == "train":
            self._total_train_tokens += int(totals.other[-1])
            self._refuse_nan(totals.value)
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]
        return totals.loss(self.objective.parts)

    def _refuse_nan(self, values: Sequence[float]) -> None:
        lost = [part.name for part, value in zip(self.objective.parts, values, strict=True) if value - value != 0]
        if lost:
            raise Diverged(
                f"the loss of {', '.join(lost)} is no finite number in step {self.state.global_step + 1}",
                "the student has diverged; this step has changed no weight and the last checkpoint stands",
                "lower the learning rate, or the weight of what pushes down (beta; bounded: true)",
            )


class _TellEpoch(TrainerCallback):
    """Tells the collator the epoch, so that pair draws depend on it, also after a resume."""

    def __init__(self, collator: Collator) -> None:
        self.collator = collator

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.collator.set_epoch(int(state.epoch or 0))


def build_trainer(
    model: Any,
    args: SFTConfig,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    objective: Objective,
    *,
    eval_rows: Dataset | None = None,
    teacher: Teacher | None = None,
    **kwargs: Any,
) -> SFTTrainer:
    """The trainer for rows and an objective; TRL's own where packing is asked for, which plain distillation allows.

    Args:
        rows: a datasets.Dataset whose rows are encode.Group.
        kwargs: passed on to SFTTrainer (`peft_config`, `callbacks`, ...).

    Raises:
        UsageError: rows of another tokenizer, rows longer than `args.max_length`, or a combination that is refused.
    """
    objective.refuse(packing=args.packing, teacher=teacher is not None)
    refuse_settings(args)
    for data in (rows, eval_rows):
        if data is not None:
            check_rows(data, tokenizer, objective, args.max_length)
    args.dataset_kwargs = {**_mapping(args.dataset_kwargs), "skip_prepare_dataset": True}
    if args.packing:
        return _packed(model, args, rows, eval_rows, tokenizer, **kwargs)
    args.max_length = None  # nothing is left to cut, and TRL would not know our columns
    if args.train_sampling_strategy in BY_LENGTH:
        rows, eval_rows = (_with_lengths(data, args.length_column_name) for data in (rows, eval_rows))
    collator = Collator(
        pad_id=tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        reading=objective.reading(args.seed if args.data_seed is None else args.data_seed),
        side="left" if tokenizer.padding_side == "left" else "right",
        multiple_of=None if args.pad_to_multiple_of is None else int(args.pad_to_multiple_of),
        tokens=_token_budget(args, model),
        shares_prompts=_shares_prompts(args, model),
    )
    return GroupTrainer(
        model,
        args,
        collator,
        rows,
        eval_rows,
        processing_class=tokenizer,
        objective=objective,
        teacher=teacher,
        **kwargs,
    )


def _token_budget(args: SFTConfig, model: Any) -> int | None:
    """The most tokens that pass through the student at once; None: a batch goes as a whole."""
    flag = args.tokens_per_batch if isinstance(args, Training) else None
    return TOKENS_ON_CPU if flag is None and is_large_on_cpu(args, model) else flag


def _shares_prompts(args: SFTConfig, model: Any) -> bool:
    """Whether the student reads a prompt of several rationales once.

    Raises UsageError where it was asked to and cannot.
    """
    flag = args.share_prompts if isinstance(args, Training) else None
    if flag is False or (flag is None and not is_large_on_cpu(args, model)):
        return False
    able = not takes_fused_head(model, next(model.parameters()).device) and reads_alike(model)
    if flag and not able:
        raise UsageError(
            "the setting share_prompts with this student",
            "prompts are shared by a mask of ours, which its attention or TRL's fused head does not take",
            "leave it out, or set attn_implementation: sdpa",
        )
    return able


BY_LENGTH = ("group_by_length", "batch_rebalance")
"""Sampling strategies of transformers that read how long each row is."""


def _with_lengths(rows: Dataset | None, column: str) -> Any:
    """With the tokens of each row in a column."""
    return rows and rows.map(lambda row: {column: sum(len(member["input_ids"]) for member in row["members"])})


def check_rows(rows: Dataset, tokenizer: PreTrainedTokenizerBase, objective: Objective, max_length: int | None) -> None:
    """Raises UsageError for rows that this tokenizer, context and objective cannot be trained with."""
    if rows.unique("tokenizer") not in ([], [fingerprint(tokenizer)]):
        raise UsageError(
            "rows made with another tokenizer than the student's",
            "their ids mean other tokens to this student",
            "make the rows again with this student's tokenizer",
        )
    if max_length is not None:
        refuse_truncation(rows, max_length)
    objective.check(rows)


def _mapping(value: dict[str, Any] | str | None) -> dict[str, Any]:
    """A setting that TRL also takes as JSON."""
    return json.loads(value) if isinstance(value, str) else dict(value or {})


def _packed(
    model: Any,
    args: SFTConfig,
    rows: Dataset,
    eval_rows: Dataset | None,
    tokenizer: PreTrainedTokenizerBase,
    **kwargs: Any,
) -> SFTTrainer:
    args.dataset_kwargs = {
        **_mapping(args.dataset_kwargs),
        "skip_prepare_dataset": False,
    }  # TRL packs while it prepares

    def flat(batch: dict[str, Any]) -> dict[str, Any]:
        members = [one for group in batch["members"] for one in group if one["kind"] == "right"]
        prompts = [[IGNORED] * one["prompt"] for one in members]
        return {
            "input_ids": [one["input_ids"] for one in members],
            "labels": [prompt + one["input_ids"][len(prompt) :] for prompt, one in zip(prompts, members, strict=True)],
        }

    train, held = (
        None if data is None else data.map(flat, batched=True, remove_columns=data.column_names)
        for data in (rows, eval_rows)
    )
    return SFTTrainer(model, args, train_dataset=train, eval_dataset=held, processing_class=tokenizer, **kwargs)
