"""Students shipped to a folder, to llama.cpp and to Ollama, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from errata.classroom.problems import problems
from errata.cli import cli
from errata.errors import UsageError
from errata.models.files import find
from errata.models.load import load
from errata.shipping.ship import ship
from errata.training.classroom_student import model as classroom
from tests.models import tiny
from tests.shipping.llama_cpp import answers, checkpoints_answers, server

ASKED = [
    *("What is 2 + 3?", "the theth th!", "Añejo, 漢字", "12 345 apples", "a\n\nb\tc", "", "x" * 40, "It's 5 o'clock."),
    *("  two blanks", "</s> inside", "e = mc²", "Tom has 7 pears; he gives away 3. How many has he?"),
]
TOKENS = 16
SHAPE: dict[str, Any] = {
    "vocab_size": tiny.VOCABULARY + 2,  # Qwen's tokenizers bring a token of their own; one row has none
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": tiny.CONTEXT,
    "initializer_range": 0.5,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "tie_word_embeddings": True,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


def saved(folder: Path, model: Any) -> Path:
    with torch.no_grad():
        model.get_input_embeddings().weight[tiny.VOCABULARY :] = 0.0  # never the likeliest
    model.save_pretrained(folder)
    tiny.tokenizer(chat=True).save_pretrained(folder)
    return folder


def qwen2() -> Any:
    model = Qwen2ForCausalLM(Qwen2Config(**SHAPE))
    for name, weight in model.named_parameters():  # they start at zero
        if name.endswith(".bias"):
            torch.nn.init.normal_(weight, std=0.5)
    return model


MODELS: dict[str, Callable[[], Any]] = {
    "llama": tiny.model,
    "llama3_positions": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, rope_parameters=LLAMA3)),
    "qwen2": qwen2,
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=16)),
}


def whole(told: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Without the blank that opens a first word and a letter cut off at the last token, as llama.cpp leaves them."""
    return [(text.removeprefix(" ").rstrip("\ufffd"), read, written) for text, read, written in told]


