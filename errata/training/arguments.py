"""The flags that every method takes: what is learned from, and TRL's own.

errata train METHOD --config FILE [--flag value]      a flag wins over the file, the file over the defaults
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from trl import SFTConfig

from errata.exports.sequences import WrongFrom
from errata.models.generate import is_tiny

AnswerAt = Literal["stated", "computed"]
"""Where the answers of rationales are compared."""


def option(default: Any, text: str) -> Any:
    """A flag of a dataclass: its default and its help text."""
    return field(default=default, metadata={"help": text})


def defaults_of_device(args: Any) -> None:
    """Without a GPU a training on the CPU, in bf16 only where it is asked for; activations are made anew on a GPU."""
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        args.use_cpu = True
        args.bf16 = bool(args.bf16)
    if args.activation_checkpointing is None:
        old, args.gradient_checkpointing = args.gradient_checkpointing, None
        args.activation_checkpointing = not args.use_cpu if old is None else old


def is_large_on_cpu(args: Any, model: Any) -> bool:
    """Whether a training is one that a CPU takes long for, by itself and not by DeepSpeed."""
    return bool(args.use_cpu and not args.deepspeed and not is_tiny(model))


@dataclass
class DataArguments:
    """What is learned from; the same for every method."""

    dataset_name: list[str] | None = option(
        None, "Run directories, exported .jsonl files, saved data sets, or ids of Hugging Face data sets."
    )
    dataset_format: str | None = option(
        None, "Format of files and data sets that were made for another method, e.g. messages; by default the method's."
    )
    dataset_config: str | None = option(None, "Configuration of a Hugging Face data set.")
    dataset_train_split: str = option("train", "Split of a Hugging Face data set to train on.")
    dataset_test_split: str = option("test", "Split of a Hugging Face data set to evaluate on.")
    eval_dataset_name: list[str] | None = option(
        None, "As dataset_name, for the objective on held-out rows (with TRL's eval_strategy)."
    )
    roles: list[str] | None = option(
        None,
        "Of a run: only rationales in these roles, e.g. teacher, rectified, or those of one's own stages; self: the "
        "student's own right answers.",
    )
    authors: list[str] | None = option(None, "Of a run: only what these agents wrote; all by default.")
    cut_off: bool = option(False, "Of a run: texts that end at their length limit too.")
    unjudged: bool = option(False, "Of a run: right texts that saw the gold answer and that no panel judged too.")
    reasoning: Literal["drop", "keep", "short"] = option(
        "drop",
        "Of a run: what reasoning models thought is left out, or learned before the text in the student's tags; short: "
        "as the stage shorten_thinking has it.",
    )
    wrong_from: WrongFrom = option(
        "start",
        "Of a run, for nat, edit and their terms: from where wrong rationales count as wrong. first_wrong_step reads "
        "nothing as wrong before that step, and leaves out those in which it is not known.",
    )
    min_step_probability: float = option(0.5, "Of a run: how probable a first wrong step must be to count as known.")
    max_reasoning_tokens: int | None = option(
        None, "Sequences whose thinking takes more of the student's tokens are left out and counted; None: no limit."
    )
    system: str | None = option(
        None, "System text before every prompt; of a run directory, by default that of its student."
    )
    max_per_problem: int | None = option(
        None, "At most so many rows per problem, drawn by --seed; 1: one rationale of each. None: all."
    )
    max_rows: int | None = option(
        None, "At most so many rows, drawn by --seed, so that trainings learn from equally many; None: all."
    )
    exclude_overlap: bool = option(
        False, "Of a run: without the problems that stand in an evaluation set of its recipe (`eval_sets`)."
    )
    too_long: Literal["refuse", "skip"] = option(
        "refuse", "Sequences over max_length or the student's context: refuse all with their count, or skip and count."
    )
    answer_sentence: str | None = option(
        None, "Closes every rationale that has a known answer, e.g. 'The answer is {answer}.'; None leaves them alone."
    )
    answer_at: AnswerAt = option(
        "stated",
        "Of mcc-kd and the term consistency: where answers are compared, where a rationale states its answer last, or "
        "where it comes to it: before that no other number follows, and what follows are copies.",
    )
    terms: list[str] | None = option(
        None, "A combination in place of the method's own objective: a list of {kind, lambda, data, ...} in the file."
    )


@dataclass
class Training(SFTConfig):
    """TRL's flags. bf16 and activation checkpointing are by default on where there is a GPU and off on a CPU."""

    lr_scheduler_kwargs: dict[str, Any] | str | None = field(
        default=None, metadata={"help": "Further settings of the schedule, e.g. {'min_lr_rate': 0.1}."}
    )
    activation_checkpointing: bool | None = option(
        None, "Computes activations anew instead of holding them: less memory, a third more time. On, but not on a CPU."
    )
    gradient_checkpointing: bool | None = option(  # type: ignore[assignment]
        None, "Former name of activation_checkpointing."
    )
    tokens_per_batch: int | None = option(
        None,
        "Most tokens, padding included, that pass through the student at once: a batch with more goes in parts, rows "
        "of similar length together. The step is the same, and no row is parted. By default 1024 on a CPU, where the "
        "student has 10 million weights or more.",
    )
    share_prompts: bool | None = option(
        None,
        "The student reads the prompt of a row's rationales once for all of them; the step is the same. On where "
        "tokens_per_batch has a default.",
    )
    device_map: str | None = option(
        None, "Where a student's layers lie: auto spreads them over all devices of one process; none takes one device."
    )
    resume_from_checkpoint: str | None = option(
        None, "auto: go on from the latest whole checkpoint in output_dir, if there is one; or the folder of one."
    )

    def __post_init__(self) -> None:
        defaults_of_device(self)
        if set(self.lr_scheduler_kwargs or ()) == {"min_lr_rate"} and "min_lr" not in str(self.lr_scheduler_type):
            self.lr_scheduler_kwargs = None  # another schedule was asked for, and this default belongs to ours
        super().__post_init__()  # type: ignore[no-untyped-call]
