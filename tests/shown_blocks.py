"""Blocks of a page as a reader meets them: what is typed is typed, what is shown is compared."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from errata.cli import cli

LEFT_OUT = "[...]"


class Block(NamedTuple):
    kind: str
    text: str
    line: int


class Shown(NamedTuple):
    """A command of a console block with the lines that are shown below it; `...` stands for any lines."""

    command: str
    output: list[str]


def blocks(page: Path, kind: str = "") -> list[Block]:
    """The fenced blocks of a page in reading order, those of one kind where one is named."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```([\w-]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    every = [Block(each[1], each[2], text.count("\n", 0, each.start()) + 1) for each in found]
    return [each for each in every if kind in ("", each.kind)]


def commands(text: str) -> list[Shown]:
    """A console block as its commands, each after `$ `."""
    session: list[Shown] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            session.append(Shown(line[2:].partition("   #")[0].rstrip(), []))
        else:
            session[-1].output.append(line)
    return session


LOADING = re.compile(r"loading .* \.\.\.")


def play(session: list[Shown], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Shown, list[str]]]:
    """Types each command into this process at 80 columns; yields it with the lines it wrote."""
    monkeypatch.setenv("COLUMNS", "80")
    for each in session:
        words = shlex.split(each.command)
        if words[0] == "cd":
            monkeypatch.chdir(words[1])
            continue
        assert words[0] == "errata", each.command
        done = CliRunner().invoke(cli, words[1:])
        assert done.exit_code == 0, f"{each.command}: {done.output}"
        # what is loaded is said on a slow machine alone
        yield each, [line.rstrip() for line in done.output.splitlines() if not LOADING.fullmatch(line)]


def agrees(shown: list[str], real: list[str]) -> bool:
    """Whether lines are those that are shown: `...` stands for any lines, and at a line's end for the rest of it."""
    pattern = "".join("(?:.*\n)*" if line == "..." else _line(line.rstrip()) for line in shown)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in real)) is not None


def _line(shown: str) -> str:
    begun = shown.removesuffix("...")
    return re.escape(begun) + (".*\n" if begun != shown else "\n")


def is_part(shown: Any, real: Any) -> bool:
    """Whether a value is the real one with members and, where `[...]` stands in a text, words left out."""
    if isinstance(shown, dict):
        return isinstance(real, dict) and all(key in real and is_part(value, real[key]) for key, value in shown.items())
    if isinstance(shown, list) and shown and isinstance(shown[0], dict):
        return isinstance(real, list) and all(any(is_part(each, other) for other in real) for each in shown)
    if isinstance(shown, str) and isinstance(real, str):
        pattern = ".*".join(re.escape(piece.strip()) for piece in shown.split(LEFT_OUT))
        return (
            re.fullmatch(pattern if LEFT_OUT not in shown else pattern.replace(".*", r"\s*.*\s*"), real, re.S)
            is not None
        )
    return bool(shown == real)
