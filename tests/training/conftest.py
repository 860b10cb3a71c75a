import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.update(
    HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false", TRL_EXPERIMENTAL_SILENCE="1"
)

import datasets
import pytest
import torch

from errata.runs.runner import synthesize
from tests.small_runs import small


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tiny models are slower on several."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Rows are cached beside no other training's."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("cache")
        patched.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
        patched.setenv("HF_DATASETS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole lesson on four problems."""
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs"), problems=4))).run
