"""Which files make a local checkpoint, and their hash: known without torch.

a folder with config.json           a plain checkpoint (safetensors)
a folder with adapter_config.json   a LoRA adapter; its base is named in there
a folder with nat_config.json       a NAT student: negative/ and positive/ adapters on one base, and their gate
a file NAME.gguf                    llama.cpp's format, tokenizer and chat template inside
anything else                       the id of a model on the Hugging Face hub (ORG/NAME)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from errata.config.files import content_hash
from errata.config.hub_ids import is_hub_id, nearly_here
from errata.errors import UsageError
from errata.records import digest

Kind = Literal["plain", "lora", "nat", "gguf"]
_SUFFIXES = {".safetensors", ".gguf", ".json", ".model", ".txt", ".jinja"}
_OF_TRAINING = {"trainer_state.json", "manifest.json"}
"""Written beside the weights by a trainer, and changed without them."""
NAT_CONFIG, NAT_ADAPTERS = "nat_config.json", ("negative", "positive")


@dataclass(frozen=True, slots=True)
class Files:
    """A checkpoint as it lies on disk. `path` is the folder, or the GGUF file; `base` is what adapters stand on."""

    path: Path
    kind: Kind
    base: Files | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def folders(self) -> list[Path]:
        """Its own folder and those of its bases."""
        own = self.path.parent if self.kind == "gguf" else self.path
        return [own, *(self.base.folders if self.base else ())]

    def relevant(self) -> list[Path]:
        """Weights, configuration and tokenizer, by name; nothing that a trainer leaves beside them."""
        if self.kind == "gguf":
            return [self.path]
        folders = [self.path, *(self.path / name for name in NAT_ADAPTERS if self.kind == "nat")]
        candidates = (each for folder in folders for each in folder.iterdir() if each.suffix in _SUFFIXES)
        return sorted(each for each in candidates if each.is_file() and each.name not in _OF_TRAINING)

    def fingerprint(self) -> str:
        """sha256 over the names and contents of the relevant files, those of an adapter's base included."""
        root = self.folders[0]
        parts = [(each.relative_to(root).as_posix(), content_hash(each)) for each in self.relevant()]
        return digest("checkpoint", parts, self.base.fingerprint() if self.base else None, length=64)


def find(path: str) -> Files:
    """The checkpoint at a path, or of a hub id (then downloaded, safetensors only, or taken from the hub's cache).

    Raises UsageError where there is none, or none that can be loaded without unpickling.
    """
    at = Path(path).expanduser()
    if at.is_file():
        if at.suffix != ".gguf":
            raise UsageError(
                f"{path} is a file of another kind", "a checkpoint is a folder or one .gguf file", "name its folder"
            )
        return Files(at, "gguf")
    if not at.is_dir():
        return _in_folder(_from_hub(path), path)
    return _in_folder(at, path)


def _in_folder(folder: Path, path: str) -> Files:
    if (folder / NAT_CONFIG).is_file():
        for name in NAT_ADAPTERS:
            _need_safetensors(folder / name, f"{path}/{name}")
        return Files(folder, "nat", _base_of(folder / NAT_ADAPTERS[0]))
    if (folder / "adapter_config.json").is_file():
        _need_safetensors(folder, path)
        return Files(folder, "lora", _base_of(folder))
    if (folder / "config.json").is_file():
        _need_safetensors(folder, path)
        return Files(folder, "plain")
    ggufs = sorted(each.name for each in folder.glob("*.gguf"))
    raise UsageError(
        f"{path} holds neither config.json nor adapter_config.json nor {NAT_CONFIG}",
        "it is not the folder of a checkpoint, of a LoRA adapter or of a NAT student",
        f"name the file: {path}/{ggufs[0]}" if ggufs else "name the folder that save_pretrained wrote",
    )


def _need_safetensors(folder: Path, path: str) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickled = sorted(each.name for pattern in ("*.bin", "*.pt", "*.pth") for each in folder.glob(pattern))
    raise UsageError(
        f"{path} holds no .safetensors file" + (f", only {', '.join(pickled[:3])}" if pickled else ""),
        "pickled weights can run code when they are loaded, so they are never read"
        if pickled
        else "no weights are there",
        "save the model again with safetensors" if pickled else "name the folder that save_pretrained wrote",
    )


def _base_of(adapter: Path) -> Files:
    """The base named in an adapter's configuration: a path from here, one from the adapter's folder, or a hub id."""
    config = adapter / "adapter_config.json"
    try:
        name = json.loads(config.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        name = error
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"{config} names no base_model_name_or_path", "an adapter is nothing without its base", "add it to the file"
        )
    beside = adapter / name
    return find(str(beside) if beside.is_dir() and not Path(name).expanduser().exists() else name)


def names_code(folders: Iterable[Path]) -> Path | None:
    """The first configuration that names code of its own (`auto_map`), which is never run; None where none does."""
    for file in (folder / name for folder in folders for name in ("config.json", "tokenizer_config.json")):
        try:
            if json.loads(file.read_text(encoding="utf-8")).get("auto_map"):
                return file
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
    return None


def _from_hub(path: str) -> Path:
    if not is_hub_id(path, owner=False):
        do = f"did you mean {near}?" if (near := nearly_here(path)) else "check the path"
        raise UsageError(f"no file or folder {path}", "there is no checkpoint to load", do)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(path, allow_patterns=[f"*{suffix}" for suffix in _SUFFIXES - {".gguf"}]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UsageError(
            f"no file or folder {path}, and no such model on the hub ({type(error).__name__})",
            "there is no checkpoint to load",
            "check the path; a gated or private model needs HF_TOKEN",
        ) from error
