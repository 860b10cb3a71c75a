"""`errata push PATH --to ORG/NAME`: a data set with its card, or a student with its, to a hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errata.config.hub_ids import is_hub_id
from errata.errors import UsageError
from errata.models.files import Files, find
from errata.publish.files import CARD, EVIDENCE, Upload, of_data_set, of_ollama, of_student
from errata.publish.hub import Destination, destination, plan_lines, send
from errata.shipping.modelfile import MODELFILE
from errata.studies.card import FILE as STUDY_CARD
from errata.studies.results import FILE as STUDY

_ADAPTER = "adapter_config.json"


@dataclass(frozen=True)
class Push:
    """What would be sent, and where to."""

    to: Destination
    uploads: tuple[Upload, ...]

    def lines(self) -> list[str]:
        return plan_lines(self.to, self.uploads)

    def send(self, say: Callable[[str], None]) -> str:
        """The address of the commit; see `hub.send`."""
        return send(self.to, self.uploads, say)


def prepare(
    path: str | Path,
    repo: str,
    *,
    evals: Sequence[str | Path] = (),
    evidence: str | Path | None = None,
    base: str | None = None,
    **where: Any,
) -> Push:
    """What `errata push` sends of the data set or student at `path`.

    Args:
        repo: ORG/NAME.
        evals: eval directories of a student, for the table of its card.
        evidence: a study's card, sent as EVIDENCE.md; by default that of the study which `path` lies in.
        base: the hub id of an adapter's base, which is named in place of a folder of this machine.
        where: `endpoint`, `token_env` and `public`, as `hub.destination` takes them.

    Raises UsageError: neither a data set nor a student, no card, a student that errata did not train, an adapter whose
    base only this machine has; as `hub.destination`.
    """
    at = Path(path)
    cards = _evidence(at, evidence)
    if at.suffix == ".jsonl" or (at.is_dir() and any(at.glob("*.jsonl")) and not any(at.glob("*.safetensors"))):
        if evals or base:
            raise UsageError("--eval or --base with a data set", "they are of students", "leave them out")
        return Push(destination(repo, "dataset", **where), (*of_data_set(at), *cards))
    to = destination(repo, "model", **where)
    return Push(to, (*_student(at, repo, evals, base), *cards))


def _student(at: Path, repo: str, evals: Sequence[str | Path], base: str | None) -> list[Upload]:
    ollama = (at / MODELFILE).is_file()
    files = None if ollama else find(str(at))  # refused before what reads it is loaded
    from errata.models.load import need_torch

    need_torch()
    from errata.evals.results import read_eval
    from errata.publish.evaluated import evaluated
    from errata.training.checkpoints import manifest_of
    from errata.training.model_card import card_text

    uploads = of_ollama(at) if files is None else of_student(files)
    if files is not None:
        uploads = [_with_base(each, files, base) for each in uploads]
    folder = at.parent if at.is_file() else at
    manifest = manifest_of(folder)
    if not manifest:
        raise UsageError(
            f"{folder} holds no manifest.json of a training",
            "the card says how a student was trained, and there is nothing to say it from",
            "name the folder that `errata train` or `errata ship` wrote",
        )
    kind = "ollama" if files is None else files.kind
    table = evaluated([read_eval(each) for each in evals])
    card = card_text(repo, manifest, kind=kind, base=base, evaluated=table)
    return [*uploads, Upload(CARD, card.encode("utf-8", "replace"))]


def _with_base(upload: Upload, files: Files, base: str | None) -> Upload:
    """An adapter's configuration with its base as others can load it. Raises UsageError where they cannot."""
    if Path(upload.name).name != _ADAPTER or not isinstance(upload.content, Path):
        return upload
    config = json.loads(upload.content.read_text(encoding="utf-8"))
    named = base or str(config["base_model_name_or_path"])
    here = Path(named).expanduser().exists() or not is_hub_id(named, owner=False)
    if base is None and files.base is not None and here:
        raise UsageError(
            f"{upload.name} stands on {named}",
            "nobody else has that folder, so that the adapter could not be loaded",
            "name the base's hub id: --base ORG/NAME; or send the whole student: errata ship --to merged",
        )
    text = json.dumps({**config, "base_model_name_or_path": named}, indent=2) + "\n"
    return Upload(upload.name, text.encode())


def _evidence(path: Path, card: str | Path | None) -> list[Upload]:
    """A study's card: the one named, or that of the study whose folder `path` lies in."""
    if card is not None:
        if not Path(card).is_file():
            raise UsageError(f"no file {card}", "it was to be sent as evidence", "name a study's card.md")
        return [Upload(EVIDENCE, Path(card).read_bytes())]
    for folder in path.resolve().parents:
        if (folder / STUDY).is_file() and (folder / STUDY_CARD).is_file():
            return [Upload(EVIDENCE, (folder / STUDY_CARD).read_bytes())]
    return []
