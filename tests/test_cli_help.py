"""The help of the command line: in the order of the work, and by -h too."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from errata.cli import cli

WORKFLOW = [
    "demo",
    "init",
    "plan",
    "synth",
    "status",
    "accept",
    "audit",
    "export",
    "train",
    "eval",
    "study",
    "school",
    "compare",
    "report",
]


def test_verbs_stand_in_the_order_of_the_work() -> None:
    listed = re.findall(
        r"^  (\w+) ", CliRunner().invoke(cli, ["--help"]).output.partition("Commands:")[2], re.MULTILINE
    )
    assert listed[: len(WORKFLOW)] == WORKFLOW
    assert set(listed) == cli.commands.keys()


@pytest.mark.parametrize(
    "words", [[], *([verb] for verb in cli.commands)], ids=lambda words: " ".join(words) or "errata"
)
def test_h_is_help(words: list[str]) -> None:
    short, long = (CliRunner().invoke(cli, [*words, flag]) for flag in ("-h", "--help"))
    assert short.exit_code == 0
    assert short.output == long.output
