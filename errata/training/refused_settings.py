"""TRL's settings that errata's trainers refuse by name, rather than accept without effect."""

from __future__ import annotations

from dataclasses import fields

from transformers.integrations import integration_utils as integrations
from trl import SFTConfig

from errata.errors import UsageError

IDLE = {
    "completion_only_loss": "leave it out: completions alone are learned",
    "assistant_only_loss": "leave it out: completions alone are learned",
    "dataset_text_field": "leave it out: --dataset_format says how rows are read",
    "truncation_mode": "leave it out: nothing is ever cut; see --max_length and --too_long",
    "chat_template_path": "give the student's tokenizer the template",
    "model_init_kwargs": "leave it out: --dtype, --attn_implementation and --device_map say how the student is loaded",
    "pad_token": "leave it out: padding is masked, whatever stands there",
}
"""TRL's settings that errata's trainers never read, and what to do."""
PACKED = dict.fromkeys(
    ("shuffle_dataset", "packing_strategy", "eval_packing", "dataset_num_proc"), "leave it out: only packing reads it"
)
"""Those that TRL reads while it packs."""


def refuse_settings(args: SFTConfig) -> None:
    """Raises UsageError for a setting of TRL's that the objective's terms do not know, or that nothing would read."""
    unknown = {
        "label_smoothing_factor": args.label_smoothing_factor > 0,
        f"loss_type {args.loss_type}": args.loss_type != "nll",
        "padding_free": args.padding_free and not args.packing,
        "use_liger_kernel": args.use_liger_kernel,
    }
    for name in (name for name, value in unknown.items() if value):
        raise unknown_setting(name)
    _refuse_budget(args)
    if args.packing and getattr(args, "share_prompts", None):
        raise UsageError(
            "the setting share_prompts with packing",
            "packing joins sequences of different problems in a layout of TRL's",
            "leave one of them out",
        )
    _refuse_reporters(args)
    defaults = {each.name: each.default for each in fields(SFTConfig)}
    idle = IDLE if args.packing else IDLE | PACKED
    for name in (name for name in idle if getattr(args, name) != defaults[name]):
        raise UsageError(f"the setting {name}", "it would have no effect", idle[name])


def _refuse_budget(args: SFTConfig) -> None:
    budget = getattr(args, "tokens_per_batch", None)
    if budget is None:
        return
    if budget < 1 or args.packing or args.deepspeed:
        beside = "with packing" if args.packing else "with DeepSpeed" if args.deepspeed else str(budget)
        raise UsageError(
            f"the setting tokens_per_batch {beside}",
            "it parts a batch in this process, by rows, into parts of at least one token",
            "leave it out, or set it to a positive number without packing and DeepSpeed",
        )


def _refuse_reporters(args: SFTConfig) -> None:
    """Raises UsageError for what a training should report to and that is not installed: TRL would say so later."""
    known, installed = integrations.INTEGRATION_TO_CALLBACK, integrations.get_available_reporting_integrations()
    for name in args.report_to or ():
        if name not in known:
            raise UsageError(f"--report_to {name}", f"TRL reports to {', '.join(sorted(known))}", "name one of these")
        if name not in installed and name != "flyte":  # which is found only where it runs the training
            raise UsageError(f"--report_to {name}", "it is not installed", "install it, or leave --report_to out")


def unknown_setting(name: str) -> UsageError:
    return UsageError(f"the setting {name}", "the objective's terms do not know it", "leave it at its default")
