"""`errata ship STUDENT --to merged | gguf | ollama`: a student in a form that other programs run.

merged   OUT/          a checkpoint folder: the adapter added to its base, safetensors, card
gguf     OUT.gguf      one file for llama.cpp, with tokenizer and chat template
ollama   OUT/          the GGUF file and a Modelfile: `ollama create NAME -f OUT/Modelfile`
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from errata.errors import UsageError
from errata.models.files import find
from errata.models.load import need_torch
from errata.models.prompting import templated
from errata.models.save import refuse_existing, whole_folder
from errata.records import Message
from errata.shipping import gguf_model, merge
from errata.shipping.chat_turns import Render, Turn, read_turns
from errata.shipping.modelfile import MODELFILE, modelfile

Form = Literal["merged", "gguf", "ollama"]
FORMS: tuple[str, ...] = get_args(Form)
_BESIDE = ("README.md", "manifest.json")
"""Card and manifest, which go with a student."""


class Shipped(NamedTuple):
    """What was written: the folder or file, how weights are stored in it, and all its bytes."""

    out: Path
    form: Form
    dtype: str
    bytes: int


def ship(student: str, to: Form, out: str | Path | None = None, dtype: str | None = None) -> Shipped:
    """Writes the student at a path or hub id in another form; whole or not at all, over nothing.

    Args:
        out: by default STUDENT-merged, STUDENT.gguf or STUDENT-ollama in the current folder.
        dtype: f32, f16, bf16, and of a GGUF file q8_0; by default f32 for `merged`, as it is computed, else f16.

    Raises UsageError: no such student, a NAT student, something in the way, a storage of another form; for GGUF an
    architecture, tokenizer or chat template that would not answer as the checkpoint does.
    """
    need_torch()
    dtype = _dtype_of(to, dtype)
    files = find(student)
    name = files.name.removesuffix(".gguf")
    at = Path(out) if out else Path(f"{name}.gguf" if to == "gguf" else f"{name}-{to}")
    refuse_existing(at)
    plain = merge.merged(student)
    if to == "merged":
        merge.write_merged(plain, at, dtype)
        _copy_beside(files.folders[0], at)
    elif to == "gguf":
        gguf_model.write_gguf(plain, at, dtype, name)
    else:
        _write_ollama(plain, at, dtype, name)
        _copy_beside(files.folders[0], at)
    return Shipped(at, to, dtype, _bytes_of(at))


def _dtype_of(to: Form, dtype: str | None) -> str:
    known = tuple(merge.DTYPES) if to == "merged" else gguf_model.DTYPES
    chosen = dtype or ("f32" if to == "merged" else "f16")
    if chosen not in known:
        raise UsageError(f"--dtype {chosen} --to {to}", f"known are {', '.join(known)}", "choose one of them")
    return chosen


def _write_ollama(plain: merge.Plain, out: Path, dtype: str, name: str) -> None:
    tokenizer = plain.tokenizer
    turns = read_turns(_renderer(plain), tokenizer.bos_token or "")
    ends = tokenizer.convert_ids_to_tokens(gguf_model.ends_of(plain))
    text = modelfile(f"{name}.gguf", turns, ends, adds_bos=gguf_model.adds_bos(plain))
    with whole_folder(out) as part:
        gguf_model.write_gguf(plain, part / f"{name}.gguf", dtype, name)
        (part / MODELFILE).write_text(text, encoding="utf-8")


def _renderer(plain: merge.Plain) -> Render:
    tokenizer = gguf_model.with_template(plain.tokenizer)

    def render(turns: Sequence[Turn], *, answering: bool) -> str:
        messages = [Message.model_validate({"role": role, "content": text}) for role, text in turns]
        return templated(tokenizer, messages, answering=answering)

    return render


def _copy_beside(folder: Path, out: Path) -> None:
    for name in _BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)


def _bytes_of(path: Path) -> int:
    return sum(each.stat().st_size for each in ([path] if path.is_file() else path.iterdir()) if each.is_file())
