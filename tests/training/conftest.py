import os

os.environ.update(
    HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false", TRL_EXPERIMENTAL_SILENCE="1"
)

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tiny models are slower on several."""
    torch.set_num_threads(1)
