"""Hidden states and learned scores within a forward pass, also where the weights are sharded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARDED = """
import torch
from torch.distributed.fsdp import fully_shard
from errata.training.hidden_states import add_readout, learned_scores
from tests.training.lab import tiny_llama

torch.distributed.init_process_group("gloo")
ids = torch.randint(2, 250, (2, 12), generator=torch.Generator().manual_seed(torch.distributed.get_rank()))
gradients = []
for sharded in (False, True):
    model = tiny_llama(tie_word_embeddings=True)
    add_readout(model)
    if sharded:
        for layer in model.model.layers:
            fully_shard(layer)
        fully_shard(model)
    scores = model(input_ids=ids, use_cache=False, readout=lambda states, _: learned_scores(model, states, ids))
    scores.log_probs.sum().backward()
    if sharded:
        found = {name: value.grad.full_tensor() for name, value in model.named_parameters()}
    else:
        found = {name: value.grad for name, value in model.named_parameters()}
        for gradient in found.values():
            torch.distributed.all_reduce(gradient)
            gradient /= 2
    gradients.append(found)
plain, whole = gradients
assert all(torch.allclose(plain[name], whole[name], rtol=1e-4, atol=1e-5) for name in plain)
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_a_sharded_head_scores_as_a_whole_one() -> None:
    root = Path(__file__).parents[2]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29547", "PYTHONPATH": str(root)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SHARDED],
            cwd=root,
            env=os.environ | shared | {"RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]

    said = [each.communicate(timeout=200)[1] for each in both]

    assert [each.returncode for each in both] == [0, 0], said
