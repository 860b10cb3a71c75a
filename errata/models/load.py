"""A checkpoint from disk into memory: plain, LoRA adapter on its base, NAT student with its gate, or GGUF."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errata.errors import UsageError
from errata.models import vllm_engine
from errata.models.files import Files, find, names_code
from errata.models.load_options import AS_CHOSEN, LoadOptions
from errata.models.precision import is_slow

if TYPE_CHECKING:
    from torch import device as Device
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model ready to generate, in eval mode.

    `context` counts the tokens of prompt and completion together, None where the configuration states no limit. `ends`
    are the ids after which a completion is over.
    """

    name: str
    model: PreTrainedModel | Any
    tokenizer: PreTrainedTokenizerBase
    device: Device
    context: int | None
    ends: frozenset[int]
    engine: Any = None
    """vLLM's, which decodes in the model's place; `model` is none then."""


class MissingLibrary(UsageError):
    """What local checkpoints need is not installed."""


def need_torch() -> None:
    """To be called before torch is imported. Raises MissingLibrary.

    Threads of torch's that wait for each other shall sleep: those that spin cost 6 times the CPU time as soon as
    anything else runs beside them, as our own graders and servers do. The setting is read at torch's first import.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    missing = [name for name in ("torch", "transformers", "peft", "gguf") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingLibrary(
            f"{', '.join(missing)} cannot be imported",
            "local checkpoints run in this process, and the base install leaves their libraries out",
            "pip install 'errata[train]'",
        )


def load(path: str, device: str | None = None, options: LoadOptions = AS_CHOSEN) -> Checkpoint:
    """The checkpoint at `path`: a folder, a .gguf file or a hub id; see errata.models.files.

    Runs on CUDA in bfloat16 where there is one, else on MPS or the CPU in float32; `device` and `options` overrule.
    Only safetensors and GGUF are read, and no code that lies beside the weights is run. Raises UsageError where it
    cannot be loaded.
    """
    need_torch()
    files = find(path)
    try:
        return _load(files, device, options)
    except UsageError:
        raise
    except Exception as error:  # every library below has errors of its own for a damaged file
        raise unloadable(f"the checkpoint {path}", files.folders, error) from error


def unloadable(what: str, folders: Iterable[Path], error: Exception) -> UsageError:
    """What to say of a checkpoint that a library could not load from these folders."""
    if coded := names_code(folders):
        return UsageError(
            f"{what} cannot be loaded: {coded} names code of its own (auto_map), and transformers has none for it",
            "no code beside the weights of a checkpoint is run: whoever wrote it could do anything here",
            "take a model that transformers knows itself, or convert it to such a one where you trust its code",
        )
    return UsageError(
        f"{what} cannot be loaded: {type(error).__name__}: {error}"[:1000],
        "its files are damaged or incomplete, too large for this machine, or of a kind transformers does not know",
        "try it with transformers' AutoModelForCausalLM.from_pretrained",
    )


def _load(files: Files, device: str | None, options: LoadOptions) -> Checkpoint:
    import torch

    on = torch.device(device or _best_device())
    dtype = options.dtype or ("bfloat16" if on.type == "cuda" else "float32")
    if dtype != "float32" and is_slow(dtype, on.type):
        logger.warning("%s: in %s, which this CPU is slow in; float32 takes a fraction of the time", files.name, dtype)
    placing = {"device_map": options.device_map, "attn_implementation": options.attn_implementation}
    with no_progress_bars():
        model = model_of(files, dtype=getattr(torch, dtype), **{key: value for key, value in placing.items() if value})
        tokenizer = tokenizer_of(files)
    model = model if options.device_map else model.to(on)
    return Checkpoint(
        name=files.name,
        model=model.eval(),
        tokenizer=tokenizer,
        device=model.device,
        context=getattr(model.config.get_text_config(), "max_position_embeddings", None),
        ends=ends_of(model.generation_config, tokenizer),
    )


def load_to_decode(path: str, options: LoadOptions = AS_CHOSEN) -> Checkpoint:
    """As `load`, for decoding alone: by vLLM where it can serve the checkpoint. Raises UsageError as well."""
    need_torch()
    files = find(path)
    if not vllm_engine.serves(files, options):
        if options.engine == "vllm":
            raise UsageError(
                f"{path} with engine: vllm",
                "vLLM is not installed here, finds no GPU, or does not know this kind of checkpoint",
                "pip install 'errata[vllm]' on a machine with a GPU; merge adapters first; or leave engine out",
            )
        return load(path, options=options)
    import torch

    try:
        tokenizer, engine = tokenizer_of(files), vllm_engine.open_engine(files, options)
    except Exception as error:  # whatever it says, a person shall know whose error it is
        raise UsageError(
            f"vLLM cannot load {path}: {type(error).__name__}: {error}"[:1000],
            "it is installed here, so local checkpoints go to it",
            "set extra: {engine: transformers} for the model, or see vLLM's message",
        ) from error
    return Checkpoint(
        name=f"{files.name} (vLLM)",
        model=None,
        tokenizer=tokenizer,
        device=torch.device("cuda"),
        context=engine.model_config.max_model_len,
        ends=ends_of(_generation_settings(files), tokenizer),
        engine=engine,
    )


def _generation_settings(files: Files) -> Any:
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(files.path, trust_remote_code=False)
    except OSError:
        return None


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Loading and saving take seconds, and their bars would be drawn across those of a run."""
    from transformers.utils import logging

    enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if enabled:
            logging.enable_progress_bar()


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def model_of(files: Files, **options: Any) -> Any:
    """The model, adapters not merged: in bfloat16 a merge rounds small updates away.

    Args:
        options: given to transformers' from_pretrained, for the base of adapters.
    """
    from transformers import AutoModelForCausalLM, GgufConfig

    match files.kind:
        case "plain":
            return AutoModelForCausalLM.from_pretrained(
                files.path, use_safetensors=True, trust_remote_code=False, **options
            )
        case "gguf":
            # not dequantized, the weights would stay in blocks that have no fast kernel here and cannot be trained
            options["quantization_config"] = GgufConfig(dequantize=True)
            return AutoModelForCausalLM.from_pretrained(
                files.path.parent, gguf_file=files.name, trust_remote_code=False, **options
            )
    assert files.base is not None
    base = model_of(files.base, **options)
    if files.kind == "nat":
        from errata.models.gate import load_nat

        return load_nat(base, files.path)
    from peft import PeftModel

    return PeftModel.from_pretrained(base, files.path)


def tokenizer_of(files: Files) -> Any:
    """The tokenizer beside the weights, or that of the base an adapter stands on."""
    if files.kind == "gguf":
        return tokenizer_in(files.path.parent, gguf_file=files.name)
    if files.base is not None and not (files.path / "tokenizer_config.json").is_file():
        return tokenizer_of(files.base)
    return tokenizer_in(files.path)


def tokenizer_in(folder: Path, **options: Any) -> Any:
    """The tokenizer that lies in this folder. Raises UsageError where only code beside it could make one."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **options)
    except Exception as error:
        raise unloadable(f"the tokenizer in {folder}", [folder], error) from error


def ends_of(generation: Any, tokenizer: Any) -> frozenset[int]:
    """What ends a completion: the tokenizer's end token and those of the generation settings (often one per turn)."""
    ends = getattr(generation, "eos_token_id", None)
    ids = ends if isinstance(ends, list) else [ends]
    return frozenset(each for each in (*ids, tokenizer.eos_token_id) if each is not None)
