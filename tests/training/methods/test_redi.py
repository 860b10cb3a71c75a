"""REDI's gradient is that of its equation; the controls and TRL's step accumulation change nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from errata.training.methods.redi import REDI, Asymmetric, RediKnobs
from tests.training import twins
from tests.training.gradient_checks import ROWS, trained
from tests.training.lab import relative_error, step_gradients, tiny_llama

PAIRS = sum(len(row["pairs"]) for row in ROWS)


def redi_twin(model: Any, alpha: float, per_token: bool = True) -> torch.Tensor:
    """Pair by pair: the mean log p of each side."""
    total = torch.zeros((), dtype=torch.double)
    for row in ROWS:
        for pair in row["pairs"]:
            right, wrong = (twins.token_logps(model, row["members"][pair[side]]) for side in ("right", "wrong"))
            sides = (right.mean(), wrong.mean()) if per_token else (right.sum(), wrong.sum())
            total = total - sides[0] + alpha * sides[1]
    return total / PAIRS


@pytest.mark.parametrize("alpha", [0.8, 0.3])
def test_its_gradient_equals_its_twin(alpha: float, tmp_path: Path) -> None:
    model = tiny_llama()

    found = step_gradients(trained(REDI.terms(RediKnobs(alpha=alpha)), tmp_path))

    assert relative_error(found, twins.gradients(model, redi_twin(model, alpha))) < 1e-5
    for wrong in (redi_twin(model, 1.0), redi_twin(model, 0.0), redi_twin(model, alpha, per_token=False)):
        assert relative_error(found, twins.gradients(model, wrong)) > 1e-2


def test_of_right_sides_alone_nothing_is_pushed_down(tmp_path: Path) -> None:
    model, control = tiny_llama(), REDI.control_named("right_only")
    assert control is not None

    found = step_gradients(trained(REDI.terms(RediKnobs(**control.knobs)), tmp_path))

    assert relative_error(found, twins.gradients(model, redi_twin(model, 0.0))) < 1e-5


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_wrong_sides_weigh_no_more_than_right_ones(alpha: float) -> None:
    with pytest.raises(ValidationError):
        Asymmetric(alpha=alpha)
