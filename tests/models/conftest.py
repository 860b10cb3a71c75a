from pathlib import Path

import pytest

from errata.models.load import Checkpoint, load
from tests.models import tiny


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_plain(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def checkpoint(plain: Path) -> Checkpoint:
    return load(str(plain), device="cpu")
