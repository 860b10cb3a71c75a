# ruff: noqa: RUF009  `_option` is dataclasses.field
"""What each method is told: its paper's defaults over TRL's flags, and the entries of a combination.

    errata train METHOD --config FILE [--flag value]      a flag wins over the file, the file over these defaults

Every method takes what `Lesson`, TRL's SFTConfig and TRL's ModelConfig take; the numbers below are those of its paper
or of the code released with it, and what is not named is TRL's own default.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, get_args

import torch
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from trl import ModelConfig, SFTConfig

from errata.errors import UsageError
from errata.settings import Settings
from errata.training import objective
from errata.training.align import AlignMode
from errata.training.groups import Kind
from errata.training.objective import Objective, Term
from errata.training.terms import Consistency, Likelihood

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


# ---- combinations ----------------------------------------------------------------------------------------------------


class Entry(Settings):
    """One part of a combination; `data` are the rows it reads, by default the command's."""

    model_config = ConfigDict(populate_by_name=True)

    scale: float = Field(default=1.0, ge=0, alias="lambda")
    data: list[str] | None = None

    def terms(self) -> tuple[Term, ...]:
        raise NotImplementedError


class SftEntry(Entry):
    kind: Literal["sft"]

    def terms(self) -> tuple[Term, ...]:
        return objective.sft()


class MapdEntry(Entry):
    kind: Literal["mapd"]
    alpha: float = Field(default=0.5, ge=0, le=1)

    def terms(self) -> tuple[Term, ...]:
        return objective.mapd(self.alpha)


class EditEntry(Entry):
    kind: Literal["edit"]
    alpha: float = 1.0
    beta: float = 0.025
    gamma: float = 0.0
    bounded: bool = False
    align: AlignMode = "edit"

    def terms(self) -> tuple[Term, ...]:
        return objective.edit(self.alpha, self.beta, self.gamma, self.bounded)


class MccKdEntry(Entry):
    kind: Literal["mcc-kd", "mcc_kd"]
    alpha: float = 0.1
    temperature: float = 1.0
    pairs: int | None = 1
    reads: tuple[Kind, ...] = ("right",)
    """Whose answers are compared; anything but right rationales is refused."""

    def terms(self) -> tuple[Term, ...]:
        compared = Consistency(weight=self.alpha, temperature=self.temperature, pairs=self.pairs, reads=self.reads)
        return Likelihood(), compared


class UnlearnEntry(Entry):
    kind: Literal["nt", "ul"]
    strength: float = Field(default=0.05, ge=0)

    def terms(self) -> tuple[Term, ...]:
        make = objective.negative_training if self.kind == "nt" else objective.unlikelihood
        return make(self.strength)


AnyEntry = SftEntry | MapdEntry | EditEntry | MccKdEntry | UnlearnEntry
FORMAT_OF = {
    "sft": "sft",
    "mapd": "mapd",
    "edit": "edit",
    "mcc-kd": "mcc-kd",
    "mcc_kd": "mcc-kd",
    "nt": "nat",
    "ul": "nat",
}
_ENTRIES: TypeAdapter[list[AnyEntry]] = TypeAdapter(list[Annotated[AnyEntry, Field(discriminator="kind")]])


def parse_entries(entries: Sequence[Any]) -> list[AnyEntry]:
    """The `terms` of a config. Raises UsageError naming the entry."""
    try:
        return _ENTRIES.validate_python([_listed(entry) for entry in entries])
    except ValidationError as error:
        raise settings_error(error, "terms.") from error


def _listed(entry: Any) -> Any:
    if isinstance(entry, dict) and isinstance(entry.get("data"), str):
        return {**entry, "data": [entry["data"]]}
    return entry


def combine(entries: Sequence[AnyEntry]) -> Objective:
    """All entries' terms, each times its lambda.

    MCC-KD, NT and UL bring plain distillation with them; where another entry brings it too, it is there once, with the
    weight that sft or mapd, else the first entry, gives it.
    """
    first = sorted(range(len(entries)), key=lambda i: (entries[i].kind not in ("sft", "mapd"), i))
    told: dict[str, Term] = {}
    for entry in (entries[i] for i in first):
        own = entry.kind in ("sft", "mapd")
        for term in entry.terms():
            name = term.parts()[0].name
            if name in told and not own and isinstance(term, Likelihood) and term.reads == ("right",):
                continue
            if name in told:
                raise UsageError(
                    f"terms: {entry.kind} and another entry both bring {name}",
                    "their shares could not be told apart",
                    "merge them into one with the sum of their lambdas",
                )
            told[name] = term.model_copy(update={"weight": term.weight * entry.scale})
    return Objective(tuple(told.values()))


def settings_error(error: ValidationError, prefix: str = "") -> UsageError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    do = "see `errata train METHOD --help`"
    if first["type"] == "extra_forbidden":
        known = sorted({name for entry in get_args(AnyEntry) for name in entry.model_fields} | {"lambda"})
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        do = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    found = first["msg"].removeprefix("Value error, ")
    return UsageError(
        f"{prefix}{place}: {found}" if place else f"{prefix}{found}", "the objective cannot be built from it", do
    )


def method_objective(method: str, args: Any) -> Objective:
    """The method's own objective with its control."""
    try:
        return Objective(_terms(method, args))
    except ValidationError as error:
        raise settings_error(error) from error


def _terms(method: str, args: Any) -> tuple[Term, ...]:
    if getattr(args, "control", "none") == "repeat_sft":
        return objective.sft()
    match method:
        case "mapd":
            if not 0 <= args.alpha <= 1:
                raise UsageError(f"alpha {args.alpha}", "it is a share", "set it between 0 and 1")
            return objective.mapd(args.alpha)
        case "edit":
            return objective.edit(args.alpha, args.beta, args.gamma, args.bounded)
        case "mcc-kd":
            alpha = 0.0 if args.control == "alpha_zero" else args.alpha
            return objective.mcc_kd(alpha, args.temperature, args.pairs)
        case "nce":
            return objective.nce(args.a, args.temperature, calibrate=args.control != "weights_one")
        case "nat":
            return _nat_terms(args)
    return objective.sft()


def _nat_terms(args: Any) -> tuple[Term, ...]:
    match args.variant:
        case "mix":
            return objective.mix()
        case "nt":
            return objective.negative_training(args.strength)
        case "ul":
            return objective.unlikelihood(args.strength)
    return objective.sft()
