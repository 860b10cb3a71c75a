"""A second reader of a student's last hidden states, within the same forward pass."""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import torch
from torch import Tensor
from trl.trainer.utils import FusedCausalLMOutput

from errata.errors import UsageError
from errata.training.collate import IGNORED
from errata.training.token_scores import score

SCALES = ("logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
"""Where configurations keep a factor on the logits; `project` applies none of them."""


def add_readout(model: Any) -> None:
    """Lets `model(..., readout=f)` call f(hidden_BTD, project) within the forward pass.

    `hidden_BTD` are the last hidden states, `project` turns some of them into fp32 logits. Within the forward pass the
    head's parameters are at hand also where they are sharded; and no BTV tensor is made. Without TRL's fused head the
    model's own head is left out, and what f returns is what the forward pass returns.
    """
    forward = model.forward
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)

    def project(hidden_ND: Tensor) -> Tensor:
        logits_NV: Tensor = model.get_output_embeddings()(hidden_ND).float()
        return cap * torch.tanh(logits_NV / cap) if cap else logits_NV

    @functools.wraps(forward)  # generate() checks its arguments against the signature
    def read_forward(*args: Any, readout: Any = None, **kwargs: Any) -> Any:
        if readout is None:
            return forward(*args, **kwargs)
        if not kwargs.get("fused_lm_head"):
            return readout(model.base_model(*args, **kwargs).last_hidden_state, project)
        hook = model.base_model.register_forward_hook(lambda _, __, out: readout(out.last_hidden_state, project))
        try:
            return forward(*args, **kwargs)
        finally:
            hook.remove()

    model.forward = read_forward


def scales(model: Any) -> list[str]:
    """The factors on a student's logits that its configuration names."""
    config = model.config.get_text_config()
    return [name for name in SCALES if getattr(config, name, None) not in (None, 1, 1.0)]


def refuse_scaled_logits(model: Any) -> None:
    """Raises UsageError for a student whose logits `project` would get wrong."""
    if scaled := scales(model):
        raise UsageError(
            f"a student whose logits are scaled by {', '.join(scaled)}",
            "the terms that compare whole distributions do not know this factor",
            "train it with likelihood and key-steps terms",
        )


def takes_fused_head(model: Any, device: torch.device) -> bool:
    """Whether TRL's fused head is to score this student's tokens there, rather than `learned_scores`.

    With Triton it is the faster one and reads learned positions alone; elsewhere it reads all of them, also prompts and
    padding. It knows factors and caps on the logits, which `learned_scores` does not.
    """
    fused = device.type in ("cuda", "xpu") and importlib.util.find_spec("triton") is not None
    capped = getattr(model.config.get_text_config(), "final_logit_softcapping", None) is not None
    return fused or capped or bool(scales(model))


def learned_scores(model: Any, hidden_BTD: Tensor, label_BT: Tensor) -> FusedCausalLMOutput:
    """What TRL's fused head returns, from the learned positions alone: those whose next label is one."""
    head = model.get_output_embeddings()
    weight_VD, bias_V = (_whole(value) for value in (head.weight, head.bias))
    hidden_BTD, label_BT = hidden_BTD[:, :-1].to(weight_VD.device), label_BT[:, 1:].to(weight_VD.device)
    mask_BT = label_BT != IGNORED
    scores = score(hidden_BTD[mask_BT], weight_VD, bias_V, label_BT[mask_BT])
    logp_BT, entropy_BT, is_top_BT = (each.new_zeros(mask_BT.shape).masked_scatter(mask_BT, each) for each in scores)
    return FusedCausalLMOutput(log_probs=logp_BT, entropy=entropy_BT, is_top1=is_top_BT, label_mask=mask_BT)


def _whole(value: Tensor | None) -> Any:
    """A parameter as a whole where FSDP has sharded it."""
    return value if value is None or not hasattr(value, "full_tensor") else value.full_tensor()
