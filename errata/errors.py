"""What can go wrong, told as found / why / do.

    ErrataError          exit 1, anything else
    +-- UsageError       exit 2, wrong use, recipe or input (also a ValueError)
    |   +-- NothingToLearn   data that hold nothing which a training could learn from
    +-- BudgetExhausted  exit 4, a budget would be exceeded
    +-- AgentRefused     exit 1, every call of one agent would be refused (401, 403, unknown model)
    +-- Diverged         exit 1, a training's loss or gradient is no finite number, or has grown past all bounds

A provider failure of a single call is data (`records.Call.failure`), not an exception.
"""

from collections.abc import Iterable

LABEL = 7
"""Columns of `found:`, `why:` and `do:`."""
EXIT_DONE = 0
EXIT_OTHER = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3
EXIT_BUDGET = 4
EXIT_INTERRUPTED = 130


class ErrataError(Exception):
    """An error a person can act on.

    Args:
        found: what was found, with the values.
        why: why that is a problem.
        do: what to do instead.
    """

    exit_code = EXIT_OTHER

    def __init__(self, found: str, why: str = "", do: str = "") -> None:
        super().__init__(found, why, do)
        self.found, self.why, self.do = found, why, do

    def __str__(self) -> str:
        parts = [("found", self.found), ("why", self.why), ("do", self.do)]
        return plain("\n".join(f"{name + ':':<{LABEL}}{text}" for name, text in parts if text), keep="\n")


def plain(text: str, keep: str = "") -> str:
    """`text`, which may quote a file or a provider, without what could steer a terminal but the letters to keep."""
    return "".join(letter if letter.isprintable() or letter in keep else " " for letter in text)


def fold(text: str, columns: int) -> str:
    """Lines folded at spaces: what goes on of an error stands below its text, long words are whole."""
    from textwrap import TextWrapper  # imported when it is needed, since every command imports this file

    indent = " " * LABEL if text.startswith("found:") else ""
    wrapper = TextWrapper(columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(part for line in text.split("\n") for part in wrapper.wrap(line) or [""])


def escaped(json: str) -> str:
    """JSON with what could steer a terminal written as \\u escapes, so that it is the same JSON."""
    return "".join(letter if letter.isprintable() or letter == "\n" else _escape(letter) for letter in json)


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """What to do about an unknown name: the nearest of the known ones as a question, else `otherwise`."""
    from difflib import get_close_matches  # imported when something is wrong, since every command imports this file

    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


class UsageError(ErrataError, ValueError):
    """Wrong use: a bad command line, recipe or input file."""

    exit_code = EXIT_USAGE


class NothingToLearn(UsageError):
    """Data without a row that a training could learn from, or without anything that a term of its objective reads."""


class BudgetExhausted(ErrataError):
    """The next call would exceed a budget of the recipe."""

    exit_code = EXIT_BUDGET


class Diverged(ErrataError):
    """A training that makes its student worse with every step."""


class AgentRefused(ErrataError):
    """A refusal that would hit every call of this agent: a bad key, no permission, an unknown model."""

    def __init__(self, agent: str, found: str, why: str = "", do: str = "") -> None:
        super().__init__(found, why, do)
        self.agent = agent

    def __reduce__(self) -> tuple[type["AgentRefused"], tuple[str, str, str, str]]:
        return type(self), (self.agent, self.found, self.why, self.do)
