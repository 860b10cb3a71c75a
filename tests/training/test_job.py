"""`errata train METHOD` on a real, tiny lesson run: what moves, what is written, what goes on after a stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from transformers import TrainerCallback

from errata.cli import cli
from errata.errors import ErrataError, UsageError
from errata.exports.write import export
from errata.models.gate import load_nat
from errata.models.load import load
from errata.models.ranker import load_ranker
from errata.runs.runner import synthesize
from errata.training.checkpoints import fault_of, manifest_of
from errata.training.job import train
from tests.models import tiny as tiny_files
from tests.small_runs import small
from tests.training.trainings import FIVE, SAVING, Stop, curve, go

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def distilled(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that `train sft` has taught with an adapter on `tiny`."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("students") / "sft"
    words = ["--dataset_name", str(run), "--output_dir", str(out), "--use_peft", "--lora_target_modules", "all-linear"]
    assert train("sft", [*FIVE, *words]) == 0
    return out


@pytest.fixture(scope="session")
def nat(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("students") / "nat"
    words = ["--dataset_name", str(run), "--output_dir", str(out), "--gate_width", "8", "--learning_rate", "1e-2"]
    assert train("nat", [*FIVE, *words]) == 0
    return out


class Watch(TrainerCallback):
    """Which weights moved, by name, in each training; and the losses."""

    def __init__(self) -> None:
        self.moved: list[set[str]] = []
        self.all: list[set[str]] = []
        self.losses: list[list[float]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        self.before = {name: value.detach().clone() for name, value in model.named_parameters()}

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        after = dict(model.named_parameters())
        self.moved.append({name for name, value in self.before.items() if not torch.equal(value, after[name])})
        self.all.append(set(after))
        self.losses.append([entry["loss"] for entry in state.log_history if "loss" in entry])


def lora(names: set[str]) -> set[str]:
    return {name for name in names if "lora_" in name}


# ---- five steps by every command -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "more", "moving"),
    [
        ("sft", [], lambda names: names),
        ("sft", ["--use_peft"], lora),
        ("mapd", [], lambda names: names),
        ("mapd", ["--use_peft"], lora),
        ("edit", ["--from_base", "true", "--learning_rate", "1e-2"], lora),
        ("edit", ["--from_base", "true", "--use_peft", "false", "--bounded"], lambda names: names),
        ("mcc-kd", [], lora),
        ("mcc-kd", ["--use_peft", "false", "--pairs", "none"], lambda names: names),
        ("nat", ["--variant", "mix", "--use_peft", "false"], lambda names: names),
        ("nat", ["--variant", "nt"], lora),
        ("nat", ["--variant", "ul"], lora),
        ("ranker", ["--learning_rate", "1e-4"], lambda names: names),
        (
            "ranker",
            ["--use_peft", "--learning_rate", "1e-4"],
            lambda names: {name for name in names if "lora_" in name or "head." in name},
        ),
    ],
)
def test_five_steps_lower_the_objective_and_move_what_they_should(
    method: str, more: list[str], moving: Callable[[set[str]], set[str]], run: Path, tmp_path: Path
) -> None:
    watch = Watch()

    assert go(method, run, tmp_path / "out", *more, watch=watch) == 0

    (losses,), (moved,), (names,) = watch.losses, watch.moved, watch.all
    assert losses[-1] < losses[0]
    assert moved == moving(names)
    manifest = manifest_of(tmp_path / "out")
    assert manifest["status"] == "finished"
    assert manifest["step"] == 5
    assert manifest["data"][0]["sha256"]
    assert manifest["versions"]["trl"]
    state = json.loads((tmp_path / "out" / "trainer_state.json").read_text())
    assert len([entry for entry in state["log_history"] if "loss" in entry]) == 5
    assert not list((tmp_path / "out").rglob("*.bin.index.json"))


def test_nat_trains_its_adapters_one_after_the_other(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    watch = Watch()

    assert go("nat", run, tmp_path / "out", "--gate_width", "8", "--learning_rate", "1e-2", watch=watch) == 0

    assert all(losses[-1] < losses[0] for losses in watch.losses)
    assert watch.moved[0] == lora(watch.all[0])
    assert watch.moved[1] == {name for name in watch.all[1] if ".positive." in name or ".nat_gate." in name}
    base = load(str(tmp_path / "out" / "base"), device="cpu").model
    assert load_nat(base, tmp_path / "out").gates
    assert "Filter" not in capfd.readouterr().err, "bars of libraries are not errata's progress"


def test_either_stage_of_nat_is_evaluated_on_the_rows_it_reads(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluated = [
        "--eval_dataset_name",
        str(run),
        "--eval_strategy",
        "steps",
        "--eval_steps",
        "5",
        "--eval_on_start",
        "true",
    ]

    assert go("nat", run, out, "--gate_width", "8", "--learning_rate", "1e-2", *evaluated) == 0

    for folder, term in ((out / "stage1", "wrong"), (out, "right")):
        state = json.loads((folder / "trainer_state.json").read_text())
        found = [entry[f"eval_loss/nll/{term}"] for entry in state["log_history"] if f"eval_loss/nll/{term}" in entry]
        assert len(found) == 2
        assert found[1] < found[0]


def test_nce_distils_a_nat_student_into_an_adapter(nat: Path, run: Path, tmp_path: Path) -> None:
    watch = Watch()
    out = tmp_path / "out"

    words = [*FIVE[2:], "--dataset_name", str(run), "--output_dir", str(out), "--learning_rate", "1e-2"]
    assert train("nce", [*words, "--nat_checkpoint", str(nat)], [watch]) == 0

    assert watch.losses[0][-1] < watch.losses[0][0]
    assert watch.moved[0] == lora(watch.all[0])
    assert load(str(out), device="cpu").context == 1024


def test_a_ranker_is_read_again(run: Path, tmp_path: Path) -> None:
    assert go("ranker", run, tmp_path / "out", "--use_peft") == 0

    scores = load_ranker(str(tmp_path / "out"), device="cpu").score(["how many ?"], ["3 + 4 = 7 ."])
    assert scores[0] is not None


def test_edit_goes_on_from_a_distilled_student(distilled: Path, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    assert go("edit", run, out, "--model_name_or_path", str(distilled)) == 0

    assert manifest_of(out)["distilled"]
    merged = load(str(out), device="cpu").model
    before = load(str(distilled), device="cpu").model.merge_and_unload().state_dict()
    on = merged.get_base_model().state_dict()
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.allclose(before[name], on[name])


def test_a_combination_logs_every_term(run: Path, tmp_path: Path) -> None:
    config = tmp_path / "combined.yaml"
    mapd = tmp_path / "mapd.jsonl"
    export([run], "mapd", mapd)
    config.write_text(
        f"terms:\n- {{kind: mapd, lambda: 1.0, alpha: 0.3, data: {mapd}}}\n"
        "- {kind: edit, lambda: 0.5}\n- {kind: mcc_kd, lambda: 2.0}\n"
    )

    assert go("mapd", run, tmp_path / "out", "--config", str(config)) == 0

    state = json.loads((tmp_path / "out" / "trainer_state.json").read_text())
    first = state["log_history"][0]
    names = {"nll/right", "nll/mistake", "key/right", "key/wrong", "consistency"}
    assert {f"grad_share/{name}" for name in names} <= set(first)
    total = 0.7 * first["loss/nll/right"] + 0.3 * first["loss/nll/mistake"]
    total += 0.5 * (first["loss/key/right"] - 0.025 * first["loss/key/wrong"]) + 0.2 * first["loss/consistency"]
    assert first["loss"] == pytest.approx(total, rel=1e-3)
    assert manifest_of(tmp_path / "out")["rows"] == 4


@pytest.mark.parametrize(("method", "more"), [("sft", []), ("edit", ["--align", "random", "--from_base", "true"])])
def test_a_run_and_its_exported_file_train_the_same(method: str, more: list[str], run: Path, tmp_path: Path) -> None:
    """Also where tokens are drawn at random: where the rows lie changes no draw."""
    file = tmp_path / "rows.jsonl"
    export([run], method, file)
    watch = Watch()

    go(method, run, tmp_path / "one", *more, watch=watch)
    go(method, file, tmp_path / "other", *more, watch=watch)

    assert watch.losses[0] == watch.losses[1]
    one, other = (manifest_of(tmp_path / name)["data"][0] for name in ("one", "other"))
    assert one["sha256"] == other["sha256"]


def test_a_gguf_student_trains_with_an_adapter(run: Path, tmp_path: Path) -> None:
    file = tiny_files.save_gguf(tmp_path / "student.gguf", context=2048)
    more = ["--model_name_or_path", str(file), "--use_peft", "--max_length", "2048"]

    assert go("sft", run, tmp_path / "out", *more) == 0

    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert Path(config["base_model_name_or_path"]) == file
    assert load(str(tmp_path / "out"), device="cpu").tokenizer


# ---- controls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "more"), [("edit", ["--from_base", "true"]), ("mapd", [])])
def test_repeat_sft_learns_as_many_tokens(method: str, more: list[str], run: Path, tmp_path: Path) -> None:
    go(method, run, tmp_path / "method", *more)
    go(method, run, tmp_path / "control", *more, "--control", "repeat_sft")

    method_tokens, control_tokens = (
        manifest_of(tmp_path / name)["target_tokens_an_epoch"] for name in ("method", "control")
    )
    assert control_tokens == pytest.approx(method_tokens, abs=40)
    assert [term["term"] for term in manifest_of(tmp_path / "control")["objective"]] == ["likelihood"]


@pytest.mark.parametrize("weights", ["mean", "shuffled", "one"])
def test_nce_with_other_weights(weights: str, nat: Path, run: Path, tmp_path: Path) -> None:
    words = [*FIVE[2:], "--max_steps", "1", "--dataset_name", str(run), "--output_dir", str(tmp_path / "out")]

    assert train("nce", [*words, "--nat_checkpoint", str(nat), "--control", f"weights_{weights}"]) == 0

    assert manifest_of(tmp_path / "out")["objective"][1]["calibrate"] == weights


def test_nat_with_equal_parameters(nat: Path, run: Path, tmp_path: Path) -> None:
    more = ["--gate_width", "8", "--control", "equal_parameters", "--negative_adapter", str(nat / "stage1")]

    assert go("nat", run, tmp_path / "out", *more) == 0

    assert manifest_of(tmp_path / "out")["trained_weights"] == manifest_of(nat)["trained_weights"]


@pytest.mark.slow
def test_controls_of_plain_distillation(run: Path, tmp_path: Path) -> None:
    for control in ("none", "answer_only", "grader_only"):
        assert go("sft", run, tmp_path / control, "--control", control) == 0
    assert go("sft", run, tmp_path / "tokens", "--target_tokens", "3000") == 0
    assert go("mcc-kd", run, tmp_path / "alpha", "--control", "alpha_zero") == 0

    found = {path.name: manifest_of(path) for path in tmp_path.iterdir()}
    assert found["answer_only"]["rows"] <= 4
    assert found["answer_only"]["target_tokens_an_epoch"] / found["answer_only"]["rows"] < 8
    assert found["grader_only"]["rows"] >= 4
    assert found["tokens"]["target_tokens_an_epoch"] == pytest.approx(3000, abs=40)
    assert found["alpha"]["objective"][1]["weight"] == 0


# ---- stopping and going on -------------------------------------------------------------------------------------------


def test_a_broken_training_goes_on_as_if_nothing_had_happened(run: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    go("mcc-kd", run, whole, *SAVING, "--lora_dropout", "0.1")

    with pytest.raises(KeyboardInterrupt):
        go("mcc-kd", run, cut, *SAVING, "--lora_dropout", "0.1", watch=Stop(7))
    half = cut / "checkpoint-6"
    weights = next(half.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    assert fault_of(half)
    assert manifest_of(cut)["status"] == "broken off"
    go("mcc-kd", run, cut, *SAVING, "--lora_dropout", "0.1")

    assert curve(cut) == curve(whole)
    assert len(curve(whole)) == 8
    assert manifest_of(cut)["status"] == "finished"


@pytest.mark.parametrize("name", ["trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_without_a_part_is_not_whole(name: str, run: Path, tmp_path: Path) -> None:
    go("sft", run, tmp_path / "out", *SAVING, "--max_steps", "2")
    checkpoint = tmp_path / "out" / "checkpoint-2"
    assert fault_of(checkpoint) is None

    content = (checkpoint / name).read_bytes()
    (checkpoint / name).write_bytes(content[: len(content) // 2])
    assert fault_of(checkpoint)
    (checkpoint / name).unlink()
    assert fault_of(checkpoint)


def test_another_training_is_not_written_over(run: Path, tmp_path: Path) -> None:
    go("sft", run, tmp_path / "out")

    with pytest.raises(UsageError, match="holds a training already"):
        go("sft", run, tmp_path / "out")
    with pytest.raises(UsageError, match="another method"):
        go("mcc-kd", run, tmp_path / "out", "--resume_from_checkpoint", "auto")
    with pytest.raises(UsageError, match="another seed"):
        go("sft", run, tmp_path / "out", "--resume_from_checkpoint", "auto", "--seed", "3")


def test_a_diverged_training_keeps_its_last_checkpoint(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ErrataError, match="no finite number") as error:
        go(
            "sft",
            run,
            tmp_path / "out",
            *SAVING,
            "--save_steps",
            "1",
            "--learning_rate",
            "1e30",
            "--max_grad_norm",
            "0",
        )

    assert error.value.exit_code == 1
    assert manifest_of(tmp_path / "out")["status"] == "broken off"
    last = max((tmp_path / "out").glob("checkpoint-*"))
    assert fault_of(last) is None


def test_the_first_signal_saves_and_stops(run: Path, tmp_path: Path) -> None:
    class Signal(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step == 2:
                signal.raise_signal(signal.SIGTERM)

    assert go("sft", run, tmp_path / "out", "--save_strategy", "steps", watch=Signal()) == 130

    assert fault_of(tmp_path / "out" / "checkpoint-3") is None
    assert go("sft", run, tmp_path / "out", "--resume_from_checkpoint", "auto") == 0
    assert len(curve(tmp_path / "out")) == 5


# ---- bad input -------------------------------------------------------------------------------------------------------

ROW = {"prompt": "3 and 4 ?", "completion": "3 + 4 = 7 . the answer is 7 ."}
TALK = {"messages": [{"role": "user", "content": "3 and 4 ?"}, {"role": "assistant", "content": "it is 7 ."}]}
BAD = {"prompt": "3 and 4 ?", "completion": "3 + 4 = 8 .", "label": False}
PAIR = {"prompt": "3 and 4 ?", "chosen": "it is 7 .", "rejected": "it is 8 ."}
GROUP = {"prompt": "3 and 4 ?", "completions": ["it is 7 .", "so 7 ."], "answer": "7"}
TURNS = {"messages": [{"role": "user", "content": "3 and 4 ?"}, {"role": "assistant", "content": "it is 7 ."}]}
BASE = ["--from_base", "true"]


@pytest.mark.parametrize(
    ("method", "rows", "more", "found"),
    [
        ("sft", [ROW], ["--lerning_rate", "1"], "did you mean --learning_rate"),
        ("sft", [ROW], ["--max_steps", "many"], "max_steps"),
        ("sft", [ROW], ["--control", "repeat_sft"], "control"),
        ("sft", [ROW], ["--trust_remote_code", "true"], "trust_remote_code"),
        ("sft", [ROW], ["--model_name_or_path", "no/such/student"], "no file or folder"),
        ("sft", [ROW], ["--lora_target_modules", "nowhere", "--use_peft"], "nowhere"),
        ("sft", [ROW], ["--max_length", "10"], r"1 of 1 sequences are longer than 10"),
        ("sft", [ROW], ["--model_name_or_path", ""], "no --model_name_or_path"),
        ("sft", [ROW], ["--dataset_name", "nowhere.jsonl"], "no file nowhere.jsonl"),
        ("sft", [ROW], ["--control", "grader_only"], "no run directory"),
        ("sft", [ROW], ["--control", "answer_only"], "no `answer`"),
        ("sft", [TALK], ["--control", "answer_only", "--dataset_format", "messages"], "line 1: no `answer`"),
        ("sft", [ROW], ["--label_smoothing_factor", "0.1"], "label_smoothing_factor"),
        ("sft", [ROW], ["--completion_only_loss", "true"], "completion_only_loss"),
        ("sft", [], [], "no row in"),
        ("sft", [{"prompt": "3 and 4 ?"}], [], "line 1: no text in `completion`"),
        ("sft", [ROW, {"completion": "7"}], [], "line 2: no text in `prompt`"),
        ("sft", [PAIR], [], "columns are those of the format edit"),
        ("sft", [PAIR], ["--dataset_format", "edit"], "nll/right"),
        ("sft", [ROW], ["--dataset_format", "stf"], "did you mean sft"),
        (
            "sft",
            [ROW | {"privileged_context": "x"}],
            ["--dataset_format", "privileged"],
            "line 1: rows of the format privileged",
        ),
        ("mapd", [ROW], [], "columns are those of the format sft"),
        ("mapd", [ROW | {"task": "rationale"}], [], "nll/mistake"),
        ("mapd", [ROW], ["--packing", "true"], "packing"),
        ("mapd", [ROW], ["--alpha", "2"], "alpha 2"),
        ("edit", [PAIR], [], "was not distilled"),
        ("edit", [PAIR], [*BASE, "--beta", "-1"], "beta"),
        ("edit", [ROW], BASE, "--dataset_format sft"),
        ("edit", [ROW], [*BASE, "--dataset_format", "sft"], "key/right"),
        ("edit", [PAIR | {"rejected": PAIR["chosen"]}], BASE, "sides are equal"),
        ("edit", [PAIR | {"rejected": " "}], BASE, "no text in `rejected`"),
        ("mcc-kd", [GROUP | {"completions": []}], [], "an empty group"),
        ("mcc-kd", [GROUP | {"answer": "9"}], [], "2 not comparable, no answer marked"),
        (
            "mcc-kd",
            [GROUP | {"completions": ["it is 7 .", "it is 11 ."], "answer_spans": [[6, 7], [6, 8]]}],
            [],
            "1 not comparable, answer in other tokens",
        ),
        ("mcc-kd", [GROUP], ["--answer_sentence", "It is X."], "stands in no place of it"),
        ("nce", [ROW], ["--calibrate", "false"], "own.*mean.*shuffled.*one"),
        ("nat", [BAD], ["--use_peft", "false"], "NAT with full fine-tuning"),
        (
            "nat",
            [BAD, ROW | {"label": True}],
            ["--negative_adapter", "nowhere"],
            "not the folder of an adapter",
        ),
        ("nce", [ROW], [], "NCE without a NAT checkpoint"),
        ("nce", [ROW], ["--nat_checkpoint", "nowhere"], "not the folder of a NAT student"),
        ("ranker", [PAIR | {"rejected": PAIR["chosen"]}], [], "both sides are equal"),
        ("ranker", [PAIR], ["--max_length", "4"], "2 of 2 rationales"),
        ("ranker", [PAIR], ["--tokens_per_batch", "64"], "tokens_per_batch"),
        ("ranker", [PAIR], ["--share_prompts", "true"], "share_prompts"),
        ("sft", [ROW], ["--terms", "{kind: mcc-kd, reads: [wrong]}"], "among right rationales only"),
        ("sft", [ROW], ["--terms", "{kind: mcc-kd, alhpa: 1}"], "did you mean alpha"),
        ("sft", [ROW], ["--terms", "{kind: nat}"], "terms.0: no kind of terms is called nat"),
        ("sft", [ROW], ["--terms", "[sft]"], "terms.0"),
        ("nat", [BAD], ["--variant", "nt", "--strength", "-1"], "strength -1"),
        ("sft", [ROW], ["--terms", "{kind: sft}", "{kind: mapd}"], "both bring nll/right"),
        ("sft", [ROW], ["--terms", "{kind: sft}", "{kind: mcc-kd, per_rationale: true}"], "both bring nll/right"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    method: str, rows: list[dict[str, Any]], more: list[str], found: str, tmp_path: Path
) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    with pytest.raises(UsageError) as error:
        go(method, data, tmp_path / "out", *more)

    assert error.value.exit_code == 2
    assert re.search(found, str(error.value)), str(error.value)
    assert error.value.do
    assert not (tmp_path / "out").exists()


def test_too_long_rows_are_skipped_where_that_is_asked(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW | {"completion": "3 " * 300}) + "\n")

    assert go("sft", data, tmp_path / "out", "--too_long", "skip") == 0

    assert manifest_of(tmp_path / "out")["left_out"]["too long"] == 1


def test_nce_refuses_the_base_of_another_student(nat: Path, run: Path, distilled: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps(ROW) + "\n")

    with pytest.raises(UsageError, match="tokenizer"):
        go("nce", data, tmp_path / "out", "--nat_checkpoint", str(nat), "--dataset_format", "sft")


def test_a_config_file_is_read_as_the_flags_are(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LESSON", str(run))
    config = tmp_path / "sft.yaml"
    config.write_text("dataset_name: ${LESSON}\nlearning_rate: 1e-4\nmax_steps: 3\nuse_peft: true\n")
    words = ["train", "sft", "--config", str(config), *FIVE[:2], *FIVE[4:6], *FIVE[8:], "--max_steps", "2"]

    done = CliRunner().invoke(cli, [*words, "--output_dir", str(tmp_path / "out")])

    assert done.exit_code == 0, done.output
    manifest = manifest_of(tmp_path / "out")
    assert (manifest["step"], manifest["config"]["training"]["learning_rate"]) == (2, 1e-4)
    config.write_text("learning_rat: 1\n")
    refused = CliRunner().invoke(cli, words)
    assert refused.exit_code == 2
    assert "did you mean learning_rate?" in refused.output


@pytest.mark.slow
def test_the_recipes_train_one_after_the_other(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipes = {"sft": "sft", "mapd": "mapd", "edit": "edit", "mcc_kd": "mcc-kd", "nat": "nat", "nce": "nce"}
    recipes |= {"ranker": "ranker", "combined": "mapd", "redi": "redi", "dpo": "dpo", "kto": "kto", "gkd": "gkd"}
    recipes |= {"sdft": "sdft", "grpo": "grpo"}
    for name, method in recipes.items():
        words = ["--config", str(ROOT / "recipes" / "train" / f"{name}.yaml"), "--dataset_name", str(run)]
        if "runs/demo/students/untouched" in (ROOT / "recipes" / "train" / f"{name}.yaml").read_text():
            words += ["--model_name_or_path", "tiny"]
        assert train(method, [*words, "--max_steps", "1", "--disable_tqdm", "true", "--save_strategy", "no"]) == 0

    assert {path.stem for path in (ROOT / "recipes" / "train").glob("*.yaml")} == set(recipes)
    assert {path.name for path in Path("students").iterdir()} == set(recipes)


# ---- in processes of their own ---------------------------------------------------------------------------------------


def command(run: Path, out: Path, *more: str) -> list[str]:
    return ["-m", "errata", "train", "mcc-kd", *FIVE, "--dataset_name", str(run), "--output_dir", str(out), *more]


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_nothing_had_happened(run: Path, tmp_path: Path) -> None:
    words = [*SAVING, "--max_steps", "40", "--save_steps", "3"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([sys.executable, *command(run, whole, *words)], check=True, cwd=ROOT, env=environment)
    process = subprocess.Popen([sys.executable, *command(run, cut, *words)], cwd=ROOT, env=environment)
    while process.poll() is None and not (cut / "checkpoint-6").exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (cut / "checkpoint-39").exists()
    shutil.copytree(cut / "checkpoint-3", cut / "checkpoint-33")  # looks later than it is
    subprocess.run([sys.executable, *command(run, cut, *words)], check=True, cwd=ROOT, env=environment)

    assert curve(cut) == curve(whole)


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    # five problems leave four groups: of an odd number two processes learn one twice, which fills their last batch up
    run = asyncio.run(synthesize(small(tmp_path / "runs", problems=5))).run
    one, two = tmp_path / "one", tmp_path / "two"
    batch = ["--pairs", "none", "--dataloader_drop_last", "false", "--optim", "sgd", "--learning_rate", "0.1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    words = command(run, one, *batch, "--per_device_train_batch_size", "4")
    subprocess.run([*launch, *words], check=True, cwd=ROOT, env=environment)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]  # several on CPUs
    words = command(run, two, *batch, "--per_device_train_batch_size", "2")
    subprocess.run([*launch, *words], check=True, cwd=ROOT, env=environment)

    assert manifest_of(two)["processes"] == 2
    assert [entry[1] for entry in curve(two)] == pytest.approx([entry[1] for entry in curve(one)], rel=1e-4)
