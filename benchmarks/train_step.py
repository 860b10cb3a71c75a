"""Step time and peak memory of EDIT and MCC-KD against TRL's plain SFTTrainer on the same tokens.

A small Llama whose LM head is a quarter of it (a fifth in SmolLM2-135M); 8 sequences of 96 tokens a step, full
training, logging at its default of every 10 steps (the step in which the terms' shares of the gradient are taken). The
arms take turns. On the CPU one thread, and its CPU time, which a busy machine disturbs least; on a GPU the wall clock,
bf16 and 64 times the tokens. A step's time is nine tenths of the least disturbed plain step and a tenth of the least
disturbed logged one. Memory is that of three steps with a logged one among them.
"""

from __future__ import annotations

import os
import tempfile
import time
from itertools import pairwise
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")

VOCABULARY, LENGTH, PROMPT, ANSWER = 4096, 96, 32, 4
STEPS, ROUNDS, LOGGED = 20, 6, 10
MARK = 1.10
ARMS = ("plain", "sft", "edit", "mcc-kd")


def make_rows(count: int) -> list[Any]:
    """Groups of two sequences that serve every arm: a pair with 5 % key tokens, ended by the same answer."""
    import random

    source = random.Random(17)
    rows = []
    for number in range(count):
        ids = [source.randrange(2, VOCABULARY) for _ in range(LENGTH - 1)] + [1]
        keys = source.sample(range(PROMPT, LENGTH - ANSWER - 1), 5)
        other = [source.randrange(2, VOCABULARY) if t in keys else token for t, token in enumerate(ids)]
        answer = [LENGTH - ANSWER - 1, LENGTH - 1]
        members = [{"input_ids": one, "prompt": PROMPT, "answer": answer} for one in (ids, other)]
        rows.append({"id": str(number), "members": members, "keys": sorted(keys)})
    return rows


def student() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 192, "intermediate_size": 576, "num_hidden_layers": 4, "num_attention_heads": 4}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=VOCABULARY, tie_word_embeddings=True, pad_token_id=0, eos_token_id=1, **shape)
    )


def tokenizer(vocabulary: int = VOCABULARY) -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<eos>": 1} | {f"w{i}": i for i in range(2, vocabulary)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<pad>")), pad_token="<pad>", eos_token="<eos>"
    )


def make_trainer(arm: str, rows: list[Any], folder: str, scale: int, **settings: Any) -> Any:
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from errata.training.encode import fingerprint
    from errata.training.methods.shipped import METHODS
    from errata.training.objective import Objective
    from errata.training.trainer import build_trainer

    words, on_gpu = tokenizer(), torch.cuda.is_available()
    batch = 4 * scale
    args = SFTConfig(
        folder,
        per_device_train_batch_size=2 * batch if arm == "plain" else batch,
        report_to="none",
        save_strategy="no",
        max_length=None,
        disable_tqdm=True,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        activation_checkpointing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_pin_memory=on_gpu,
        **settings,
    )
    if arm == "plain":
        flat = [
            {"input_ids": m["input_ids"], "labels": [-100] * PROMPT + m["input_ids"][PROMPT:]}
            for row in rows
            for m in row["members"]
        ]
        return SFTTrainer(student(), args, None, Dataset.from_list(flat), processing_class=words)
    kinds = ("chosen", "rejected") if arm == "edit" else ("right", "right")
    pair = {"right": 0, "wrong": 1}
    data = [
        {
            "id": row["id"],
            "tokenizer": fingerprint(words),
            "members": [{"kind": kind, **one} for kind, one in zip(kinds, row["members"], strict=True)],
            "pairs": [{**pair, "right_keys": row["keys"], "wrong_keys": row["keys"]}] if arm == "edit" else [],
        }
        for row in rows
    ]
    method = next(each for each in METHODS if each.name == arm)
    objective = Objective(method.terms(method.knobs()))
    return build_trainer(student(), args, Dataset.from_list(data), words, objective)


def step_seconds(trainer: Any) -> tuple[list[float], list[float]]:
    """Of the steps after the first: those of the plain ones, and those of the ones that are logged."""
    import torch
    from transformers import TrainerCallback

    marks: list[float] = []
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            marks.append(clock())

    trainer.add_callback(Watch())
    trainer.train()
    spans = {step: after - before for step, (before, after) in enumerate(pairwise(marks), 2)}
    logged = [seconds for step, seconds in spans.items() if step % LOGGED == 0]
    return [seconds for step, seconds in spans.items() if step % LOGGED], logged


def peak_bytes(trainer: Any) -> int:
    """The most that is allocated at once during training, beyond what was allocated before."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        trainer.train()
        return int(torch.cuda.max_memory_allocated()) - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        trainer.train()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def main() -> int:
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    scale = 64 if torch.cuda.is_available() else 1
    rows = make_rows(4 * scale * (STEPS + 1))
    tokens = 8 * scale * LENGTH
    plain: dict[str, list[float]] = {arm: [] for arm in ARMS}
    logged: dict[str, list[float]] = {arm: [] for arm in ARMS}
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for arm in ARMS:
                settings = {"max_steps": STEPS + 1, "logging_steps": LOGGED}
                found = step_seconds(make_trainer(arm, rows, folder, scale, **settings))
                plain[arm] += found[0]
                logged[arm] += found[1]
        for arm in ARMS:
            peaks[arm] = peak_bytes(make_trainer(arm, rows, folder, scale, max_steps=3, logging_steps=2))
    times = {arm: ((LOGGED - 1) * min(plain[arm]) + min(logged[arm])) / LOGGED for arm in ARMS}
    missed = False
    for arm in ARMS:
        seconds = times[arm]
        time_ratio, memory_ratio = seconds / times["plain"], peaks[arm] / peaks["plain"]
        missed |= arm != "plain" and max(time_ratio, memory_ratio) > MARK
        print(
            f"{arm:<7} {seconds * 1e3:8.1f} ms per step {tokens / seconds:9.0f} tokens/s  x{time_ratio:.3f}"
            f"   peak {peaks[arm] / 2**20:7.1f} MiB  x{memory_ratio:.3f}"
        )
    print(f"mark: x{MARK:.2f} for either")
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
