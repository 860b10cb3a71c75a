"""NAT's two stages: an adapter learns wrong rationales, then a second one and a gate learn right ones beside it.

    base + LoRA --wrong--> negative adapter --frozen--> base + negative + positive + gate --right--> NAT student

(arXiv 2312.12832, section on negative assistant training; stage 3, its distillation, is nce.py)
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from datasets import Dataset
from peft import LoraConfig
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, set_seed
from trl import ModelConfig, SFTConfig, SFTTrainer

from errata.errors import EXIT_DONE, UsageError
from errata.exports.labeled_rows import NAT as FORMAT
from errata.exports.sequences import Kind
from errata.models.gate import GateSettings, NatModel, new_nat
from errata.training.arguments import Training, option
from errata.training.capacity import adapted_shapes, widen
from errata.training.checkpoints import STAGE_ONE, manifest_of, write_manifest
from errata.training.group_rows import repeat_to, target_tokens
from errata.training.load_student import lora_of, open_student
from errata.training.method import Control, Knobs, Method
from errata.training.method_arguments import Arguments
from errata.training.methods.unlearn import UnlearnKnobs, mix, negative_training, unlikelihood
from errata.training.objective import Objective
from errata.training.plain import run_plain
from errata.training.prepare import Prepared, prepare
from errata.training.probe import probe
from errata.training.terms import Likelihood, Term
from errata.training.trainer import build_trainer
from errata.training.training_run import TrainingRun

# ---- knobs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NatFlags(UnlearnKnobs):
    variant: Literal["nat", "mix", "nt", "ul", "sft", "sft_wide"] = option(
        "nat",
        "nat, or a baseline: mix (wrong as right), nt (negative training), ul (unlikelihood), sft (right ones alone in "
        "one adapter), sft_wide (the same, of as many trained weights as nat).",
    )
    negative_adapter: str | None = option(None, "A negative adapter trained before; stage 1 is left out.")
    gate: Literal["attention", "arithmetic"] = option("attention", "How both adapters are mixed.")
    gate_width: int = option(128, "Of the gate's queries, keys and the values' middle layer.")
    gate_beta: float = option(0.5, "Bounds the negative adapter's weight.")
    gate_temperature: float = option(1.0, "Divides the gate's scores.")
    gate_scaled: bool = option(False, "Divide the gate's scores by the square root of its width as well.")

    @property
    def gate_settings(self) -> GateSettings:
        return GateSettings(
            gate=self.gate,
            width=self.gate_width,
            beta=self.gate_beta,
            temperature=self.gate_temperature,
            scaled=self.gate_scaled,
        )


@dataclass
class NatTraining(Training):
    learning_rate: float = 3e-4
    warmup_steps: float = 200
    num_train_epochs: float = 20.0
    per_device_train_batch_size: int = 16
    gradient_accumulation_steps: int = 8


@dataclass
class NatModelConfig(ModelConfig):
    use_peft: bool = True
    lora_r: int = 8
    lora_alpha: int = 16
    lora_target_modules: list[str] | None = field(default_factory=lambda: ["q_proj", "v_proj"])


# ---- terms -----------------------------------------------------------------------------------------------------------


def terms(knobs: UnlearnKnobs) -> tuple[Term, ...]:
    """Those of a baseline; of NAT itself those of its second stage."""
    match knobs.variant if isinstance(knobs, NatFlags) else "nat":
        case "mix":
            return mix()
        case "nt":
            return negative_training(knobs)
        case "ul":
            return unlikelihood(knobs)
    return (Likelihood(),)


def reads(knobs: UnlearnKnobs) -> tuple[Term, ...]:
    """Of NAT itself rows of either kind, for its two stages."""
    return mix() if _is_nat(knobs) else terms(knobs)


def _is_nat(knobs: Knobs) -> bool:
    return isinstance(knobs, NatFlags) and knobs.variant == "nat"


# ---- the two trainers ------------------------------------------------------------------------------------------------


def negative_trainer(
    student: PreTrainedModel,
    args: SFTConfig,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    lora: LoraConfig | None,
    *,
    kind: Kind = "wrong",
    eval_rows: Dataset | None = None,
    **kwargs: Any,
) -> SFTTrainer:
    """Stage 1. Rows without a wrong rationale are left out. What it saves is an ordinary LoRA adapter.

    Args:
        lora: the peft.LoraConfig of both adapters.
        kind: of a control, the rationales that it learns in place of wrong ones.
        kwargs: passed on to build_trainer.

    Raises:
        UsageError: without `lora`, or as build_trainer does.
    """
    if lora is None:
        raise UsageError(
            "NAT with full fine-tuning",
            "what wrong and right rationales teach is kept apart in two adapters",
            "set use_peft: true and the LoRA settings",
        )
    objective = Objective((Likelihood(reads=(kind,)),))
    rows, eval_rows = rows.filter(objective.takes), _taken(eval_rows, objective)
    return build_trainer(student, args, rows, tokenizer, objective, eval_rows=eval_rows, peft_config=lora, **kwargs)


def positive_trainer(
    nat: NatModel,
    args: SFTConfig,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    eval_rows: Dataset | None = None,
    **kwargs: Any,
) -> SFTTrainer:
    """Stage 2, from `gate.new_nat`. Rows without a right rationale are left out. Saves the whole NAT student.

    `kwargs` and errors as in build_trainer.
    """
    objective = Objective((Likelihood(),))
    rows, eval_rows = rows.filter(objective.takes), _taken(eval_rows, objective)
    trainer = build_trainer(nat, args, rows, tokenizer, objective, eval_rows=eval_rows, **kwargs)
    trainer.add_callback(_KeepBest())
    return trainer


def _taken(rows: Dataset | None, objective: Objective) -> Dataset | None:
    return None if rows is None else rows.filter(objective.takes)


class _KeepBest(TrainerCallback):
    """`load_best_model_at_end`: transformers finds no adapter at the top of a checkpoint that has two below it."""

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if args.load_best_model_at_end and state.best_model_checkpoint:
            model.load_weights(Path(state.best_model_checkpoint))


# ---- how it is run ---------------------------------------------------------------------------------------------------


def run(training: TrainingRun[UnlearnKnobs]) -> int:
    """Stage 1 into OUTPUT/stage1, where it is not finished, then stage 2 into OUTPUT; of a baseline one trainer."""
    knobs = training.arguments.knobs
    if not isinstance(knobs, NatFlags) or knobs.variant != "nat":
        return run_plain(training, lambda prepared: _widen(training.arguments, prepared))
    _refuse_idle_control(training.arguments.control, knobs)
    prepared = prepare(training.arguments)
    house = prepared.student.house(training.output)
    training.describe(prepared)
    negative = Path(knobs.negative_adapter or training.output / STAGE_ONE)
    if not knobs.negative_adapter and manifest_of(negative).get("status") != "finished":
        code = _first_stage(training, prepared, negative, house)
        if code != EXIT_DONE:
            return code
        prepared.student = open_student(
            training.arguments.model, prepared.texts, training.args.seed, training.args.device_map
        )
        house = prepared.student.house(training.output)
    training.manifest["probe"] = manifest_of(negative).get("probe")
    shuffle = training.args.seed if training.arguments.control is EQUAL_PARAMETERS else None
    set_seed(training.args.seed)

    def build() -> SFTTrainer:
        nat = new_nat(prepared.student.model, negative, knobs.gate_settings, shuffle)
        return positive_trainer(
            nat,
            training.args,
            prepared.rows,
            prepared.student.tokenizer,
            eval_rows=prepared.eval_rows,
            callbacks=training.callbacks,
        )

    return training.fit(training.built(prepared.student, house, build), training.output, training.resume)


def _first_stage(training: TrainingRun[UnlearnKnobs], prepared: Prepared, where: Path, house: Path | None) -> int:
    """Stage 1, in a folder of its own."""
    args = copy.copy(training.args)
    args.output_dir = str(where)
    resume = training.resume_point(where)
    control = training.arguments.control is NEGATIVE_OF_RIGHT
    trainer = training.built(
        prepared.student,
        house,
        lambda: negative_trainer(
            prepared.student.model,
            args,
            _as_many_right(prepared.rows, args.seed) if control else prepared.rows,
            prepared.student.tokenizer,
            lora_of(training.arguments.model),
            kind="right" if control else "wrong",
            eval_rows=prepared.eval_rows,
            callbacks=training.callbacks,
        ),
    )
    training.write(training.output, "training")
    training.say(f"stage 1   the negative adapter learns {'right' if control else 'wrong'} rationales")
    code = training.fit(trainer, where, resume)
    if code == EXIT_DONE:
        _tell_probe(training, trainer, where, prepared.eval_rows or prepared.rows, quiet=control)
        training.say("stage 2   the positive adapter and the gate learn right ones")
    return code


def _tell_probe(training: TrainingRun[Any], trainer: SFTTrainer, where: Path, rows: Dataset, quiet: bool) -> None:
    """Says whether the adapter makes wrong rationales likelier than right ones, and adds it to the manifest there."""
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return  # its weights lie in parts on several devices
    with trainer.accelerator.autocast():
        result = probe(trainer.model, rows, training.args.seed)
    if result is None:
        return
    training.say(f"probe     {result}")
    if not result.knows_wrong and not quiet:
        training.say("warning   the negative adapter has learned to write rationales, not to write wrong ones")
    if training.main:
        write_manifest(where, {**manifest_of(where), "probe": result._asdict()})


def _as_many_right(rows: Dataset, seed: int) -> Dataset:
    """Right rationales of as many tokens as the wrong ones, in hashed order and over again."""
    wrong, right = (Objective((Likelihood(reads=(kind,)),)) for kind in ("wrong", "right"))
    tokens = target_tokens(rows.filter(wrong.takes), wrong, seed)
    return Dataset.from_list([dict(row) for row in repeat_to(list(rows.filter(right.takes)), tokens, seed)])


def _refuse_idle_control(control: Control | None, knobs: NatFlags) -> None:
    if control is NEGATIVE_OF_RIGHT and knobs.negative_adapter:
        raise UsageError(
            f"--control {NEGATIVE_OF_RIGHT.name} with --negative_adapter",
            "it trains a negative adapter of its own",
            "leave one of them out",
        )


def _widen(arguments: Arguments, prepared: Prepared) -> None:
    """Of sft_wide: the rank at which one adapter has as many weights as NAT trains in stage 2, at the same scale."""
    knobs, lora = arguments.knobs, lora_of(arguments.model)
    if not isinstance(knobs, NatFlags) or knobs.variant != "sft_wide":
        return
    if lora is None:
        raise UsageError("sft_wide with full fine-tuning", "its adapter is what is made wide", "set use_peft: true")
    shapes = adapted_shapes(prepared.student.model, lora)
    width = knobs.gate_width if knobs.gate == "attention" else 0
    weights = sum(lora.r * (inward + outward) + width * (inward + 3 * outward) for inward, outward in shapes)
    widen(arguments.model, shapes, weights)


EQUAL_PARAMETERS = Control(
    "equal_parameters", "the negative adapter's numbers shuffled, so that it knows of no wrong rationale"
)
NEGATIVE_OF_RIGHT = Control(
    "negative_of_right", "the negative adapter learns right rationales of as many tokens: all but what is wrong in them"
)
LORA_SFT = Control(
    "lora_sft", "plain distillation of stage 2's rationales in one adapter of this rank", knobs={"variant": "sft"}
)
LORA_SFT_WIDE = Control(
    "lora_sft_wide", "the same, its rank raised to as many trained weights", knobs={"variant": "sft_wide"}
)

NAT = Method(
    name="nat",
    help="A negative and a positive adapter with a gate (NAT), and its baselines.",
    paper="NAT, arXiv 2312.12832",
    format=FORMAT,
    terms=terms,
    knobs=UnlearnKnobs,
    flags=NatFlags,
    training=NatTraining,
    model=NatModelConfig,
    controls=(EQUAL_PARAMETERS, NEGATIVE_OF_RIGHT, LORA_SFT, LORA_SFT_WIDE),
    reads=reads,
    run=run,
)
