"""Checkpoints of every form, their hashes, and what is refused."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from errata.errors import UsageError
from errata.models.files import find
from errata.models.gate import NatModel
from errata.models.generate import generate
from errata.models.load import Checkpoint, load
from errata.models.load_options import LoadOptions
from errata.models.prompting import prompt_ids
from errata.models.sampling import Decoding, Job
from errata.records import Message
from tests.models import tiny


def logits_of(checkpoint: Checkpoint, text: str = "What is 2 + 3?") -> torch.Tensor:
    ids = checkpoint.tokenizer(text, add_special_tokens=False).input_ids
    with torch.inference_mode():
        return checkpoint.model(torch.tensor([ids])).logits


def test_a_gguf_file_is_the_model_it_was_made_of(tmp_path: Path, checkpoint: Checkpoint) -> None:
    quantized = load(str(tiny.save_gguf(tmp_path / "tiny.gguf")), device="cpu")

    asked = (Message(role="user", content="What is the sum of 2 and 3?"),)
    assert prompt_ids(quantized.tokenizer, asked) == prompt_ids(checkpoint.tokenizer, asked)
    torch.testing.assert_close(logits_of(quantized), logits_of(checkpoint))
    assert (quantized.name, quantized.context, quantized.ends) == ("tiny.gguf", tiny.CONTEXT, {1})
    assert logits_of(quantized).dtype == torch.float32


def test_an_adapter_comes_with_its_base(tmp_path: Path, plain: Path, checkpoint: Checkpoint) -> None:
    adapter = tiny.save_lora(tmp_path / "adapter", plain)

    adapted = load(str(adapter), device="cpu")

    weights = {name: weight for name, weight in adapted.model.named_parameters() if ".q_proj" in name}
    down = next(weight for name, weight in weights.items() if "lora_A" in name)
    up = next(weight for name, weight in weights.items() if "lora_B" in name)
    assert adapted.ends == checkpoint.ends
    assert not adapted.model.training
    assert (up @ down).abs().max() > 0
    assert not torch.allclose(logits_of(adapted), logits_of(checkpoint))
    with adapted.model.disable_adapter():
        torch.testing.assert_close(logits_of(adapted), logits_of(checkpoint))


def test_a_nat_student_comes_with_its_base_and_its_gate(tmp_path: Path, plain: Path, checkpoint: Checkpoint) -> None:
    folder = tiny.save_nat(tmp_path / "nat", plain)

    mixed = load(str(folder), device="cpu")

    assert isinstance(mixed.model, NatModel)
    assert (mixed.name, mixed.context, mixed.ends) == ("nat", tiny.CONTEXT, checkpoint.ends)
    assert not mixed.model.training
    seen = {"base": logits_of(checkpoint), "mixed": logits_of(mixed)}
    with mixed.model.view("negative"):
        seen["negative"] = logits_of(mixed)
    with mixed.model.disable_adapter():
        torch.testing.assert_close(logits_of(mixed), seen["base"])
    assert not any(torch.allclose(one, other) for one, other in itertools.combinations(seen.values(), 2))


def test_a_nat_student_generates_as_its_own_forward_pass_says(tmp_path: Path, plain: Path) -> None:
    mixed = load(str(tiny.save_nat(tmp_path / "nat", plain)), device="cpu")
    prompts = [[2, 40, 50], [3, 41, 60, 70, 80, 90]]

    found = generate(mixed, [Job(prompt, Decoding(max_tokens=6)) for prompt in prompts])

    for prompt, one in zip(prompts, found, strict=True):
        ids = list(prompt)
        for _ in one.tokens:
            with torch.no_grad():
                ids.append(int(mixed.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        assert list(one.tokens) == ids[len(prompt) :]


def test_a_nat_students_fingerprint_follows_each_of_its_parts(tmp_path: Path, plain: Path) -> None:
    folder = tiny.save_nat(tmp_path / "nat", plain)
    parts = ["nat_config.json", "nat_gate.safetensors", "negative/adapter_model.safetensors"]
    seen = {find(str(folder)).fingerprint()}

    for part in (*parts, "positive/adapter_model.safetensors"):
        with (folder / part).open("ab") as opened:
            opened.write(b"\n")
        seen.add(find(str(folder)).fingerprint())

    assert len(seen) == 5


def test_a_nat_student_without_one_of_its_adapters_is_named(tmp_path: Path, plain: Path) -> None:
    folder = tiny.save_nat(tmp_path / "nat", plain)
    (folder / "positive" / "adapter_model.safetensors").unlink()

    with pytest.raises(UsageError, match=r"nat/positive holds no \.safetensors file"):
        find(str(folder))


def test_an_adapter_finds_its_base_beside_itself(tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(plain, tmp_path / "base")
    adapter = tiny.save_lora(tmp_path / "adapter", plain)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "../base"}))
    monkeypatch.chdir(tmp_path / "adapter")
    monkeypatch.chdir("/")

    base = find(str(adapter)).base

    assert base is not None
    assert base.path.resolve() == tmp_path / "base"


def test_a_fingerprint_follows_weights_configuration_tokenizer_and_base(tmp_path: Path, plain: Path) -> None:
    copy = shutil.copytree(plain, tmp_path / "copy")
    adapter = tiny.save_lora(tmp_path / "adapter", copy)
    before, before_adapter = find(str(copy)).fingerprint(), find(str(adapter)).fingerprint()
    assert before == find(str(plain)).fingerprint()
    assert before_adapter != before

    (copy / "optimizer.pt").write_bytes(b"not read")
    (copy / "trainer_state.json").write_text("{}")
    (copy / "checkpoint-5").mkdir()
    assert find(str(copy)).fingerprint() == before

    seen = {before}
    for file in ("model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"):
        with (copy / file).open("ab") as opened:
            opened.write(b"\n")
        seen.add(find(str(copy)).fingerprint())
    assert len(seen) == 5
    assert find(str(adapter)).fingerprint() != before_adapter


def test_pickled_weights_are_refused(tmp_path: Path, plain: Path) -> None:
    folder = shutil.copytree(plain, tmp_path / "old", ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save({}, folder / "pytorch_model.bin")

    with pytest.raises(UsageError, match=r"only pytorch_model\.bin\n.*pickled weights can run code"):
        find(str(folder))


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UsageError, match="a file of another kind"):
        find(str(tmp_path / "notes.txt"))
    with pytest.raises(UsageError, match="holds neither config"):
        find(str(tmp_path))
    with pytest.raises(UsageError, match=r"no file or folder \./missing/x"):
        find("./missing/x")

    tiny.save_gguf(tmp_path / "a.gguf")
    with pytest.raises(UsageError, match=r"name the file: .*/a\.gguf"):
        find(str(tmp_path))

    (tmp_path / "adapter_config.json").write_text("[]")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match="names no base_model_name_or_path"):
        find(str(tmp_path))


@pytest.mark.parametrize("damage", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_checkpoint_is_an_error_that_names_it(tmp_path: Path, plain: Path, damage: str) -> None:
    folder = shutil.copytree(plain, tmp_path / "torn")
    (folder / damage).write_bytes((folder / damage).read_bytes()[:100])

    with pytest.raises(UsageError, match="torn cannot be loaded"):
        load(str(folder), device="cpu")


def test_a_torn_gguf_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    whole = tiny.save_gguf(tmp_path / "whole.gguf").read_bytes()
    for name, content in {
        "torn": whole[: len(whole) // 2],
        "header": whole[:40],
        "empty": b"",
        "text": b"hello" * 99,
    }.items():
        (tmp_path / f"{name}.gguf").write_bytes(content)
        with pytest.raises(UsageError, match=f"{name}.gguf cannot be loaded"):
            load(str(tmp_path / f"{name}.gguf"), device="cpu")


def test_without_the_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, plain: Path) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in {"torch", "peft"} else found(name))

    with pytest.raises(UsageError, match=r"torch, peft cannot be imported\n.*\n.*pip install 'errata\[train\]'"):
        load(str(plain))


def test_looking_for_a_checkpoint_needs_no_torch(plain: Path) -> None:
    looks = f"from errata.models.files import find; find({str(plain)!r}).fingerprint()"
    code = f"import sys; {looks}; print('torch' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout == "False\n"


def test_options_say_how_it_is_put_into_memory(plain: Path) -> None:
    options = LoadOptions(device_map="auto", attn_implementation="eager", dtype="bfloat16")

    loaded = load(str(plain), options=options)

    assert loaded.model.dtype == torch.bfloat16
    assert loaded.model.config._attn_implementation == "eager"
    assert loaded.device == next(loaded.model.parameters()).device
    (done,) = generate(loaded, [Job(loaded.tokenizer("2 + 3").input_ids, Decoding(max_tokens=4))])
    assert len(done.tokens) <= 4
