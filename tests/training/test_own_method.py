"""A method with a new loss, and a format to train on, in a file of one's own: by the command, resumed, combined."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from errata.cli import cli
from errata.errors import UsageError
from errata.training.checkpoints import manifest_of
from errata.training.job import train
from errata.training.method_names import METHODS as OFFERED
from errata.training.methods.grpo import GRPO
from errata.training.methods.sdft import SDFT
from errata.training.methods.shipped import KINDS_OF_TERMS, METHODS
from errata.training.objective import Objective
from errata.training.terms import Consistency, Likelihood, Part
from tests.own_parts.my_method import METHOD, FocalKnobs
from tests.training import twins
from tests.training.gradient_checks import ROWS, trained
from tests.training.lab import relative_error, step_gradients, tiny_llama
from tests.training.trainings import FIVE, SAVING, Stop, curve, go

ROOT = Path(__file__).parents[2]

OWN = ROOT / "tests" / "own_parts" / "my_method.py"
OWN_FORMAT = ROOT / "tests" / "own_parts" / "my_format.py"


def focal_twin(model: Any, gamma: float) -> torch.Tensor:
    """The focal loss, one sequence and one token at a time."""
    total, count = torch.zeros(()), 0
    for row in ROWS:
        for member in row["members"]:
            if member["kind"] != "right":
                continue
            ids = torch.tensor([member["input_ids"]])
            logp = model(ids).logits[0].log_softmax(-1)
            for place in range(member["prompt"], ids.shape[1]):
                token = logp[place - 1, ids[0, place]]
                total, count = total - (1 - token.exp()) ** gamma * token, count + 1
    return total / count


def test_its_gradient_equals_its_twin(tmp_path: Path) -> None:
    terms = METHOD.terms(FocalKnobs(gamma=2.0, share=0.7))
    model = tiny_llama()

    expected = 0.3 * twins.likelihood(model, ROWS, ("right",)) + 0.7 * focal_twin(model, 2.0)

    found = step_gradients(trained(terms, tmp_path))
    assert relative_error(found, twins.gradients(model, expected)) < 1e-5
    wrong = 0.3 * twins.likelihood(model, ROWS, ("right",)) + 0.7 * focal_twin(model, 1.0)
    assert relative_error(found, twins.gradients(model, wrong)) > 1e-2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The method's file, as a person has it beside their data."""
    return shutil.copy(OWN, tmp_path / "my_method.py")


