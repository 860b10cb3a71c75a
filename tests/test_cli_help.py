"""The help of the command line: in the order of the work, and by -h too."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from errata.cli import cli
from errata.cli_examples import EXAMPLES

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


@pytest.mark.parametrize("width", [80, 120])
def test_no_first_sentence_is_cut(width: int) -> None:
    listed = CliRunner().invoke(cli, ["--help"], terminal_width=width, max_content_width=width).output
    assert "..." not in listed.partition("Commands:")[2]
    words = " ".join(listed.split())
    for verb in cli.commands.values():
        assert verb.help
        assert " ".join(re.split(r"\.(?:\s|$)", verb.help)[0].split()) in words


HELP = pytest.mark.parametrize(
    "words", [[], *([verb] for verb in cli.commands)], ids=lambda words: " ".join(words) or "errata"
)


@HELP
@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_a_help_is_wider_than_the_window_and_none_is_cut(words: list[str], width: int) -> None:
    for more in ([], ["fetch"]) if words == ["data"] else ([],):
        shown = CliRunner().invoke(cli, [*words, *more, "--help"], env={"COLUMNS": str(width)}).output
        assert [line for line in shown.splitlines() if len(line) > width] == []
        assert "..." not in shown.partition("Commands:")[2]


@HELP
def test_h_is_help(words: list[str]) -> None:
    short, long = (CliRunner().invoke(cli, [*words, flag]) for flag in ("-h", "--help"))
    assert short.exit_code == 0
    assert short.output == long.output


def test_every_verb_has_examples_and_no_other_has() -> None:
    assert EXAMPLES.keys() == cli.commands.keys()


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_an_example_is_in_the_help_and_can_be_typed_so(line: str) -> None:
    program, verb, *words = shlex.split(line.partition(">")[0])
    assert program == "errata"
    assert f"    {line}\n" in CliRunner().invoke(cli, [verb, "--help"], terminal_width=200).output
    with cli.commands[verb].make_context(verb, words, parent=click.Context(cli)) as context:
        assert context.params.keys() <= {each.name for each in cli.commands[verb].params}


@pytest.mark.parametrize("verb", ["demo", "synth", "eval", "study", "school", "report"])
def test_progress_can_be_left_out_by_a_letter(verb: str) -> None:
    assert ["-q", "--quiet"] in [each.opts for each in cli.commands[verb].params]


@pytest.mark.parametrize("verb", ["plan", "status", "accept", "export", "eval", "study", "school", "compare", "report"])
def test_figures_are_printed_as_json_where_asked(verb: str) -> None:
    assert ["--json"] in [each.opts for each in cli.commands[verb].params]


def test_the_shell_completes_verbs_and_options() -> None:
    completion = BashComplete(cli, {}, "errata", "_ERRATA_COMPLETE")
    assert [each.value for each in completion.get_completions([], "st")] == ["status", "study"]
    assert "--watch" in [each.value for each in completion.get_completions(["status"], "--w")]
    assert "eval" in [each.value for each in completion.get_completions(["schema"], "")]


# ---- silence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "none.yaml"],
        ["synth", "none.yaml"],
        ["status", "none"],
        ["status", "none", "--watch"],
        ["accept", "none"],
        ["export", "none", "--format", "sft", "--out", "x.jsonl"],
        ["train", "sft", "--nothing"],
        ["eval", "none.yaml"],
        ["study", "none.yaml"],
        ["school", "none.yaml"],
        ["audit", "none"],
        ["compare", "none", "none"],
        ["ship", "none", "--to", "gguf"],
        ["push", "none", "--to", "me/none"],
        ["report", "none"],
        ["view", "none"],
        ["graph", "none"],
        ["serve", "--fault", "none"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_every_verb_loads_where_it_would_be_said(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []

    @contextmanager
    def loading(what: str = "") -> Iterator[None]:
        loads.append(what)
        yield

    for module in ("cli", "cli_helpers", "cli_sharing", "cli_students"):
        monkeypatch.setattr(f"errata.{module}.loading", loading)
    assert CliRunner().invoke(cli, words).exit_code == 2
    assert loads
