"""What is sent of a data set or a student: files from a list, by the names they get, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from errata.errors import UsageError
from errata.models.files import NAT_ADAPTERS, Files
from errata.shipping.modelfile import MODELFILE

CARD, EVIDENCE = "README.md", "EVIDENCE.md"
OF_A_STUDENT = (
    *("*.safetensors", "*.safetensors.index.json", "*.gguf", MODELFILE),
    *("config.json", "generation_config.json", "adapter_config.json", "nat_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "chat_template.jinja"),
)
"""Weights, configuration and tokenizer: no manifest, state, log, ledger or environment, whatever lies beside them."""


@dataclass(frozen=True)
class Upload:
    """One file: its name in the repository, and what is sent, a file or a text."""

    name: str
    content: Path | bytes

    @property
    def bytes(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


def data_set_file(path: Path) -> Path:
    """The rows: the .jsonl file itself, or the only one of a folder. Raises UsageError."""
    if path.is_file() and path.suffix == ".jsonl":
        return path
    candidates = sorted(path.glob("*.jsonl")) if path.is_dir() else []
    if len(candidates) == 1:
        return candidates[0]
    raise UsageError(
        f"{path} holds {len(candidates)} .jsonl files" if candidates else f"{path} is no data set and no student",
        "a data set is one .jsonl file that `errata export` wrote, with its card; a student a checkpoint's folder",
        f"name the file: {candidates[0]}" if candidates else "name the file that `errata export` wrote",
    )


def of_data_set(path: Path) -> list[Upload]:
    """The rows and their card. Raises UsageError where the card is missing."""
    rows = data_set_file(path)
    card = rows.with_suffix(".md")
    if not card.is_file():
        raise UsageError(
            f"{card} is missing", "a data set is not sent without its card", "write it again: errata export"
        )
    return _plain([Upload(rows.name, rows), Upload(CARD, card)])


def of_student(files: Files) -> list[Upload]:
    """Weights, configuration and tokenizer, without a card."""
    if files.kind == "gguf":
        return _plain([Upload(files.path.name, files.path)])
    folders = [files.path, *(files.path / name for name in NAT_ADAPTERS if files.kind == "nat")]
    paths = sorted(each for folder in folders for each in folder.iterdir() if _listed(each.name))
    return _plain(Upload(each.relative_to(files.path).as_posix(), each) for each in paths)


def of_ollama(folder: Path) -> list[Upload]:
    """What `errata ship --to ollama` wrote."""
    return _plain(Upload(each.name, each) for each in sorted(folder.iterdir()) if _listed(each.name))


def _listed(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in OF_A_STUDENT)


def _plain(uploads: Iterable[Upload]) -> list[Upload]:
    """Raises UsageError for a link, which may lead to any file of this machine."""
    uploads = list(uploads)
    for each in uploads:
        if isinstance(each.content, Path) and (each.content.is_symlink() or not each.content.is_file()):
            raise UsageError(
                f"{each.content} is a link or no plain file",
                "what it leads to may be any file of this machine",
                "copy the data set or student to a folder of its own: cp -rL",
            )
    return uploads
