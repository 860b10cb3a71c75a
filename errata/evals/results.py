"""The eval directory: one model with one decoding over one or more tasks, readable on any machine.

    RUN/evals/NAME/
      items.jsonl      one line per item, keyed by task and id
      summary.json     figures with intervals, by task
      manifest.json    model, decoding, tasks, versions, seed, tokens, cost, and how the model was trained

Results of other tools are read as well: any JSONL whose lines hold `id` and `correct`; their own logs in sources.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from errata.config.files import read_json, write_whole
from errata.config.yaml_file import unshared
from errata.errors import UsageError
from errata.evals.claims import Claim
from errata.records import to_json

SCHEMA = 1
ITEMS, SUMMARY, MANIFEST = "items.jsonl", "summary.json", "manifest.json"


class Key(NamedTuple):
    """What an item is known by. `task` is empty where another tool's file names none."""

    task: str
    id: str


class _Read(BaseModel):
    """Frozen; keys of other tools and later versions are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Sample(_Read):
    """One answer to an item."""

    text: str = ""
    answer: str | None = None
    correct: bool
    tokens: int = 0
    """Tokens generated."""
    truncated: bool = False
    """Cut off at the length limit."""
    group: int | None = None
    """Equal for samples of one item whose answers the grader finds equivalent; None without an answer."""
    score: float | None = None
    """The ranker's, between 0 and 1; None where no ranker sat or the text is too long for it."""


QUESTION_META = ("question", "gold", "choices", "answers")
"""What an item's meta holds of what was asked and graded by: the options in their order, further golds; where any."""


