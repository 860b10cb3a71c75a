"""A training's output folder: its manifest, and its checkpoints of which only whole ones are resumed from.

OUTPUT/manifest.json   what is trained on what, by which versions; written before the first step and after the last
OUTPUT/checkpoint-N/   as transformers writes them
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from errata import __version__
from errata.config.files import write_whole
from errata.errors import UsageError
from errata.records import canonical

MANIFEST = "manifest.json"
KIND = "training"
STATE = "trainer_state.json"
STAGE_ONE = "stage1"
"""The folder of NAT's first stage in its output."""
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "safetensors", "rapidfuzz")
IDENTITY = ("method", "code", "student", "teacher", "data", "objective", "control", "rows", "seed")
"""What may not change between the parts of one training."""

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def versions() -> dict[str, str]:
    versions = {"errata": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def write_manifest(output: Path, manifest: Mapping[str, Any]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    text = orjson.dumps(orjson.loads(canonical(manifest)), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_whole(output / MANIFEST, text)


def manifest_of(folder: Path) -> dict[str, Any]:
    """What our manifest in the folder, or beside a checkpoint-N, says; empty where there is none."""
    places = [folder, folder.parent] if _CHECKPOINT.fullmatch(folder.name) else [folder]
    for place in places:
        try:
            manifest = orjson.loads((place / MANIFEST).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            continue
        if isinstance(manifest, dict) and manifest.get("kind") == KIND:
            return manifest
    return {}


# ---- checkpoints -----------------------------------------------------------------------------------------------------


def checkpoints(output: Path) -> list[Path]:
    """The folders of checkpoints, whole or not, latest first."""
    numbered = [
        (int(match[1]), path) for path in output.glob("checkpoint-*") if (match := _CHECKPOINT.fullmatch(path.name))
    ]
    return [path for _, path in sorted(numbered, reverse=True)]


def fault_of(checkpoint: Path, processes: int = 1) -> str | None:
    """Why training cannot go on from there; None for a whole checkpoint.

    transformers writes the weights first and the state last, but a killed process or a half-done clean-up may leave
    any part of it, and a full disk any length of a file.
    """
    try:
        step = json.loads((checkpoint / STATE).read_bytes())["global_step"]  # it may hold NaN, which orjson refuses
    except (OSError, ValueError, KeyError, TypeError):
        return f"no readable {STATE}"
    if checkpoint.name != f"checkpoint-{step}":
        return f"{STATE} is of step {step}"
    random = ["rng_state.pth"] if processes == 1 else [f"rng_state_{rank}.pth" for rank in range(processes)]
    lost = [name for name in ("optimizer.pt", "scheduler.pt", *random) if not _whole_zip(checkpoint / name)]
    sharded = any(checkpoint.glob("global_step*")) or any(checkpoint.glob("optimizer_*"))  # DeepSpeed, FSDP
    if lost and not sharded:
        return f"{', '.join(lost)} missing or cut off"
    weights = sorted(checkpoint.rglob("*.safetensors"))
    if not weights and not sharded:
        return "no weights"
    cut = [file.name for file in weights if not _whole_safetensors(file)]
    return f"{', '.join(cut)} cut off" if cut else None


def _whole_zip(file: Path) -> bool:
    """torch writes zip files, whose table of contents stands at the end."""
    import zipfile

    return zipfile.is_zipfile(file)


def _whole_safetensors(file: Path) -> bool:
    """As long as its header says."""
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            header = orjson.loads(opened.read(size))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return file.stat().st_size == 8 + size + max(ends, default=0)
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, IndexError, OverflowError, MemoryError):
        return False


def resume_point(output: Path, resume: str | None, processes: int = 1) -> tuple[Path | None, list[str]]:
    """The checkpoint to go on from, None to start anew, and what to tell of those passed over.

    Args:
        resume: `auto` (the latest whole one in the output folder, if any), a folder, or None.

    Raises:
        UsageError: nothing named where checkpoints lie, or a named one that is not whole.
    """
    there = checkpoints(output)
    match (resume or "").casefold():
        case "" | "none" | "false":
            if there or manifest_of(output):
                raise UsageError(
                    f"{output} holds a training already",
                    "it would be written over",
                    "go on with --resume_from_checkpoint auto, or name another --output_dir",
                )
            return None, []
        case "auto" | "true":
            passed: list[str] = []
            for checkpoint in there:
                fault = fault_of(checkpoint, processes)
                if fault is None:
                    return checkpoint, passed
                passed.append(f"skipped {checkpoint}: {fault}")
            return None, passed
    checkpoint = Path(resume or "")
    fault = fault_of(checkpoint, processes) if checkpoint.is_dir() else "no such folder"
    if fault:
        raise UsageError(
            f"{checkpoint}: {fault}",
            "training cannot go on from it",
            "--resume_from_checkpoint auto takes the latest whole one",
        )
    return checkpoint, []


def refuse_another(output: Path, manifest: Mapping[str, Any]) -> None:
    """Raises UsageError where the folder holds another training than the one about to go on."""
    before = manifest_of(output)
    for key in IDENTITY if before else ():
        there, here = (_identity(key, each.get(key)) for each in (before, manifest))
        if canonical(there) != canonical(here):
            old, new = str(there)[:200], str(here)[:200]
            raise UsageError(
                f"{output} holds a training with another {key}: {old}; now {new}"
                if old != new
                else f"{output} holds a training with another {key}",
                "a resumed training goes on with the same student, data and objective",
                "name another --output_dir",
            )


def _identity(key: str, value: Any) -> Any:
    """What of a manifest's entry may not change: of code the hashes, wherever its files lie now."""
    return sorted(str(each["sha256"]) for each in value.values()) if key == "code" and value else value
