"""The pre-training of the embedded student as a step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def pretrain_student(home: Path, settings: Mapping[str, Any]) -> None:
    """Pre-trains the embedded student in `home`, where it is not there yet; says on stdout how far it is."""
    from errata.training.classroom_student.pretrain import Pretraining, pretrain

    pretrain(home, Pretraining.model_validate(settings), lambda line: print(line, flush=True))