class Item(_Read):
    """One problem as one model answered it: a line of items.jsonl.

    `correct` is a truth value for one answer, else a share between 0 and 1: the mean over the samples, or what the
    vote gives.
    """

    id: str
    task: str = ""
    correct: bool | float
    answer: str | None = None
    samples: tuple[Sample, ...] = ()
    tokens: int = 0
    truncated: int = 0
    meta: dict[str, Any] = Field(default_factory=dict)
    """`QUESTION_META`, `split`; where known `subject`, `level`, `steps`, `units`, `mistake`, ..."""

    @field_validator("correct", mode="before")
    @classmethod
    def _truth_or_share(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float) and 0 <= value <= 1:
            return float(value)
        raise ValueError("`correct` is true, false or a share between 0 and 1")

    @field_validator("id", mode="before")
    @classmethod
    def _text_id(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def key(self) -> Key:
        return Key(self.task, self.id)

    def to_line(self) -> bytes:
        """The item as one line of JSON, newline included."""
        return to_json(self.model_dump()) + b"\n"


class Manifest(_Read):
    """What an eval directory says of itself. `training` is None for a model that errata did not train."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    name: str = ""
    label: str = ""
    """The arm: directories that differ only in the seed of the training share it."""
    model: str = ""
    decoding: dict[str, Any] = Field(default_factory=dict)
    agent: dict[str, Any] = Field(default_factory=dict)
    """What else the model was asked with: `api_base`, `system`, `extra`."""
    fingerprint: str | None = None
    """Of the weights behind a local model."""
    seed: int | None = None
    """Of the eval: it decides the samples."""
    replicate: int | None = None
    """Which seed of its arm this is, where it is not the training's."""
    baseline: bool = False
    """This is the untouched student."""
    status: Literal["running", "finished"] = "finished"
    tasks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By task: `source`, `split`, `n`, `hash` of its questions and gold answers, and a `grader` of one's own."""
    code: dict[str, dict[str, str | None]] = Field(default_factory=dict)
    """`file` and `sha256` of graders and votes of one's own, by name."""
    claims: tuple[Claim, ...] = ()
    """The planned comparisons that the recipe names."""
    prompts: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    tokens: dict[str, int] = Field(default_factory=dict)
    """`prompt` and `completion`."""
    cost_usd: float | None = None
    times: Any = None
    """When it worked and for how long, as errata.runs.times.times_in reads it; without processes that were killed. None
    in those of older versions."""
    training: dict[str, Any] | None = None
    """`method, output, target_tokens, seed, data, cost_usd, log`: copied from the checkpoint's own manifest."""

    @field_validator("claims", mode="before")
    @classmethod
    def _known_keys(cls, claims: Any) -> Any:
        """Claims without keys of later versions."""
        if not isinstance(claims, list) or not all(isinstance(each, dict) for each in claims):
            return claims
        return [{key: value for key, value in each.items() if key in Claim.model_fields} for each in claims]


@dataclass(frozen=True)
class Eval:
    """An eval directory or a JSONL file, read. The items stand in the file's order."""

    path: Path
    items: tuple[Item, ...]
    manifest: Manifest
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def replicate(self) -> int | None:
        """Which seed of its arm this is: as the manifest says, else the training's."""
        if self.manifest.replicate is not None:
            return self.manifest.replicate
        seed = (self.manifest.training or {}).get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def by_task(self) -> dict[str, list[Item]]:
        items: dict[str, list[Item]] = {}
        for item in self.items:
            items.setdefault(item.task, []).append(item)
        return items

    def records(self) -> list[dict[str, Any]]:
        """One flat record per item, as pandas.DataFrame takes them."""
        own = ("id", "task", "correct", "answer", "tokens", "truncated")
        return [
            {"eval": self.name}
            | {key: getattr(item, key) for key in own}
            | {f"meta.{k}": v for k, v in item.meta.items()}
            for item in self.items
        ]


def read_eval(path: str | Path) -> Eval:
    """An eval directory, or any JSONL file with `id` and `correct`. UsageError names file and line of what is wrong."""
    where = Path(path)
    file = where / ITEMS if where.is_dir() else where
    if not file.is_file():
        raise UsageError(
            f"{path}: no {ITEMS} there" if where.is_dir() else f"{path}: no such file",
            "results are read from an eval directory, or from JSON lines with `id` and `correct`",
            "name the folder that `errata eval` wrote, by default runs/NAME/evals/NAME",
        )
    items = tuple(read_items(file))
    if not items:
        raise UsageError(
            f"{file} holds no item", "there is nothing to compare", "check the file, or run the eval again"
        )
    beside = where if where.is_dir() else file.parent if file.name == ITEMS else None
    manifest = read_manifest(beside) if beside else Manifest()
    summary = read_json(beside / SUMMARY) if beside else {}
    name = manifest.name or (file.parent.name if file.name == ITEMS else file.stem)
    manifest = manifest.model_copy(update={"name": name, "label": manifest.label or name})
    return Eval(where, items, manifest, summary)


def read_manifest(folder: Path) -> Manifest:
    """The folder's manifest; an empty one where there is none. UsageError where it is that of something else."""
    try:
        return Manifest.model_validate(read_json(folder / MANIFEST))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(
            f"{folder / MANIFEST}: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            "it is no manifest of an eval",
            f"copy {ITEMS} to a folder of its own, or run the eval again",
        ) from None


def read_items(file: Path) -> Iterator[Item]:
    """The items of a JSONL file. UsageError names the line that is none, or that repeats an id."""
    line_of: dict[Key, int] = {}
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            item = Item.model_validate(orjson.loads(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field_name = ".".join(map(str, first["loc"])) or "line"
            raise UsageError(
                f"{file}, line {number}, {field_name}: {first['msg']}",
                "a result has an `id` and `correct`: true, false or a share between 0 and 1",
                "mend the line",
            ) from None
        except orjson.JSONDecodeError as error:
            raise UsageError(
                f"{file}, line {number}: no JSON: {error}",
                "results are read from JSON lines",
                "mend the line; of a run that was killed, the same command mends it",
            ) from None
        if item.key in line_of:
            raise UsageError(
                f"{file}, line {number}: {item.id} stands in line {line_of[item.key]} already",
                "an id stands for one item of a task",
                "remove one of the two, or give `task` where tasks share ids",
            )
        line_of[item.key] = number
        yield item


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            yield from opened
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}", "results are read from it", "check the path") from error


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Replaces the file at once."""
    plain = orjson.loads(to_json(unshared(value)))
    write_whole(file, orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_items(file: Path, items: Iterable[Item]) -> None:
    """Replaces the file at once."""
    write_whole(file, b"".join(item.to_line() for item in items))


def own_items(file: Path) -> dict[Key, Item]:
    """The items of a directory that is being written: of several lines about one item the last counts, and a line that
    is none (cut off by a kill) is passed over, for its item is answered again from the store."""
    items: dict[Key, Item] = {}
    for line in _lines(file) if file.exists() else ():
        try:
            item = Item.model_validate(orjson.loads(line))
        except (ValidationError, orjson.JSONDecodeError):
            continue
        items[item.key] = item
    return items


def evals_of(run: str | Path) -> Sequence[Path]:
    """The eval directories of a run, by name."""
    return sorted(file.parent for file in Path(run).glob(f"evals/*/{ITEMS}"))
