"""Decoding by vLLM in this process, where it is installed (extra `vllm`), there is a GPU and it can serve the model.

vLLM holds the weights and batches requests as they come and go; what ends a completion is ours (models.row), so
that greedy texts are those of the other ways up to rounding. Sampled ones have a seed each, and vLLM's own dice.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from errata.models.files import Files
from errata.models.sampling import Job

if TYPE_CHECKING:
    from errata.models.load_options import LoadOptions

MEMORY = 0.5
"""Share of the device's memory; vLLM takes nine tenths, and trainings may run beside it."""


def serves(files: Files, options: LoadOptions) -> bool:
    """Whether vLLM is to decode this checkpoint: a whole one, of an architecture that it knows, on a GPU."""
    if options.engine == "transformers" or options.device_map or options.attn_implementation:
        return False
    if files.kind != "plain" or importlib.util.find_spec("vllm") is None or not _on_cuda():
        return False
    from vllm import ModelRegistry

    names = json.loads((files.path / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    return bool(set(names) & set(ModelRegistry.get_supported_archs()))


def open_engine(files: Files, options: LoadOptions) -> Any:
    """A vLLM engine that holds the checkpoint's weights."""
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # in this process
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    from vllm import EngineArgs, LLMEngine

    dtype = options.dtype or "auto"
    settings = {"dtype": dtype, "gpu_memory_utilization": MEMORY, "trust_remote_code": False}
    return LLMEngine.from_engine_args(EngineArgs(model=str(files.path), **settings))


def decode(
    engine: Any,
    jobs: Mapping[int, Job],
    rooms: Mapping[int, int],
    unwanted: Callable[[int], bool],
    over: Callable[[int, Sequence[int]], bool],
) -> Iterator[int]:
    """The places whose completions are over, each as soon as it is.

    Args:
        rooms: the most tokens of each completion.
        unwanted: asked at every step; a place that it names is dropped.
        over: is given a place's new tokens and says whether its completion has ended with them.
    """
    from vllm import SamplingParams

    for place, job in jobs.items():
        decoding = job.decoding
        params = SamplingParams(
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            max_tokens=rooms[place],
            seed=job.seed % 2**31 if decoding.temperature else None,
            detokenize=False,
        )
        engine.add_request(str(place), {"prompt_token_ids": list(job.prompt)}, params)
    lengths = dict.fromkeys(jobs, 0)
    while lengths:
        finished: list[int] = []
        for output in engine.step():
            place = int(output.request_id)
            if place not in lengths:
                continue
            tokens = output.outputs[0].token_ids
            new, lengths[place] = list(tokens[lengths[place] :]), len(tokens)
            if over(place, new) or output.finished:
                finished.append(place)
        dropped = [place for place in lengths if place not in finished and unwanted(place)]
        engine.abort_request([str(place) for place in (*finished, *dropped)])
        for place in (*finished, *dropped):
            del lengths[place]
        yield from finished


def _on_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
