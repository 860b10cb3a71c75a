"""TRL's SFTTrainer with an objective of several terms: one forward pass, denominators of the whole step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase, TrainerCallback
from trl import SFTConfig, SFTTrainer

from errata.config.hooks import Hooks, check_attributes, check_hooks
from errata.errors import ErrataError, UsageError
from errata.exports.sequences import KINDS
from errata.training.collate import IGNORED, Batch, Collator
from errata.training.encode import Group, fingerprint, refuse_truncation
from errata.training.hidden_states import add_readout, refuse_scaled_logits
from errata.training.objective import Objective
from errata.training.terms import ForwardPass, Teacher

HOOKS: Hooks = {
    "_set_signature_columns_if_needed": (),
    "_get_num_items_in_batch": ("batch_samples", "device"),
    "compute_loss": ("model", "inputs", "return_outputs", "num_items_in_batch"),
    "log": ("logs", "start_time"),
}
"""What GroupTrainer overrides of TRL's trainer."""
ATTRIBUTES = ("_metrics", "_total_train_tokens", "_signature_columns", "aux_loss_enabled")
"""What it reads and sets of it."""
MODEL_COLUMNS = ("input_ids", "attention_mask", "position_ids", "labels")


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
            raise _unknown_setting("router_aux_loss_coef")
        if spread is not None and (spread.cp_enabled or spread.sp_enabled):
            raise _unknown_setting("context or sequence parallelism")
        base = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        if objective.reads_logits:
            refuse_scaled_logits(base)
        add_readout(base)
        self._sums: dict[str, Tensor] = {}
        if isinstance(self.data_collator, Collator):
            self.add_callback(_TellEpoch(self.data_collator))

    # ---- TRL's and transformers' hooks ----

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns: Any = list(Group.__annotations__)

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        """The K denominators of the step: over all micro-batches and processes."""
        counts_K = torch.zeros(len(self.objective.parts), device=device)
        for batch in batch_samples:
            counts_K += self.objective.counts(batch).to(device)
        return self.accelerator.reduce(counts_K, "sum") if self.accelerator.num_processes > 1 else counts_K

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
        self._note(inputs, outputs, sums, local_K, shares)
        loss = torch.stack(terms).sum()
        if num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # gradients are averaged over processes
        return (loss, outputs) if return_outputs else loss

    def _forward(self, model: Any, batch: Batch) -> tuple[Any, ForwardPass]:
        states: dict[str, Any] = {}

        def readout(hidden_BTD: Tensor, project: Any) -> None:
            states.update(hidden_BTD=hidden_BTD, project=project)
            if self.objective.reads_answers:
                with torch.set_grad_enabled(torch.is_grad_enabled() and self.objective.trains_answers):
                    states["answer_NV"] = project(hidden_BTD.flatten(0, 1)[batch["answer_rows"]])

        inputs = {name: batch[name] for name in MODEL_COLUMNS if name in batch}
        outputs = model(**inputs, use_cache=False, fused_lm_head=True, readout=readout)
        return outputs, ForwardPass(logp_BT=outputs.log_probs, teacher=self.teacher, **states)

    @property
    def _is_training(self) -> bool:
        return self.model is not None and self.model.training

    # ---- what is logged ----

    def _share_due(self) -> bool:
        step = self.state.global_step + 1
        due = step % self.state.logging_steps == 0 or (step == 1 and self.args.logging_first_step)
        return due and self.args.logging_strategy == "steps" and len(self.objective.parts) > 1

    def _note(
        self, batch: Batch, outputs: Any, sums: Sequence[Tensor], counts: Tensor, shares: Sequence[Tensor]
    ) -> None:
        """Adds this micro-batch to the sums of its step (in evaluation: of the whole evaluation)."""
        with torch.no_grad():
            tokens_B = outputs.label_mask.sum(1)
            zeros = counts.new_zeros(len(KINDS))
            sums_of_batch = {
                "value": torch.stack([value.detach().float() for value in sums]),
                "count": counts,
                "squared": torch.stack(list(shares)) if shares else torch.zeros_like(counts),
                "logp": zeros.index_add(0, batch["kind"], outputs.log_probs.sum(1).float()),
                "tokens": zeros.index_add(0, batch["kind"], tokens_B.float()),
                "other": torch.stack(
                    [
                        outputs.entropy.sum().float(),
                        outputs.is_top1.sum().float(),
                        batch["attention_mask"].sum().float(),
                    ]
                ),
            }
        self._sums = {name: self._sums[name] + value if self._sums else value for name, value in sums_of_batch.items()}
        if self._is_training and self.accelerator.gradient_state.sync_gradients:
            self._flush("train", shared=bool(shares))

    def _flush(self, mode: str, shared: bool = False) -> None:
        """One entry per step into TRL's metrics, which averages entries; raises if the loss is no number."""
        names, sizes = list(self._sums), [len(value) for value in self._sums.values()]
        flat = torch.cat(list(self._sums.values()))
        flat = self.accelerator.reduce(flat, "sum") if self.accelerator.num_processes > 1 else flat
        self._sums = {}
        totals = dict(zip(names, (part.tolist() for part in flat.split(sizes)), strict=True))
        metrics, tokens_read = self._metrics[mode], max(1.0, sum(totals["tokens"]))
        norm = sum(square**0.5 for square in totals["squared"])
        columns = zip(self.objective.parts, totals["value"], totals["count"], totals["squared"], strict=True)
        for part, value, count, squared in columns:
            if count:
                metrics[f"loss/{part.name}"].append(value / count)
            if shared and norm:
                metrics[f"grad_share/{part.name}"].append(squared**0.5 / norm)
        for kind, logp, tokens in zip(KINDS, totals["logp"], totals["tokens"], strict=True):
            if tokens:
                metrics[f"logp/{kind}"].append(logp / tokens)
        entropy, right, width = totals["other"]
        metrics["entropy"].append(entropy / tokens_read)
        metrics["mean_token_accuracy"].append(right / tokens_read)
        if mode == "train":
            self._total_train_tokens += int(width)
            self._refuse_nan(totals["value"])
        metrics["num_tokens"] = [self._total_train_tokens]

    def _refuse_nan(self, values: Sequence[float]) -> None:
        lost = [part.name for part, value in zip(self.objective.parts, values, strict=True) if value - value != 0]
        if lost:
            raise ErrataError(
                f"the loss of {', '.join(lost)} is no finite number in step {self.state.global_step + 1}",
                "the student has diverged; this step has changed no weight and the last checkpoint stands",
                "lower the learning rate, or the weight of what pushes down (beta; bounded: true)",
            )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if not self._is_training and self._sums:
            self._flush("eval")
        super().log(logs, start_time)


