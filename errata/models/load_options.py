"""How a checkpoint is loaded, as a recipe's `extra` may say."""

from __future__ import annotations

from typing import Literal

from errata.config.base import Settings


class LoadOptions(Settings):
    """How a checkpoint is put into memory; as transformers' from_pretrained takes it. None: as `load` chooses."""

    device_map: str | None = None
    """Where its layers lie: `auto` spreads them over all devices. None: all on one."""
    attn_implementation: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    engine: Literal["transformers", "vllm"] | None = None
    """Who decodes. None: vLLM where it is installed and can serve the checkpoint, else transformers."""


AS_CHOSEN = LoadOptions()
