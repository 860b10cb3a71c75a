"""Tokens per second of `errata train sft` on a student of SmolLM2-135M's shape, against bare loops of transformers.

Full training with AdamW on the same rows, prompts of 50 to 100 tokens and completions of 40 to 134 as in SVAMP's
released rationales. `loop` is the ordinary one: `model(..., labels=...)`, backward, clip, step. `learned` gives the LM
head the learned positions alone, the least that any loop must do. errata's trainer takes a batch in parts, and the
prompt of a row's rationales once, as it does on a CPU by default; `prompts apart` is the same without the second, `in
one part` without either, `trl head` with TRL's fused head, which without Triton scores every position. All learned
tokens count. On the CPU one thread, and its CPU time, which a busy machine disturbs least; arms take turns, and the
least disturbed step of each counts. The first step's losses must agree.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")

VOCABULARY = 49_152
SHAPE = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
}
PROMPT, COMPLETION = (50, 100), (40, 134)
STEPS, ROUNDS = 2, 2
MARK = 0.9
ARMS = ("loop", "learned", "errata", "prompts apart", "in one part", "trl head")
WHOLE = 1_000_000
"""More tokens than any batch has, so that it goes in one part."""


def make_rows(count: int, rationales: int) -> list[Any]:
    source = random.Random(17)

    def drawn(tokens: int) -> list[int]:
        return [source.randrange(2, VOCABULARY) for _ in range(tokens)]

    rows = []
    for number in range(count):
        prompt = drawn(source.randint(*PROMPT))
        members = [
            {"kind": "right", "input_ids": [*prompt, *drawn(source.randint(*COMPLETION) - 1), 1], "prompt": len(prompt),
             "answer": [0, 0]}
            for _ in range(rationales)
        ]  # fmt: skip
        rows.append({"id": str(number), "tokenizer": "", "members": members, "pairs": []})
    return rows


def student() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=VOCABULARY, tie_word_embeddings=True, pad_token_id=0, eos_token_id=1, **SHAPE)
    )


def bare(rows: list[Any], batch: int, bf16: bool, learned_only: bool) -> Iterator[float]:
    """The loss of each step of a loop as anybody would write it."""
    import torch
    from torch.nn.functional import cross_entropy

    from errata.training.collate import Collator, Reading

    model = student().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    collate = Collator(0, Reading(frozenset({"right"}), pairs=False))
    for start in range(0, len(rows), batch):
        columns = collate(rows[start : start + batch])
        ids, mask, labels = (columns[name] for name in ("input_ids", "attention_mask", "labels"))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            if learned_only:
                places = labels[:, 1:] != -100
                states = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
                loss = cross_entropy(model.lm_head(states[:, :-1][places]).float(), labels[:, 1:][places])
            else:
                loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item()


def trainer_of(rows: list[Any], batch: int, bf16: bool, folder: str, arm: str) -> Any:
    from datasets import Dataset

    from benchmarks.train_step import tokenizer
    from errata.training.arguments import Training
    from errata.training.encode import fingerprint
    from errata.training.methods.sft import SFT
    from errata.training.objective import Objective
    from errata.training.trainer import build_trainer

    words = tokenizer(VOCABULARY)
    args = Training(
        folder,
        per_device_train_batch_size=batch,
        tokens_per_batch=WHOLE if arm == "in one part" else None,
        share_prompts=False if arm in ("prompts apart", "in one part") else None,
        max_steps=len(rows) // batch,
        learning_rate=1e-4,
        lr_scheduler_type="constant",
        train_sampling_strategy="sequential",
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        bf16=bf16,
        dataloader_pin_memory=False,
    )
    data = Dataset.from_list([{**row, "tokenizer": fingerprint(words)} for row in rows])
    return build_trainer(student(), args, data, words, Objective(SFT.terms(SFT.knobs())))


def steps_of(arm: str, rows: list[Any], batch: int, bf16: bool) -> tuple[list[float], list[float]]:
    """Seconds of each step after the first, and the losses."""
    from transformers import TrainerCallback

    from errata.training import trainer as module

    if arm in ("loop", "learned"):
        marks, losses = [], []
        for loss in bare(rows, batch, bf16, arm == "learned"):
            marks.append(time.process_time())
            losses.append(loss)
        return [after - before for before, after in pairwise(marks)], losses

    marks = []

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            marks.append(time.process_time())

    own = module.takes_fused_head
    module.takes_fused_head = (lambda *_: True) if arm == "trl head" else own  # type: ignore[assignment]
    try:
        with tempfile.TemporaryDirectory() as folder:
            trainer = trainer_of(rows, batch, bf16, folder, arm)
            trainer.add_callback(Watch())
            trainer.train()
    finally:
        module.takes_fused_head = own
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return [after - before for before, after in pairwise(marks)], losses


def main() -> bool:
    """Prints the table; True where the mark is missed."""
    import torch
    import transformers

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bf16", action="store_true", help="in bf16 autocast")
    parser.add_argument("--rows", type=int, default=8, help="per step")
    parser.add_argument("--rationales", type=int, default=1, help="per row, of one prompt")
    parser.add_argument("--arms", nargs="+", default=ARMS, choices=ARMS)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    rows = make_rows(arguments.rows * (STEPS + 1), arguments.rationales)
    learned = [sum(len(m["input_ids"]) - m["prompt"] for row in rows for m in row["members"])]
    tokens = learned[0] / (STEPS + 1)
    best: dict[str, float] = {}
    losses: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for arm in arguments.arms:
            seconds, losses[arm] = steps_of(arm, rows, arguments.rows, arguments.bf16)
            best[arm] = min(best.get(arm, float("inf")), *seconds)
    print("| | s per step | learned tokens/s | to the loop | first loss |\n|---|---|---|---|---|")
    for arm, seconds in best.items():
        ratio = best["loop"] / seconds if "loop" in best else float("nan")
        print(f"| {arm} | {seconds:.2f} | {tokens / seconds:.0f} | {ratio:.2f} | {losses[arm][0]:.5f} |")
    first = [each[0] for each in losses.values()]
    ratio = best["learned"] / best["errata"] if {"learned", "errata"} <= set(best) else float("nan")
    print(
        f"\nmark: errata at least {MARK} of `learned` ({ratio:.2f}); first losses within {max(first) - min(first):.1e}"
    )
    return not ratio >= MARK or max(first) - min(first) > 1e-3


if __name__ == "__main__":
    raise SystemExit(main())
