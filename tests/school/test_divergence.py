"""A training whose loss has grown past its first is ended as diverged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from errata.errors import Diverged, ErrataError
from errata.school.divergence import Divergence


def logged(*losses: float) -> Any:
    return SimpleNamespace(global_step=7, log_history=[{"loss": loss} for loss in losses])


def test_a_loss_past_the_factor_ends_it_and_another_does_not() -> None:
    watch = Divergence(4.0)
    watch.on_log(None, logged(1.0, 3.9), None, {"loss": 3.9})
    watch.on_log(None, logged(1.0, 9.0), None, {"train_runtime": 1.0})
    with pytest.raises(Diverged, match=r"the loss is 4\.1 in step 7, and was 1 at first") as ended:
        watch.on_log(None, logged(1.0, 4.1), None, {"loss": 4.1})
    assert isinstance(ended.value, ErrataError)
    assert ended.value.exit_code == 1
