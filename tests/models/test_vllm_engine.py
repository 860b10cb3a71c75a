"""vLLM in this process: a stand-in with its interface, which decodes with our own model, shows what is asked of it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from errata.errors import UsageError
from errata.models import vllm_engine
from errata.models.files import find
from errata.models.generate import generate
from errata.models.load import Checkpoint, load, load_to_decode
from errata.models.load_options import LoadOptions
from errata.models.sampling import Decoding, Job
from tests.models import tiny

TEXTS = ["a", "the quick brown fox", "7 * 8 =", "How many apples are left?"]


class Engine:
    """As vllm.LLMEngine: requests come by id, each step gives every one a token more."""

    def __init__(self, path: str) -> None:
        self.own = load(path, "cpu")
        self.model_config = SimpleNamespace(max_model_len=tiny.CONTEXT)
        self.running: dict[str, tuple[list[int], list[int], Any]] = {}
        self.aborted: list[str] = []

    @classmethod
    def from_engine_args(cls, args: Any) -> Engine:
        return cls(args.model)

    def add_request(self, name: str, prompt: dict[str, list[int]], params: Any) -> None:
        whole = generate(self.own, [Job(prompt["prompt_token_ids"], Decoding(max_tokens=params.max_tokens))])
        self.running[name] = (list(whole[0].tokens), [], params)

    def step(self) -> list[Any]:
        outputs = []
        for name, (whole, given, _) in list(self.running.items()):
            given.append(whole[len(given)])
            finished = len(given) == len(whole)
            outputs.append(
                SimpleNamespace(request_id=name, outputs=[SimpleNamespace(token_ids=list(given))], finished=finished)
            )
            if finished:
                del self.running[name]
        return outputs

    def abort_request(self, names: list[str]) -> None:
        self.aborted += [name for name in names if self.running.pop(name, None)]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    stand_in: Any = ModuleType("vllm")
    stand_in.__spec__ = SimpleNamespace(name="vllm")
    stand_in.EngineArgs = stand_in.SamplingParams = SimpleNamespace
    stand_in.LLMEngine = Engine
    stand_in.ModelRegistry = SimpleNamespace(get_supported_archs=lambda: ["LlamaForCausalLM"])
    monkeypatch.setitem(sys.modules, "vllm", stand_in)
    monkeypatch.setattr(vllm_engine, "_on_cuda", lambda: True)
    return stand_in


def jobs(checkpoint: Checkpoint, **changes: Any) -> list[Job]:
    decoding = Decoding(max_tokens=12, **changes)
    return [Job(checkpoint.tokenizer(text).input_ids, decoding, seed=3) for text in TEXTS]


@pytest.mark.usefixtures("vllm")
def test_greedy_texts_are_those_of_our_batches(plain: Path) -> None:
    served, ours = load_to_decode(str(plain)), load(str(plain), "cpu")

    assert served.engine is not None
    assert served.name == f"{plain.name} (vLLM)"
    assert generate(served, jobs(ours)) == generate(ours, jobs(ours))
    stop = generate(ours, jobs(ours))[0].text[3:5]
    assert generate(served, jobs(ours, stop=(stop,))) == generate(ours, jobs(ours, stop=(stop,)))
    assert served.engine.aborted  # what is over for us is over for vLLM


@pytest.mark.usefixtures("vllm")
def test_what_nobody_wants_any_more_is_given_up(plain: Path) -> None:
    served, asked = load_to_decode(str(plain)), jobs(load(str(plain), "cpu"))
    steps = 0

    def unwanted(place: int) -> bool:
        nonlocal steps
        steps += 1
        return place == 2 and steps > 6

    rooms = dict.fromkeys(range(4), 12)
    found = list(vllm_engine.decode(served.engine, dict(enumerate(asked)), rooms, unwanted, lambda *_: False))

    assert sorted(found) == [0, 1, 3]
    assert served.engine.aborted == ["2"]


@pytest.mark.usefixtures("vllm")
def test_a_sampled_row_has_its_own_seed(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    add = Engine.add_request
    monkeypatch.setattr(Engine, "add_request", lambda self, *each: (asked.append(each[2]), add(self, *each)))
    served = load_to_decode(str(plain))

    generate(served, jobs(load(str(plain), "cpu"), temperature=0.7, top_p=0.9))

    assert {(each.temperature, each.top_p, each.seed, each.max_tokens) for each in asked} == {(0.7, 0.9, 3, 12)}


def test_it_serves_whole_checkpoints_that_it_knows_on_a_gpu(
    plain: Path, vllm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = LoadOptions()
    assert vllm_engine.serves(find(str(plain)), own)
    assert not vllm_engine.serves(find(str(tiny.save_lora(tmp_path / "lora", plain))), own)
    assert not vllm_engine.serves(find(str(plain)), LoadOptions(engine="transformers"))
    vllm.ModelRegistry = SimpleNamespace(get_supported_archs=lambda: ["Other"])
    assert not vllm_engine.serves(find(str(plain)), own)
    monkeypatch.setattr(vllm_engine, "_on_cuda", torch.cuda.is_available)
    if not torch.cuda.is_available():
        assert load_to_decode(str(plain)).engine is None
        with pytest.raises(UsageError, match="engine: vllm"):
            load_to_decode(str(plain), LoadOptions(engine="vllm"))