def squared_norms(terms: Sequence[Tensor], forward: ForwardPass) -> list[Tensor]:
    """Squared norm of each term's gradient at the last hidden state.

    A log-probability depends on the hidden state of its own position alone, so one pass back through the LM head serves
    all terms that are made of log-probabilities; the others read few positions, or the states themselves.
    """
    states = forward.hidden_BTD
    (slope_BTD,) = torch.autograd.grad(forward.logp_BT.sum(), states, retain_graph=True)
    slope_BT = slope_BTD[:, :-1].float().square().sum(-1)
    norms = []
    for term in terms:
        if not term.requires_grad:
            norms.append(slope_BT.new_zeros(()))
            continue
        (by_logp_BT,) = torch.autograd.grad(term, forward.logp_BT, retain_graph=True, allow_unused=True)
        if by_logp_BT is None:
            (gradient_BTD,) = torch.autograd.grad(term, states, retain_graph=True)
            norms.append(gradient_BTD.float().square().sum())
        else:
            norms.append((by_logp_BT.float().square() * slope_BT).sum())
    return norms


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
    _refuse_settings(args)
    for data in (rows, eval_rows):
        if data is not None:
            check_rows(data, tokenizer, objective, args.max_length)
    args.dataset_kwargs = {**_mapping(args.dataset_kwargs), "skip_prepare_dataset": True}
    if args.packing:
        return _packed(model, args, rows, eval_rows, tokenizer, **kwargs)
    args.max_length = None  # nothing is left to cut, and TRL would not know our columns
    collator = Collator(
        pad_id=tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        reading=objective.reading(args.seed if args.data_seed is None else args.data_seed),
        side="left" if tokenizer.padding_side == "left" else "right",
        multiple_of=None if args.pad_to_multiple_of is None else int(args.pad_to_multiple_of),
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


def _refuse_settings(args: SFTConfig) -> None:
    settings = {
        "label_smoothing_factor": args.label_smoothing_factor > 0,
        f"loss_type {args.loss_type}": args.loss_type != "nll",
        "padding_free": args.padding_free and not args.packing,
        "use_liger_kernel": args.use_liger_kernel,
    }
    for name in (name for name, value in settings.items() if value):
        raise _unknown_setting(name)


def _unknown_setting(name: str) -> UsageError:
    return UsageError(f"the setting {name}", "the objective's terms do not know it", "leave it at its default")


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
