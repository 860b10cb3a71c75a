"""A slip in a method's name is told before anything heavy is loaded."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.errors import UsageError
from errata.training.method_names import refuse_unknown


def test_a_slip_is_told_before_pytorch_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def need_torch() -> None:
        raise AssertionError("PyTorch was looked for")

    monkeypatch.setattr("errata.models.load.need_torch", need_torch)
    refused = CliRunner().invoke(cli, ["train", "ecit", "--help"])
    assert refused.exit_code == 2
    assert "no method is called ecit" in refused.stderr
    assert "did you mean edit?" in refused.stderr


@pytest.mark.parametrize("name", ["mcc-kd", "mcc_kd", "my_method.py:METHOD", "package.methods:METHOD"])
def test_what_may_be_a_method_passes(name: str) -> None:
    refuse_unknown(name, ["edit", "mcc-kd"])


@pytest.mark.parametrize("name", ["", "mcc kd", "my_method.py", "method:"])
def test_what_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"no method is called {name}"):
        refuse_unknown(name, ["edit", "mcc-kd"])
