"""A second reader of a student's last hidden states, within the same forward pass."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from errata.errors import UsageError

SCALES = ("logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
"""Where configurations keep a factor on the logits; `project` applies none of them."""


def add_readout(model: Any) -> None:
    """Lets `model(..., readout=f)` call f(hidden_BTD, project) within the forward pass.

    `hidden_BTD` are the last hidden states, `project` turns some of them into fp32 logits. Within the forward pass the
    head's parameters are at hand also where they are sharded; and no BTV tensor is made.
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
        hook = model.base_model.register_forward_hook(lambda _, __, out: readout(out.last_hidden_state, project))
        try:
            return forward(*args, **kwargs)
        finally:
            hook.remove()

    model.forward = read_forward


def refuse_scaled_logits(model: Any) -> None:
    """Raises UsageError for a student whose logits `project` would get wrong."""
    config = model.config.get_text_config()
    scaled = [name for name in SCALES if getattr(config, name, None) not in (None, 1, 1.0)]
    if scaled:
        raise UsageError(
            f"a student whose logits are scaled by {', '.join(scaled)}",
            "the terms that compare whole distributions do not know this factor",
            "train it with likelihood and key-steps terms",
        )
