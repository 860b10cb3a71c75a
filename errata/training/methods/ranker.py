"""Trains the ranker on pairs: the right rationale of a question shall score 1, the wrong one 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import torch
from datasets import Dataset
from torch import Tensor
from transformers import Trainer, TrainingArguments

from errata.errors import ErrataError, UsageError
from errata.models.ranker import Ranker, Scored, encode, pad, pad_id


class PairRow(TypedDict):
    """A right and a wrong rationale of one question as token ids, each behind the `prompt` ids of the question."""

    chosen: list[int]
    rejected: list[int]
    prompt: int


def pair_loss_sum(logits_P2: Tensor, exponent: float = 3.0) -> Tensor:
    """Sum over P pairs of (1 - s_right)^3 + s_wrong^3, with s the sigmoid of (right, wrong) logits; a scalar.

    The ranking loss of ASC (arXiv 2312.12832); its official code sets the exponent to 3.
    """
    signs = logits_P2.new_tensor([-1.0, 1.0])  # 1 - sigmoid(z) = sigmoid(-z), without cancellation
    return ((logits_P2.float() * signs).sigmoid() ** exponent).sum()


def pairwise_accuracy(scores_P2: Tensor) -> Tensor:
    """Share of pairs whose right rationale scores higher; a tie counts half. P values, to be averaged."""
    return 0.5 + 0.5 * (scores_P2[:, 0] - scores_P2[:, 1]).sign()


def pair_rows(pairs: Iterable[dict[str, Any]], tokenizer: Any, max_length: int) -> Dataset:
    """Rows of `prompt, chosen, rejected` (texts) as token ids. Nothing is cut.

    Raises UsageError: no pair, an empty or equal side, or sides longer than `max_length` (with their count).
    """
    rows = [_pair_row(number, pair, tokenizer) for number, pair in enumerate(pairs, 1)]
    if not rows:
        raise UsageError("no pair", "a ranker learns from a right and a wrong rationale of one question", "add some")
    lengths = [len(side) for row in rows for side in (row["chosen"], row["rejected"])]
    over = [length for length in lengths if length > max_length]
    if over:
        raise UsageError(
            f"{len(over)} of {len(lengths)} rationales are longer than {max_length} tokens (the longest: {max(over)})",
            "cut off at the end they would lose their answers",
            f"set max_length to {max(over)} if the student can hold it, or leave those pairs out",
        )
    return Dataset.from_list([dict(row) for row in rows])


def _pair_row(number: int, pair: dict[str, Any], tokenizer: Any) -> PairRow:
    for name in ("prompt", "chosen", "rejected"):
        if not isinstance(pair.get(name), str) or not pair[name].strip():
            raise UsageError(f"pair {number}: no text in `{name}`", "all three texts are needed", "leave the pair out")
    chosen, rejected = (encode(tokenizer, pair["prompt"], pair[name]) for name in ("chosen", "rejected"))
    if chosen == rejected:
        raise UsageError(
            f"pair {number}: both sides are equal", "nothing tells right from wrong in it", "leave the pair out"
        )
    return PairRow(chosen=chosen.ids, rejected=rejected.ids, prompt=chosen.prompt)


class RankerTrainer(Trainer):  # type: ignore[misc]
    """Trains on `pair_rows`; evaluates the pairwise accuracy on held-out ones.

    Logs, of the pairs since the last log, `accuracy` and the mean scores of right and wrong rationales.
    """

    loss_is_scaled_for_ga = True  # by the pairs of the whole step

    def __init__(
        self,
        model: Ranker,
        args: TrainingArguments,
        rows: Any,
        tokenizer: Any,
        eval_rows: Any = None,
        **kwargs: Any,
    ) -> None:
        args.remove_unused_columns = False
        fill = pad_id(tokenizer)
        super().__init__(
            model,
            args,
            data_collator=lambda rows: _collate(rows, fill),
            train_dataset=rows,
            eval_dataset=eval_rows,
            processing_class=tokenizer,
            compute_metrics=_metrics,
            **kwargs,
        )
        self._seen: Tensor | None = None

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Tensor:
        pairs = torch.tensor(sum(len(batch["input_ids"]) // 2 for batch in batch_samples), device=device)
        return self.accelerator.reduce(pairs, "sum") if self.accelerator.num_processes > 1 else pairs

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        logits_P2 = model(**inputs).unflatten(0, (-1, 2))
        loss = pair_loss_sum(logits_P2, self.model.settings.exponent)
        if num_items_in_batch is None:
            loss = loss / len(logits_P2)
        else:
            loss = loss / num_items_in_batch * self.accelerator.num_processes  # gradients are averaged over processes
        scores_P2 = logits_P2.detach().sigmoid()
        if self.model.training:
            self._note(scores_P2)
        return (loss, scores_P2) if return_outputs else loss

    def _note(self, scores_P2: Tensor) -> None:
        if not scores_P2.isfinite().all():
            raise ErrataError(
                f"the ranker's scores are no numbers in step {self.state.global_step + 1}",
                "it has diverged; this step has changed no weight and the last checkpoint stands",
                "lower the learning rate",
            )
        columns = [pairwise_accuracy(scores_P2), *scores_P2.unbind(1), torch.ones_like(scores_P2[:, 0])]
        sums = torch.stack(columns).sum(1)
        self._seen = sums if self._seen is None else self._seen + sums

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if self._seen is not None and "loss" in logs:
            sums = self.accelerator.reduce(self._seen, "sum") if self.accelerator.num_processes > 1 else self._seen
            means = (sums[:3] / sums[3]).tolist()
            logs |= dict(zip(("accuracy", "score/right", "score/wrong"), means, strict=True))
            self._seen = None
        super().log(logs, start_time)

    def prediction_step(
        self, model: Any, inputs: dict[str, Tensor], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            loss, scores_P2 = self.compute_loss(model, self._prepare_inputs(inputs), return_outputs=True)
        return loss, scores_P2, torch.ones_like(scores_P2[:, 0])

    # ---- checkpoints are folders that load_ranker reads ----

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        where = output_dir or self.args.output_dir
        self.model.save(where)
        self.processing_class.save_pretrained(where)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.model.restore(resume_from_checkpoint)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(self.state.best_model_checkpoint)


def _collate(rows: Sequence[PairRow], fill: int) -> dict[str, Tensor]:
    """Right and wrong sides alternate."""
    return pad([Scored(row[side], row["prompt"]) for row in rows for side in ("chosen", "rejected")], fill)


def _metrics(found: Any) -> dict[str, float]:
    scores_P2 = torch.as_tensor(found.predictions)
    right, wrong = scores_P2.mean(0).tolist()
    return {"accuracy": float(pairwise_accuracy(scores_P2).mean()), "score/right": right, "score/wrong": wrong}
