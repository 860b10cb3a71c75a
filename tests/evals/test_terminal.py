"""What `errata eval` shows on a terminal of 80 and of 120 columns, with colours and without: all of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from rich.text import Text

from errata.cli import cli
from errata.runs.counters import Snapshot
from errata.runs.progress import describe
from tests.evals.small_evals import RECIPE, recipe
from tests.terminal import Terminal

LONG = "ada-under-a-name-that-takes-some-room"
COLOURS = pytest.mark.parametrize("colour", ["FORCE_COLOR", "NO_COLOR"])


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recipe of two models, one under a long name, and two decodings."""
    monkeypatch.chdir(tmp_path)
    models = [{"name": LONG, "model": "simulated/ada"}]
    Path("trial.yaml").write_text(yaml.safe_dump({**RECIPE, "models": models, "limit": 40, "run": "runs/trial"}))
    return "trial.yaml"


def on_a_terminal(words: list[str], columns: int, colour: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit code, and what stands on stdout and stderr without colours."""
    out, err = Terminal(), Terminal()
    with monkeypatch.context() as patch:
        for name in ("FORCE_COLOR", "NO_COLOR"):
            patch.delenv(name, raising=False)
        patch.setenv(colour, "1")
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", str(columns))
        patch.setattr("sys.stdout", out)
        patch.setattr("sys.stderr", err)
        with pytest.raises(SystemExit) as end:
            cli(words)
    assert ("\x1b[1m" in out.getvalue()) or not out.getvalue()
    text = "\n".join(Text.from_ansi(line).plain.rstrip() for line in (out.getvalue() + err.getvalue()).split("\n"))
    return int(str(end.value.code)), text


def words_of(shown: str) -> Counter[str]:
    """The words before the sum of calls; a heading that stands beside its row has a colon."""
    return Counter(word.removesuffix(":") for word in shown.partition("calls:")[0].split())


@COLOURS
def test_its_end_is_whole_at_80_and_120_columns(trial: str, colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["eval", trial, "--quiet"]
    code, broad = on_a_terminal(words, 400, colour, monkeypatch)
    assert code == 0
    for heading in ("verdict", "could show", "95 % interval", "intervals cover these two checkpoints"):
        assert heading in broad

    for columns in (80, 120):
        code, shown = on_a_terminal(words, columns, colour, monkeypatch)
        assert code == 0
        assert max(map(len, shown.split("\n"))) <= columns
        assert "…" not in shown
        assert words_of(broad) - words_of(shown) == Counter(), "no word of the widest window is missing"


def test_a_budget_that_ends_it_is_told_in_lines_that_fold_at_spaces(
    trial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, shown = on_a_terminal(["eval", trial, "--quiet", "budget.calls=10"], 40, "NO_COLOR", monkeypatch)
    assert code == 4
    assert max(map(len, shown.split("\n"))) <= 40
    assert "calls: 10 paid, 0 cached, 0 failed; cost: $0.00 this time, $0.00 in all" in " ".join(shown.split())
    assert "found: budget.calls is 10" in shown


def test_while_it_runs_its_budget_is_shown_with_what_is_spent(tmp_path: Path) -> None:
    from errata.evals.evaluate import evaluate

    shown: list[Snapshot] = []
    evaluate(recipe(tmp_path, budget={"calls": 200}), watch=shown.append)
    paid = 4 * 18 * 2
    assert dict(describe(shown[-1], 0.0))["budget"] == f"{paid} of 200 calls"
