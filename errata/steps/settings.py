"""Settings that a study's recipe and a school's have in common: the student before any training, tasks, flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from errata.config.base import Settings
from errata.config.env import expand
from errata.errors import UsageError
from errata.training.method_names import METHODS, refuse_unknown

Flag = bool | int | float | str | list[Any] | dict[str, Any]
"""The value of a training's flag, as YAML gives it."""


def _known(method: str) -> str:
    try:
        refuse_unknown(method, METHODS)
    except UsageError as unknown:
        raise ValueError(f"{unknown.found}: {unknown.do}") from unknown
    return method


MethodName = Annotated[str, AfterValidator(_known)]
"""A method of `errata train`, or one's own as `my_method.py:METHOD`; a slip is found before any lesson is paid."""


def method_beside(folder: Path, method: str) -> str:
    """The method as `errata train` takes it; one's own, a file and a name, is looked for in the recipe's folder."""
    return str(folder / method) if ".py:" in method else method


class BaseStudent(Settings):
    """A student before any training of the study: a model, or the embedded one, which is pre-trained first."""

    model: str | None = None
    """A checkpoint's folder, a GGUF file or a hub id."""
    pretrain: dict[str, Any] | None = None
    """Settings of the embedded student's pre-training; `{}` are those of the demo."""
    system: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    """How the student and what is trained from it are loaded to be asked, as an agent's `extra`: `{dtype: bfloat16}`
    decodes 1.6 times as many tokens per second on a CPU with bf16. Trainings have settings of their own."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.model is None) == (self.pretrain is None):
            raise ValueError("a student has a model, or pretrain: {} for the embedded one")
        return self

    @property
    def as_agent(self) -> dict[str, Any]:
        """`{"system": ..., "extra": ...}` as the settings of an agent have them; what is not set is left out."""
        return {key: value for key in ("system", "extra") if (value := getattr(self, key))}

    def untouched(self, home: Path) -> str:
        """The student before any training, as `local/` and `--model_name_or_path` take it.

        Args:
            home: where the embedded student is pre-trained; its checkpoint lies in a folder there.
        """
        if self.model is not None:
            return expand(self.model)
        folders = [path for path in home.glob("tiny-*") if path.is_dir()]
        return str(folders[0]) if len(folders) == 1 else str(home)


def _names_alone(tasks: Any) -> Any:
    if isinstance(tasks, list):
        return {str(name): {} for name in tasks}
    return {name: task or {} for name, task in tasks.items()} if isinstance(tasks, dict) else tasks


TasksByName = Annotated[dict[str, dict[str, Any]], BeforeValidator(_names_alone)]
"""Tasks as in a recipe of `errata eval`, or their names alone."""
