"""The ranker of ASC (arXiv 2312.12832), trained on pairs: right rationales shall score 1, wrong ones 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

from errata.config.hooks import Hooks, check_hooks
from errata.errors import Diverged, UsageError
from errata.exports.labeled_rows import RANKER as FORMAT
from errata.exports.transcript_view import Options
from errata.models.ranker import Ranker, RankerSettings, Scored, encode, new_ranker, pad, pad_id
from errata.training.arguments import Training, option
from errata.training.load_rows import LoadedRows, read
from errata.training.load_student import Texts, lora_of, open_student
from errata.training.method import Knobs, Method
from errata.training.method_arguments import Arguments
from errata.training.prepare import Prepared, limit_length, where_of
from errata.training.terms import Term
from errata.training.training_run import TrainingRun


@dataclass(frozen=True)
class RankerKnobs(Knobs):
    exponent: float = option(3.0, "Of the pair loss.")
    by_scores: bool = option(False, "Of a run: learn the panel's order in place of the grades.")

    from_ranker: str | None = option(
        None, "Go on from this ranker's weights: the paper trains on teachers' rationales first, then on the student's."
    )

    def options(self) -> Options:
        return replace(super().options(), by_scores=self.by_scores)


@dataclass
class RankerTraining(Training):
    """TRL's flags of text generation have no effect here."""

    learning_rate: float = 2e-5
    weight_decay: float = 1e-5
    lr_scheduler_type: str = "cosine_with_min_lr"
    lr_scheduler_kwargs: dict[str, Any] | str | None = field(default_factory=lambda: {"min_lr_rate": 0.02})
    num_train_epochs: float = 5.0
    per_device_train_batch_size: int = 1
    max_length: int | None = 512


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