def test_the_command_trains_by_it_resumes_and_refuses_other_code(
    run: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    words = ["--dataset_name", str(run), *FIVE, *SAVING, "--max_steps", "6", "--gamma", "1.5"]
    done = CliRunner().invoke(cli, ["train", "my_method.py:METHOD", *words, "--output_dir", str(whole)])
    assert done.exit_code == 0, done.stderr
    first = next(line for line in done.stderr.splitlines() if not line.startswith((" ", "/", "warn", "loading ")))
    assert re.fullmatch(rf"own code: my_method.py:METHOD from {file} \(sha256 [0-9a-f]{{16}}\)", first)

    reference = f"{file}:METHOD"
    with pytest.raises(KeyboardInterrupt):
        train(reference, [*words, "--output_dir", str(cut)], [Stop(5)])
    assert train(reference, [*words, "--output_dir", str(cut)]) == 0

    assert curve(cut) == curve(whole)
    manifest = manifest_of(whole)
    assert (manifest["method"], manifest["config"]["method"]) == ("focal", {"gamma": 1.5, "share": 0.5})
    assert manifest["code"]["my_method.py:METHOD"]["file"] == str(file)
    assert [term["term"] for term in manifest["objective"]] == ["likelihood", "Focal"]
    assert manifest["config"]["training"]["learning_rate"] == 3e-3
    file.write_text(file.read_text() + "\n# another thought\n")
    with pytest.raises(UsageError, match="a training with another code"):
        train(reference, [*words, "--output_dir", str(cut)])


def test_its_control_and_its_data_of_an_own_format(run: Path, tmp_path: Path) -> None:
    exported = tmp_path / "alpaca.jsonl"
    words = ["export", str(run), "--format", f"{OWN_FORMAT}:FORMAT", "--out", str(exported)]
    assert CliRunner().invoke(cli, words).exit_code == 0

    more = ["--control", "gamma_zero", "--dataset_format", f"{OWN_FORMAT}:FORMAT"]
    assert go(f"{OWN}:METHOD", exported, tmp_path / "out", *more) == 0

    manifest = manifest_of(tmp_path / "out")
    assert manifest["control"] == "gamma_zero"
    assert manifest["objective"][1]["gamma"] == 0.0
    assert set(manifest["code"]) == {f"{OWN}:METHOD", f"{OWN_FORMAT}:FORMAT"}
    history = json.loads((tmp_path / "out" / "trainer_state.json").read_text())["log_history"]
    assert history[0]["loss/focal"] == pytest.approx(history[0]["loss/nll/right"])


def test_a_combination_takes_it_from_beside_its_file(run: Path, file: Path, tmp_path: Path) -> None:
    config = tmp_path / "both.yaml"
    config.write_text("terms:\n- {kind: sft}\n- {kind: 'my_method.py:METHOD', lambda: 0.5, gamma: 1, share: 0.4}\n")

    assert go("sft", run, tmp_path / "out", "--config", str(config)) == 0

    terms = manifest_of(tmp_path / "out")["objective"]
    assert [(term["term"], term["weight"]) for term in terms] == [("likelihood", 1.0), ("Focal", 0.2)]
    assert set(manifest_of(tmp_path / "out")["code"]) == {"my_method.py:METHOD"}
    (tmp_path / "below").mkdir()
    shutil.move(config, tmp_path / "below" / "both.yaml")
    with pytest.raises(UsageError, match="no file"):
        go("sft", run, tmp_path / "other", "--config", str(tmp_path / "below" / "both.yaml"))


@pytest.mark.parametrize(
    ("choice", "words", "text"),
    [
        (f"{OWN}:METHDO", [], "did you mean METHOD"),
        (f"{OWN}:NOT_A_METHOD", [], "a method is a value of errata.Method"),
        ("mpad", [], "did you mean mapd"),
        (f"{OWN}:METHOD", ["--gamm", "1"], "did you mean --gamma"),
        (f"{OWN}:METHOD", ["--control", "gama_zero"], "gamma_zero"),
        ("sft", ["--terms", f"{{kind: '{OWN}:METHOD', gama: 1}}"], "did you mean gamma"),
        ("sft", ["--terms", f"{{kind: '{OWN}:METHOD', gamma: many}}"], "terms.0.gamma"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(choice: str, words: list[str], text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=text):
        go(choice, tmp_path / "rows.jsonl", tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


def test_two_terms_that_draw_are_refused() -> None:
    class Other(Consistency):
        def parts(self) -> Any:
            return (Part("other", 1.0),)

    with pytest.raises(UsageError, match="two terms draw"):
        Objective((Likelihood(), Consistency(), Other()))


def test_what_the_help_lists_are_the_methods() -> None:
    assert {each.name: each.help for each in METHODS} == OFFERED
    listed = CliRunner().invoke(cli, ["train", "--help"]).output
    assert all(each.name in listed for each in METHODS)
    for each in (*METHODS, *KINDS_OF_TERMS):
        assert each.format.sequences is not None or each in (GRPO, SDFT), "TRL's own trainer reads their rows"


def test_a_value_trains_as_its_file_does(run: Path, tmp_path: Path) -> None:
    words = ["--dataset_name", str(run), *FIVE, "--max_steps", "1"]

    assert train(METHOD, [*words, "--output_dir", str(tmp_path / "value")]) == 0
    assert train(f"{OWN}:METHOD", [*words, "--output_dir", str(tmp_path / "file")]) == 0

    assert curve(tmp_path / "value") == curve(tmp_path / "file")
    by_value, by_file = (manifest_of(tmp_path / name)["code"] for name in ("value", "file"))
    assert by_value["focal"]["sha256"] == by_file[f"{OWN}:METHOD"]["sha256"]


def test_the_help_of_a_method_has_its_own_flags_before_those_of_trl(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train(METHOD, ["--help"])
    told = capsys.readouterr().out
    assert told.startswith(f"usage: errata train {METHOD.name} --config FILE")
    places = [told.index(f"--{flag} ") for flag in ("dataset_name", "control", "tokens_per_batch", "learning_rate")]
    assert places == sorted(places)
    assert len(told.partition("--dataset_name")[0].splitlines()) < 10
