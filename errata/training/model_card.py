"""The model card of a student, README.md: what it was trained from, by which method, on what.

TRL and PEFT write cards of their own beside every checkpoint, which know neither errata's methods nor a base that lies
in a folder; this one is made of the training's manifest and takes their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from errata.config.files import write_whole

CARD = "README.md"
_ONLY_HERE = ", a folder of the machine that it was trained on"
_LIBRARIES = {"lora": "peft", "gguf": "gguf", "ollama": "gguf"}
_TRANSFORMERS = {"model": "AutoModelForCausalLM", "tokenizer": "AutoTokenizer"}


def card_text(
    name: str,
    manifest: Mapping[str, Any],
    *,
    kind: str | None = None,
    base: str | None = None,
    evaluated: Sequence[str] = (),
) -> str:
    """The card of the student `name`, as Markdown with its YAML head.

    Args:
        kind: of a published student, as `Files.kind` or `ollama`: it says how to load it. None: beside a training.
        base: the base's hub id, where the manifest names a folder.
        evaluated: lines of a section on its evals.
    """
    named = base or str(manifest["config"]["model"]["model_name_or_path"])
    method, paper = manifest["method"], manifest.get("paper")
    published, kind = kind is not None, kind or ("lora" if manifest.get("lora_rank") else "plain")
    here = Path(named).expanduser().exists() or named == "tiny"
    control = manifest.get("control", "none")
    facts = {
        "Base": f"`{Path(named).name if here else named}`{_ONLY_HERE if here and named != 'tiny' else ''}",
        "Method": f"`errata train {method}`{f': {paper}' if paper else ''}",
        "Control": None if control == "none" else f"`{control}`",
        "Terms": ", ".join(str(term["term"]) for term in manifest["objective"]) or None,
        "Trained": _capacity(manifest),
        "Data": "; ".join(map(_data, manifest["data"])),
        "Seed": str(manifest["seed"]),
        "Versions": ", ".join(f"{package} {version}" for package, version in manifest["versions"].items()),
    }
    lines = [f"- {fact}: {text}" for fact, text in facts.items() if text]
    head = [f"base_model: {named}"] if not here else []
    head += [f"library_name: {_LIBRARIES.get(kind, 'transformers')}", "tags:", "- errata", f"- {method}"]
    rest = how_to_load(name, kind) if published else ["", "`manifest.json` beside this file tells the rest."]
    return "\n".join(["---", *head, "---", "", f"# {name}", "", *lines, *evaluated, *rest, ""])


def _data(source: Mapping[str, Any]) -> str:
    """A name without the folders of this machine, rows and hash."""
    name = str(source["name"])
    name = Path(name).name if Path(name).is_absolute() else name
    sha = f", sha256 {source['sha256']}" if source.get("sha256") else ""
    return f"`{name}`, {source['rows']:,} rows{sha}"


def how_to_load(name: str, kind: str) -> list[str]:
    """A section that says how a student of this kind is loaded."""
    auto = ["from transformers import AutoModelForCausalLM, AutoTokenizer", ""]
    auto += [f'{what} = {loader}.from_pretrained("{name}")' for what, loader in _TRANSFORMERS.items()]
    peft = ["from peft import AutoPeftModelForCausalLM", ""]
    peft += [f'model = AutoPeftModelForCausalLM.from_pretrained("{name}")']
    python = {"plain": auto, "lora": peft}
    shell = {"gguf": "llama-server -m FILE.gguf", "ollama": "ollama create STUDENT -f Modelfile"}
    lines = ["", "## How to load it", ""]
    if kind in python:
        lines += ["```python", *python[kind], "```", ""]
    if kind in shell:
        return [*lines, "```bash", shell[kind], "```"]
    return [*lines, f"In a recipe of errata: `model: local/{name}`."]


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
