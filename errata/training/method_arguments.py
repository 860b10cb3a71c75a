"""What one training is asked for: its method with its knobs, and every other flag."""

from __future__ import annotations

from dataclasses import dataclass, field

from trl import ModelConfig

from errata.config.code import Code
from errata.exports.format import Format
from errata.training.arguments import DataArguments, Training
from errata.training.combine import Entry
from errata.training.method import AnyMethod, Control, Knobs


@dataclass(frozen=True)
class Arguments:
    """What a training is asked for: its method, and every flag."""

    method: AnyMethod
    data: DataArguments
    knobs: Knobs
    control: Control | None
    training: Training
    model: ModelConfig
    entries: list[Entry] = field(default_factory=list)
    """Of a combination."""
    form: Format | None = None
    """The stated format of files and data sets."""
    code: dict[str, Code] = field(default_factory=dict)
    """The files of one's own parts, by what they were called."""
