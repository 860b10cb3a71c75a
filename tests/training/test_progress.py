"""What a person sees of a training that is on."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from errata.api import train
from errata.training import training_run
from errata.training.progress import STOPPING, ShowsProgress, TrainingNow, describe
from tests.terminal import Terminal
from tests.training.trainings import FIVE

LOGS = {"loss": 1.5, "loss/right": 1.25, "grad_share/wrong": 0.125, "learning_rate": 1e-4, "text": "no number"}


def by_a_call(run: Path, out: Path, *, progress: bool = False, **more: Any) -> int:
    """One step, whose figures are not logged."""
    flags = {name.removeprefix("--"): value for name, value in zip(FIVE[::2], FIVE[1::2], strict=True)}
    flags |= {"dataset_name": str(run), "output_dir": str(out), "max_steps": "1", "logging_steps": "100"}
    return train("sft", progress=progress, **{**flags, **more})


def trained(out: io.StringIO, *, stopped: bool = False) -> None:
    panel = ShowsProgress(SimpleNamespace(stopped=stopped), out)
    state: Any = SimpleNamespace(global_step=0, max_steps=4)
    panel.on_train_begin(None, state, None)
    for step in range(1, 5):
        state.global_step = step
        panel.on_log(None, state, None, logs=LOGS)
        panel.on_step_end(None, state, None)
    panel.on_train_end(None, state, None)


def test_steps_the_loss_of_each_term_and_the_time_left_are_told() -> None:
    now = TrainingNow(30, 120, 20.0, first=20, figures={"loss": 1.5})
    assert dict(describe(now))["steps"] == "30/120"
    assert dict(describe(now))["time"] == "20 s, 3 min 00 s left, 0.5 steps/s"  # 10 steps took 20 s, 90 are to come
    assert dict(describe(TrainingNow(0, 120, 3.0)))["time"] == "3 s, - left"


def test_a_terminal_gets_a_panel_and_keeps_the_word_for_who_pressed_ctrl_c() -> None:
    out = Terminal()
    trained(out, stopped=True)
    for part in ("errata train", "4/4", "loss right", "1.25", "grad share wrong", "0.125", STOPPING):
        assert part in out.getvalue()
    assert "learning" not in out.getvalue()


def test_in_a_low_window_the_word_for_who_pressed_ctrl_c_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "6")
    out = Terminal()
    panel, state = ShowsProgress(SimpleNamespace(stopped=True), out), SimpleNamespace(global_step=2, max_steps=4)
    panel.on_train_begin(None, state, None)
    panel.on_log(None, state, None, logs=LOGS)
    panel.on_step_end(None, state, None)
    shown = out.getvalue()
    panel.close()
    assert STOPPING in shown


def test_elsewhere_a_line_now_and_then() -> None:
    out = io.StringIO()
    trained(out)
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().startswith("steps 1/4 | loss 1.5 | loss right 1.25 | grad share wrong 0.125 | time ")


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_a_long_step_is_seen_to_go_on(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("errata.training.progress.EVERY_S", 0.01)
    monkeypatch.setattr("errata.training.progress.line_pause_s", lambda elapsed_s: 0.01)
    panel, state = ShowsProgress(SimpleNamespace(stopped=False), out), SimpleNamespace(global_step=2, max_steps=4)
    panel.on_train_begin(None, state, None)
    time.sleep(0.3)
    panel.close()
    words = out.getvalue()
    time.sleep(0.05)
    assert words.count("2/4") > 2
    assert out.getvalue() == words, "nothing is shown once it is closed"


def test_rows_and_student_are_said_to_be_read_until_a_line_tells_what_they_are(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("errata.waiting.AFTER_S", 0.0)
    assert by_a_call(run, tmp_path / "out", progress=True) == 0
    first, *rest = capsys.readouterr().err.splitlines()
    told = [line for line in rest if not line.startswith("reading rows and student, ")]
    assert first == "reading rows and student ..."
    assert told[0].startswith("student   tiny, ")
    assert "steps     1" in told, "no figure was logged, and none is told"
    assert any(line.startswith("next      errata eval RECIPE, where models holds") for line in told)
    assert not any("Saving the dataset" in line for line in (first, *rest))


def test_a_call_from_python_is_quiet_unless_progress_is_asked_for(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("errata.waiting.AFTER_S", 0.0)
    assert by_a_call(run, tmp_path / "out", disable_tqdm=False) == 0
    assert capfd.readouterr() == ("", "")


def test_a_training_says_first_what_makes_it_slow_here(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_run, "is_slow", lambda dtype, device: (dtype, device) == ("bfloat16", "cpu"))
    monkeypatch.setattr(training_run, "is_glibc", lambda: True)

    def hints(name: str, **settings: Any) -> list[str]:
        by_a_call(run, tmp_path / name, progress=True, **settings)
        lines = capsys.readouterr().err.splitlines()
        return [line.split()[0] for line in lines if line.startswith(("bf16", "memory"))]

    assert hints("tiny", bf16=True) == [], "a tiny student is fast all the same"
    monkeypatch.setattr(training_run, "is_large_on_cpu", lambda args, model: True)
    assert hints("half", bf16=True) == ["bf16", "memory"]
    assert hints("whole") == ["memory"]