@pytest.mark.parametrize("kind", MODELS)
def test_llama_cpp_answers_as_the_checkpoint(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    folder = saved(tmp_path / kind, MODELS[kind]())

    shipped = ship(str(folder), "gguf", tmp_path / "student.gguf", "f32")

    assert shipped.bytes == (tmp_path / "student.gguf").stat().st_size
    told = answers(server(shipped.out, tiny.CONTEXT), ASKED, TOKENS)
    assert whole(told) == whole(checkpoints_answers(load(str(folder), device="cpu"), ASKED, TOKENS))


@pytest.fixture(scope="module")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student made as `tiny` is, with decided logits."""
    texts = [each.question for each in problems({"count": 60, "seed": 1})]
    prompts = [f"Solve the problem step by step.\n{text}" for text in texts]
    model, tokenizer = classroom.make(prompts, texts)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4.0 if weight.ndim == 2 else 1.0)
    return classroom.save(tmp_path_factory.mktemp("wordy") / "student", model, tokenizer)


def test_llama_cpp_reads_a_tokenizer_of_words_as_the_tiny_student_does(wordy: Path, tmp_path: Path) -> None:
    texts = [each.question for each in problems({"count": 12, "seed": 1})]
    asked = [f"Solve the problem step by step.\n{text}" for text in texts]
    asked += ["1053\t-57\r\n  800 12", "Solve the problem step by step. Solve the problem step by step."]

    shipped = ship(str(wordy), "gguf", tmp_path / "wordy.gguf", "f32")

    told = answers(server(shipped.out, classroom.CONTEXT), asked, TOKENS)
    assert whole(told) == whole(checkpoints_answers(load(str(wordy), device="cpu"), asked, TOKENS))


def test_a_tokenizer_of_bytes_as_tiny_makes_it_and_no_chat_template(tmp_path: Path) -> None:
    prompts = [f"{place}. Write\ntwo lines about {place * 37}." for place in range(30)]
    model, tokenizer = classroom.make(prompts, ["one\ntwo"])
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4.0 if weight.ndim == 2 else 1.0)
    tokenizer.chat_template = None
    folder = classroom.save(tmp_path / "student", model, tokenizer)

    shipped = ship(str(folder), "gguf", tmp_path / "bytes.gguf", "f32")

    told = answers(server(shipped.out, classroom.CONTEXT), ASKED, TOKENS)
    assert whole(told) == whole(checkpoints_answers(load(str(folder), device="cpu"), ASKED, TOKENS))


def logits(path: Path) -> torch.Tensor:
    checkpoint = load(str(path), device="cpu")
    with torch.inference_mode():
        ids = checkpoint.tokenizer("What is 2 + 3?", add_special_tokens=False, return_tensors="pt").input_ids
        found: torch.Tensor = checkpoint.model(ids).logits
    return found


def test_an_adapter_is_merged_into_its_base_for_a_folder_and_for_a_file(tmp_path: Path) -> None:
    base = tiny.save_plain(tmp_path / "base")
    adapter = tiny.save_lora(tmp_path / "adapter", base)
    (adapter / "README.md").write_text("its card")

    folder, file = (ship(str(adapter), to, tmp_path / f"out.{to}", "f32").out for to in ("merged", "gguf"))

    assert find(str(folder)).kind == "plain"
    assert (folder / "README.md").read_text() == "its card"
    assert not torch.allclose(logits(base), logits(folder))
    torch.testing.assert_close(logits(folder), logits(adapter), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits(file), logits(adapter), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("dtype", "off"), [("f16", 0.05), ("bf16", 0.3), ("q8_0", 1.0)])
def test_weights_of_fewer_bits_stay_near(dtype: str, off: float, tmp_path: Path) -> None:
    base = tiny.save_plain(tmp_path / "base")

    shipped = ship(str(base), "gguf", tmp_path / "small.gguf", dtype)

    apart = (logits(shipped.out) - logits(base)).abs().max()
    assert 0 < apart < off
    stored = {each.tensor_type.name for each in gguf.GGUFReader(shipped.out).tensors}
    assert stored >= {"F32", dtype.upper()}


def test_weights_that_float16_cannot_hold_are_refused(tmp_path: Path) -> None:
    model = tiny.model()
    with torch.no_grad():
        model.lm_head.weight[0, 0] = 1e6
    folder = saved(tmp_path / "large", model)

    with pytest.raises(UsageError, match="f16 ends at 65504"):
        ship(str(folder), "gguf", tmp_path / "out.gguf")
    assert [each.name for each in tmp_path.iterdir()] == ["large"]


def test_a_modelfile_says_the_template_and_the_stops(tmp_path: Path) -> None:
    folder = tiny.save_plain(tmp_path / "student")

    shipped = ship(str(folder), "ollama", tmp_path / "ollama")

    assert sorted(each.name for each in shipped.out.iterdir()) == ["Modelfile", "student.gguf"]
    role = '{{{{ if eq .Role "{0}" }}}}<|{0}|>{{{{ .Content }}}}</s>{{{{ end }}}}'.format
    turns = "".join(map(role, ("system", "user", "assistant")))
    assert (shipped.out / "Modelfile").read_text() == (
        f'FROM ./student.gguf\nTEMPLATE """{{{{ range .Messages }}}}{turns}{{{{ end }}}}<|assistant|>"""\n'
        'PARAMETER stop "</s>"\n'
    )


def test_what_would_not_answer_alike_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    base = tiny.save_plain(tmp_path / "base")
    nat = tiny.save_nat(tmp_path / "nat", base)
    windowed = saved(tmp_path / "windowed", Qwen2ForCausalLM(Qwen2Config(**SHAPE, use_sliding_window=True)))
    before = sorted(tmp_path.iterdir())

    refused = {nat: "NAT student", windowed: "a sliding window", tmp_path / "absent": "no file or folder"}
    for student, found in refused.items():
        with pytest.raises(UsageError, match=found):
            ship(str(student), "gguf", tmp_path / "out.gguf")
    with pytest.raises(UsageError, match="is there already"):
        ship(str(base), "merged", nat)
    with pytest.raises(UsageError, match="q8_0"):
        ship(str(base), "merged", tmp_path / "out", "q8_0")
    assert sorted(tmp_path.iterdir()) == before


def test_an_architecture_that_is_not_known_is_refused(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=tiny.VOCABULARY, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    folder = saved(tmp_path / "gpt2", GPT2LMHeadModel(config))

    with pytest.raises(UsageError, match="a model of the architecture gpt2") as refusal:
        ship(str(folder), "gguf", tmp_path / "out.gguf")
    assert "convert_hf_to_gguf.py" in refusal.value.do


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    from click.testing import CliRunner

    folder = tiny.save_plain(tmp_path / "student")

    done = CliRunner().invoke(cli, ["ship", str(folder), "--to", "merged", "--out", str(tmp_path / "out")])

    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "out")
    assert "f32" in done.stderr


@pytest.mark.slow  # a real model of 135 million weights
def test_smollm2_answers_in_llama_cpp_as_in_errata(tmp_path: Path) -> None:
    student = os.environ.get("SMOLLM2_GGUF")
    if not student:
        pytest.skip("SMOLLM2_GGUF names no file")
    asked = [each.question for each in problems({"count": 8, "seed": 4})]
    asked += ["What is 17 + 25?", "Name the capital of France.", "Say `café` twice.", "Count from 1 to 12."]

    shipped = ship(student, "gguf", tmp_path / "smollm2.gguf", "f32")

    told = answers(server(shipped.out, 1024), asked, 24)
    assert whole(told) == whole(checkpoints_answers(load(student, device="cpu"), asked, 24))


@pytest.mark.slow  # as above
def test_smollm2_at_f16_answers_in_llama_cpp_as_its_checkpoint(tmp_path: Path) -> None:
    student = os.environ.get("SMOLLM2_GGUF")
    if not student:
        pytest.skip("SMOLLM2_GGUF names no file")
    asked = ["What is 17 + 25?", "Name the capital of France.", "Say `café` twice.", "Count from 1 to 12."]
    asked += ["Leo has 4 bags with 6 cups each. How many cups?", "What colour is the sky?", "Is 7 a prime number?"]
    asked += ["Write one sentence about cats.", "Translate 'good morning' into Spanish.", "List three fruits."]

    shipped = ship(student, "gguf", tmp_path / "smollm2.gguf")

    assert shipped.dtype == "f16"
    told = answers(server(shipped.out, 512), asked, 20)
    assert whole(told) == whole(checkpoints_answers(load(student, device="cpu"), asked, 20))
