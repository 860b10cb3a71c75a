"""CPU and memory of training steps by the allocators that this system has: glibc's, tcmalloc, jemalloc.

Steps of two parts of at most 1,024 tokens, of rows of 120 to 320, in bf16 autocast with AdamW, on six layers of
SmolLM2-135M's width: what a part allocates differs from step to step, as in a training. Each arm is a process of its
own on one thread; the first step is not counted.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
from ctypes.util import find_library

LAYERS, TOKENS, PARTS, LENGTHS = 6, 1024, 2, (120, 320)
LIBRARIES = ("tcmalloc_minimal", "jemalloc")


def measure(arm: str, steps: int) -> None:
    """Prints the CPU's seconds per step, those in the system among them, and the peak in MB."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from benchmarks.real_step import SHAPE, VOCABULARY
    from errata.training.token_scores import score

    torch.set_num_threads(1)
    shape = {**SHAPE, "num_hidden_layers": LAYERS}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, tie_word_embeddings=True, **shape)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    drawn = random.Random(1)

    def step() -> None:
        for _ in range(PARTS):
            length = drawn.randint(*LENGTHS)
            ids_BT = torch.randint(0, VOCABULARY, (TOKENS // length, length))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                hidden_BTD = model.model(input_ids=ids_BT, use_cache=False).last_hidden_state
                learned = slice(length // 2, -1), slice(length // 2 + 1, None)
                hidden_ND, ids_N = hidden_BTD[:, learned[0]].flatten(0, 1), ids_BT[:, learned[1]].flatten()
                loss = -score(hidden_ND, model.lm_head.weight, None, ids_N).logp_N.mean()
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(steps):
        step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    system = after.ru_stime - before.ru_stime
    cpu = after.ru_utime - before.ru_utime + system
    print(f"| {arm} | {cpu / steps:.2f} | {system / steps:.2f} | {after.ru_maxrss / 1024:,.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=36)
    parser.add_argument("--arm", help="in this process, under this name")
    options = parser.parse_args()
    if options.arm:
        measure(options.arm, options.steps)
        return
    print("| allocator | CPU s per step | of them in the system | peak MB |\n|---|---|---|---|", flush=True)
    arms = {"glibc": ""} | {name: file for name in LIBRARIES if (file := find_library(name))}
    for arm, library in arms.items():
        command = [sys.executable, "-m", "benchmarks.allocators", "--arm", arm, "--steps", str(options.steps)]
        subprocess.run(command, check=True, env={**os.environ, "LD_PRELOAD": library})


if __name__ == "__main__":
    main()
