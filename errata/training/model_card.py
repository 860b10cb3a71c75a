"""The model card of a student, README.md: what it was trained from, by which method, on what.

TRL and PEFT write cards of their own beside every checkpoint, which know neither errata's methods nor a base that lies
in a folder; this one is made of the training's manifest and takes their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from errata.runs.run_dir import write_whole

CARD = "README.md"


def card_text(name: str, manifest: Mapping[str, Any]) -> str:
    """The card of the student `name`, as Markdown with its YAML head."""
    base = str(manifest["config"]["model"]["model_name_or_path"])
    method, paper = manifest["method"], manifest.get("paper")
    head = {
        "base_model": None if Path(base).expanduser().exists() or base == "tiny" else base,
        "library_name": "peft" if manifest.get("lora_rank") else "transformers",
    }
    lines = [f"{key}: {value}" for key, value in head.items() if value] + ["tags:", "- errata", f"- {method}"]
    control = manifest.get("control", "none")
    facts = {
        "Base": f"`{base}`",
        "Method": f"`errata train {method}`{f': {paper}' if paper else ''}",
        "Control": None if control == "none" else f"`{control}`",
        "Terms": ", ".join(str(term["term"]) for term in manifest["objective"]) or None,
        "Trained": _capacity(manifest),
        "Data": "; ".join(f"`{each['name']}`, {each['rows']:,} rows" for each in manifest["data"]),
        "Seed": str(manifest["seed"]),
        "Versions": ", ".join(f"{package} {version}" for package, version in manifest["versions"].items()),
    }
    told = [f"- {fact}: {text}" for fact, text in facts.items() if text]
    return "\n".join(
        ["---", *lines, "---", "", f"# {name}", "", *told, "", "`manifest.json` beside this file tells the rest.", ""]
    )


def _capacity(manifest: Mapping[str, Any]) -> str | None:
    if not manifest.get("trained_weights"):
        return None
    modules = ", ".join(manifest.get("lora_modules") or ())
    lora = f", LoRA of rank {manifest['lora_rank']} on {modules}" if manifest.get("lora_rank") else ""
    return f"{manifest['trained_weights']:,} weights{lora}"


class WritesCards(TrainerCallback):
    """Puts the card into the output folder, and into each checkpoint, after the libraries have written theirs."""

    def __init__(self, write: Callable[[Path], None]) -> None:
        self.write = write

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for folder in (Path(args.output_dir), Path(args.output_dir) / f"checkpoint-{state.global_step}"):
            if folder.is_dir():
                self.write(folder)


def write_card(folder: Path, name: str, manifest: Mapping[str, Any]) -> None:
    write_whole(folder / CARD, card_text(name, manifest).encode("utf-8", "replace"))