def pair_rows(pairs: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
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


def _pair_row(number: int, pair: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> PairRow:
    for name in ("prompt", "chosen", "rejected"):
        if not isinstance(pair.get(name), str) or not pair[name].strip():
            raise UsageError(f"pair {number}: no text in `{name}`", "all three texts are needed", "leave the pair out")
    chosen, rejected = (encode(tokenizer, pair["prompt"], pair[name]) for name in ("chosen", "rejected"))
    if chosen == rejected:
        raise UsageError(
            f"pair {number}: both sides are equal", "nothing tells right from wrong in it", "leave the pair out"
        )
    return PairRow(chosen=chosen.ids, rejected=rejected.ids, prompt=chosen.prompt)


HOOKS: Hooks = {
    "_get_num_items_in_batch": ("batch_samples", "device"),
    "_save": ("output_dir", "state_dict"),
    "_load_from_checkpoint": ("resume_from_checkpoint", "model"),
    "_load_best_model": (),
    "_prepare_inputs": ("inputs",),
    "compute_loss": ("model", "inputs", "return_outputs", "num_items_in_batch"),
    "prediction_step": ("model", "inputs", "prediction_loss_only", "ignore_keys"),
    "log": ("logs", "start_time"),
}
"""What RankerTrainer overrides or calls of transformers' trainer."""


class RankerTrainer(Trainer):
    """Trains on `pair_rows`; evaluates the pairwise accuracy on held-out ones.

    Logs, of the pairs since the last log, `accuracy` and the mean scores of right and wrong rationales.
    """

    loss_is_scaled_for_ga = True  # by the pairs of the whole step

    def __init__(
        self,
        model: Ranker,
        args: TrainingArguments,
        rows: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        eval_rows: Dataset | None = None,
        **kwargs: Any,
    ) -> None:
        check_hooks(Trainer, HOOKS, exact=True)
        self.ranker, self.tokenizer = model, tokenizer
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
        self._sums: Tensor | None = None

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Tensor:
        pairs = torch.tensor(sum(len(batch["input_ids"]) // 2 for batch in batch_samples), device=device)
        return self.accelerator.reduce(pairs, "sum") if self.accelerator.num_processes > 1 else pairs

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        logits_P2 = model(**inputs).unflatten(0, (-1, 2))
        loss = pair_loss_sum(logits_P2, self.ranker.settings.exponent)
        if num_items_in_batch is None:
            loss = loss / len(logits_P2)
        else:
            loss = loss / num_items_in_batch * self.accelerator.num_processes  # gradients are averaged over processes
        scores_P2 = logits_P2.detach().sigmoid()
        if self.ranker.training:
            self._note(scores_P2)
        return (loss, scores_P2) if return_outputs else loss

    def _note(self, scores_P2: Tensor) -> None:
        if not scores_P2.isfinite().all():
            raise Diverged(
                f"the ranker's scores are no numbers in step {self.state.global_step + 1}",
                "it has diverged; this step has changed no weight and the last checkpoint stands",
                "lower the learning rate",
            )
        columns = [pairwise_accuracy(scores_P2), *scores_P2.unbind(1), torch.ones_like(scores_P2[:, 0])]
        sums = torch.stack(columns).sum(1)
        self._sums = sums if self._sums is None else self._sums + sums

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if self._sums is not None and "loss" in logs:
            sums = self.accelerator.reduce(self._sums, "sum") if self.accelerator.num_processes > 1 else self._sums
            means = (sums[:3] / sums[3]).tolist()
            logs |= dict(zip(("accuracy", "score/right", "score/wrong"), means, strict=True))
            self._sums = None
        super().log(logs, start_time)

    def prediction_step(
        self, model: Any, inputs: dict[str, Tensor], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            loss, scores_P2 = self.compute_loss(model, self._prepare_inputs(inputs), return_outputs=True)
        return loss, scores_P2, torch.ones_like(scores_P2[:, 0])

    # ---- checkpoints are folders that load_ranker reads ----

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        where = str(output_dir or self.args.output_dir)
        self.ranker.save(where)
        self.tokenizer.save_pretrained(where)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.ranker.restore(resume_from_checkpoint)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))


def _collate(rows: Sequence[PairRow], fill: int) -> dict[str, Tensor]:
    """Right and wrong sides alternate."""
    return pad([Scored(row[side], row["prompt"]) for row in rows for side in ("chosen", "rejected")], fill)


def _metrics(predictions: Any) -> dict[str, float]:
    scores_P2 = torch.as_tensor(predictions.predictions)
    right, wrong = scores_P2.mean(0).tolist()
    return {"accuracy": float(pairwise_accuracy(scores_P2).mean()), "score/right": right, "score/wrong": wrong}


# ---- how it is run ---------------------------------------------------------------------------------------------------


def prepare_pairs(arguments: Arguments) -> Prepared:
    """The ranker's student and its pairs. Raises UsageError; writes nothing."""
    data, training = arguments.data, arguments.training
    if arguments.entries:
        raise UsageError("terms for a ranker", "it has one loss of its own", "leave them out")
    where = where_of(arguments, arguments.method.format, arguments.form, data.dataset_train_split)
    loaded = [read(data.dataset_name or [], where)]
    if data.eval_dataset_name:
        whole = where._replace(split=data.dataset_test_split, per_problem=None, most=None, exclude_overlap=False)
        loaded.append(read(data.eval_dataset_name, whole))
    student = open_student(arguments.model, lambda: _texts(loaded), training.seed)
    longest = limit_length(arguments, student)
    left_out = loaded[0].overlap.counts()
    sets = []
    for each in loaded:
        pairs = [row.row.data for row in each.rows]
        if data.too_long == "skip":
            short = [pair for pair in pairs if _fits(pair, student.tokenizer, longest)]
            left_out["too long"] = left_out.get("too long", 0) + len(pairs) - len(short)
            pairs = short
        sets.append(pair_rows(pairs, student.tokenizer, longest))
    return Prepared(
        student=student,
        rows=sets[0],
        eval_rows=sets[1] if len(sets) > 1 else None,
        terms=(),
        names=loaded[0].name,
        sources=[{"name": each.name, "rows": len(each.rows), "sha256": each.sha256} for each in loaded],
        sequences=2 * len(sets[0]),
        left_out=left_out,
        in_eval_sets=loaded[0].overlap.learned,
    )


def _texts(loaded: Sequence[LoadedRows]) -> Texts:
    """Prompts and both sides of all pairs."""
    rows = [row.row.data for each in loaded for row in each.rows]
    prompts = [str(row.get("prompt")) for row in rows]
    return prompts, [str(row.get(side)) for row in rows for side in ("chosen", "rejected")]


def _fits(pair: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, longest: int) -> bool:
    sides = [pair.get("chosen"), pair.get("rejected")]
    return all(
        isinstance(side, str) and len(encode(tokenizer, str(pair.get("prompt")), side).ids) <= longest for side in sides
    )


def run(training: TrainingRun[RankerKnobs]) -> int:
    """Trains the ranker: a student's body with a head that scores."""
    arguments = training.arguments
    assert isinstance(arguments.knobs, RankerKnobs)
    for name in ("tokens_per_batch", "share_prompts"):
        if getattr(training.args, name) is not None:
            raise UsageError(f"the setting {name}", "a ranker's pairs are neither parted nor joined", "leave it out")
    prepared = prepare_pairs(arguments)
    student = prepared.student
    lora = lora_of(arguments.model)
    house = student.house(training.output) if lora else None
    if lora:
        lora.task_type = None  # a body without its head
        body: Any = student.model.base_model
        body.name_or_path = student.model.name_or_path
    training.describe(prepared)
    settings = RankerSettings(exponent=arguments.knobs.exponent, max_length=training.args.max_length or 512)
    start = arguments.knobs.from_ranker

    def ranker() -> Ranker:
        ranker = new_ranker(student.model, settings, lora)
        if start is not None:
            ranker.restore(start)
        return ranker

    trainer = training.built(
        student,
        house,
        lambda: RankerTrainer(
            ranker(),
            training.args,
            prepared.rows,
            student.tokenizer,
            prepared.eval_rows,
            callbacks=training.callbacks,
        ),
    )
    return training.fit(trainer, training.output, training.resume)


def terms(knobs: RankerKnobs) -> tuple[Term, ...]:
    """None: its loss is `pair_loss_sum`, over pairs and not over tokens."""
    return ()


RANKER = Method(
    name="ranker",
    help="A ranker of rationales, for weighted votes (ASC).",
    paper="ASC, arXiv 2312.12832",
    format=FORMAT,
    terms=terms,
    knobs=RankerKnobs,
    training=RankerTraining,
    run=run,
)
