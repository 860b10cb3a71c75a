# ruff: noqa: RUF009  `_option` is dataclasses.field
"""What each method is told: its paper's defaults over TRL's flags, and the entries of a combination.

    errata train METHOD --config FILE [--flag value]      a flag wins over the file, the file over these defaults

Every method takes what `Lesson`, TRL's SFTConfig and TRL's ModelConfig take; the numbers below are those of its paper
or of the code released with it, and what is not named is TRL's own default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from trl import ModelConfig, SFTConfig

METHODS = ("sft", "mapd", "edit", "mcc-kd", "nat", "nce", "ranker")


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass
class Lesson:
    """What is learned from; the same for every method."""

    dataset_name: list[str] | None = _option(
        None, "Run directories, exported .jsonl files, saved data sets, or ids of Hugging Face data sets."
    )
    dataset_config: str | None = _option(None, "Configuration of a Hugging Face data set.")
    dataset_train_split: str = _option("train", "Split of a Hugging Face data set to train on.")
    dataset_test_split: str = _option("test", "Split of a Hugging Face data set to evaluate on.")
    eval_dataset_name: list[str] | None = _option(
        None, "As dataset_name, for the objective on held-out rows (with TRL's eval_strategy)."
    )
    roles: list[str] | None = _option(
        None, "Of a run: only rationales written as teacher, rectified, revised, student, corrupted; all by default."
    )
    authors: list[str] | None = _option(None, "Of a run: only what these agents wrote; all by default.")
    system: str | None = _option(
        None, "System text before every prompt; of a run directory, by default that of its student."
    )
    too_long: Literal["refuse", "skip"] = _option(
        "refuse", "Sequences over max_length or the student's context: refuse all with their count, or skip and count."
    )
    answer_sentence: str | None = _option(
        None, "Closes every rationale that has a known answer, e.g. 'The answer is {answer}.'; None leaves them alone."
    )
    terms: list[str] | None = _option(
        None, "A combination in place of the method's own objective: a list of {kind, lambda, data, ...} in the file."
    )


# ---- one class a method ----------------------------------------------------------------------------------------------


@dataclass
class Training(SFTConfig):  # type: ignore[misc]
    """TRL's flags. bf16 is by default on where a GPU has it and off on a CPU."""

    lr_scheduler_kwargs: dict[str, Any] | str | None = field(
        default=None, metadata={"help": "Further settings of the schedule, e.g. {'min_lr_rate': 0.1}."}
    )
    resume_from_checkpoint: str | None = _option(
        None, "auto: go on from the latest whole checkpoint in output_dir, if there is one; or the folder of one."
    )

    def __post_init__(self) -> None:
        if not torch.cuda.is_available() and not torch.backends.mps.is_available():
            self.use_cpu = True
            self.bf16: bool | None = bool(self.bf16)
        if set(self.lr_scheduler_kwargs or ()) == {"min_lr_rate"} and "min_lr" not in str(self.lr_scheduler_type):
            self.lr_scheduler_kwargs = None  # another schedule was asked for, and this default belongs to ours
        super().__post_init__()


@dataclass
class SftTraining(Training):
    """Plain distillation of right rationales. The defaults are TRL's."""

    control: Literal["none", "answer_only", "grader_only"] = _option(
        "none", "answer_only: learn the final sentence alone. grader_only: no panel, every right rationale of the run."
    )
    target_tokens: int | None = _option(
        None, "Completion tokens of an epoch: rows are left out or repeated in hashed order until they come to this."
    )


@dataclass
class MapdTraining(Training):
    """Mistake-aware peer-review distillation (arXiv 2410.03663): answering and explaining mistakes, mixed by alpha.

    Numbers of the released code, which trains in full; its EOS-padded labels are not repeated.
    """

    alpha: float = _option(0.5, "Share of the explanations' loss; 1 - alpha is the rationales'.")
    control: Literal["none", "repeat_sft", "grader_only"] = _option(
        "none",
        "repeat_sft: plain distillation on as many target tokens. grader_only: no panel, right rationales of the run.",
    )
    learning_rate: float = 1e-5
    lr_scheduler_type: str = "constant"
    weight_decay: float = 0.01
    max_grad_norm: float = 0.3
    num_train_epochs: float = 10.0
    per_device_train_batch_size: int = 8
    gradient_accumulation_steps: int = 2
    max_length: int | None = 512
    seed: int = 731


@dataclass
class EditTraining(Training):
    """Key-step learning on pairs (arXiv 2405.19737, second step), from a student distilled by `errata train sft`.

    The paper multiplies the rate by 0.95 each of 10 epochs; here it falls to the same end as half a cosine. Its 256
    pairs a step are 16 x 16 on one device.
    """

    alpha: float = _option(1.0, "Weight of the right side's key tokens.")
    beta: float = _option(0.025, "Weight of the wrong side's key tokens; 0 or more, it is subtracted.")
    gamma: float = _option(0.0, "Weight of the right side's other tokens.")
    bounded: bool = _option(False, "-log(1 - p) for the wrong side in place of log p, which falls without end.")
    align: Literal["edit", "random", "none"] = _option(
        "edit", "Key tokens: by edit distance, as many at random, or all of them."
    )
    max_edit_ratio: float | None = _option(
        None, "Of a run: only pairs at most so far apart; of a run without rewrites, natural pairs are mined."
    )
    from_base: bool = _option(False, "Start from a student that was not distilled first.")
    control: Literal["none", "repeat_sft"] = _option(
        "none", "repeat_sft: plain distillation on as many target tokens as the pairs have."
    )
    learning_rate: float = 5e-6
    lr_scheduler_type: str = "cosine_with_min_lr"
    lr_scheduler_kwargs: dict[str, Any] | str | None = field(default_factory=lambda: {"min_lr_rate": 0.6})
    num_train_epochs: float = 10.0
    per_device_train_batch_size: int = 16
    gradient_accumulation_steps: int = 16


@dataclass
class MccKdTraining(Training):
    """Multi-CoT consistency (arXiv 2310.14747): likelihood of right rationales, bidirectional KL on their answers.

    Numbers of the released code.
    """

    alpha: float = _option(0.1, "Weight of the consistency term; 0 is the control with the same rationales.")
    temperature: float = _option(1.0, "Divides both sides' logits.")
    pairs: int | None = _option(1, "Pairs of rationales drawn of a problem at each epoch; none takes all of them.")
    control: Literal["none", "alpha_zero"] = _option("none", "alpha_zero: the same rationales without the term.")
    learning_rate: float = 1e-5
    num_train_epochs: float = 24.0
    per_device_train_batch_size: int = 6
    max_length: int | None = 512


@dataclass
class NatTraining(Training):
    """Negative assistant training (arXiv 2312.12832), both stages, and its paper's baselines.

    Stage 1 writes OUTPUT/stage1, an adapter that learned wrong rationales; stage 2 the NAT student into OUTPUT.
    """

    variant: Literal["nat", "mix", "nt", "ul"] = _option(
        "nat", "nat, or a baseline: mix (wrong as right), nt (negative training), ul (unlikelihood)."
    )
    strength: float = _option(0.05, "Of nt and ul: the weight of wrong rationales.")
    negative_adapter: str | None = _option(None, "A negative adapter trained before; stage 1 is left out.")
    gate: Literal["attention", "arithmetic"] = _option("attention", "How both adapters are mixed.")
    gate_width: int = _option(128, "Of the gate's queries, keys and the values' middle layer.")
    gate_beta: float = _option(0.5, "Bounds the negative adapter's weight.")
    gate_temperature: float = _option(1.0, "Divides the gate's scores.")
    gate_scaled: bool = _option(False, "Divide the gate's scores by the square root of its width as well.")
    control: Literal["none", "equal_parameters"] = _option(
        "none", "equal_parameters: the negative adapter's numbers shuffled, so that it knows of no wrong rationale."
    )
    learning_rate: float = 3e-4
    warmup_steps: float = 200
    num_train_epochs: float = 20.0
    per_device_train_batch_size: int = 16
    gradient_accumulation_steps: int = 8


@dataclass
class NceTraining(Training):
    """Calibrated distillation of a NAT student into a plain adapter (arXiv 2312.12832, stage 3)."""

    nat_checkpoint: str | None = _option(None, "The folder that `errata train nat` wrote.")
    a: float = _option(0.5, "Share of the distillation; 1 - a is the likelihood's.")
    temperature: float = _option(1.0, "Of the distillation.")
    control: Literal["none", "weights_one"] = _option("none", "weights_one: plain self-distillation.")
    learning_rate: float = 3e-4
    warmup_steps: float = 1000
    num_train_epochs: float = 20.0
    per_device_train_batch_size: int = 1
    gradient_accumulation_steps: int = 8


@dataclass
class RankerTraining(Training):
    """The ranker of ASC (arXiv 2312.12832). TRL's flags of text generation have no effect here."""

    exponent: float = _option(3.0, "Of the pair loss.")
    by_scores: bool = _option(False, "Of a run: learn the panel's order in place of the grades.")
    learning_rate: float = 2e-5
    weight_decay: float = 1e-5
    lr_scheduler_type: str = "cosine_with_min_lr"
    lr_scheduler_kwargs: dict[str, Any] | str | None = field(default_factory=lambda: {"min_lr_rate": 0.02})
    num_train_epochs: float = 5.0
    per_device_train_batch_size: int = 1
    max_length: int | None = 512


@dataclass
class EditModel(ModelConfig):  # type: ignore[misc]
    use_peft: bool = True
    lora_r: int = 64
    lora_alpha: int = 32
    lora_target_modules: list[str] | None = field(default_factory=lambda: ["q_proj", "v_proj"])


@dataclass
class MccKdModel(ModelConfig):  # type: ignore[misc]
    """As released, without its adapter on the output head: rank 128, no scaling, no dropout."""

    use_peft: bool = True
    lora_r: int = 128
    lora_alpha: int = 128
    lora_dropout: float = 0.0
    lora_target_modules: list[str] | None = field(default_factory=lambda: ["all-linear"])


@dataclass
class NatModelConfig(ModelConfig):  # type: ignore[misc]
    use_peft: bool = True
    lora_r: int = 8
    lora_alpha: int = 16
    lora_target_modules: list[str] | None = field(default_factory=lambda: ["q_proj", "v_proj"])


class Method(NamedTuple):
    training: type[Training]
    model: type[Any]
    format: str
    """The export that serves it."""


TABLE: dict[str, Method] = {
    "sft": Method(SftTraining, ModelConfig, "sft"),
    "mapd": Method(MapdTraining, ModelConfig, "mapd"),
    "edit": Method(EditTraining, EditModel, "edit"),
    "mcc-kd": Method(MccKdTraining, MccKdModel, "mcc-kd"),
    "nat": Method(NatTraining, NatModelConfig, "nat"),
    "nce": Method(NceTraining, NatModelConfig, "nat"),
    "ranker": Method(RankerTraining, ModelConfig, "ranker"),
}
