"""A chat template as texts around the turns of each role, read off what it writes.

Conversations are rendered, and it is looked at what stands around the turns; where the texts found would not write
other conversations alike, the template is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from errata.errors import UsageError

Turn = tuple[str, str]
"""A role and its text."""


class Render(Protocol):
    """Writes a conversation by the checkpoint's chat template. Raises UsageError where it refuses the roles."""

    def __call__(self, turns: Sequence[Turn], *, answering: bool) -> str:
        """`answering`: with what makes the model answer behind it."""


_USER, _ANSWERED = ("user", "U1"), (("user", "U1"), ("assistant", "A1"))
_SYSTEM = ("system", "S1")
_PROBES: tuple[tuple[Turn, ...], ...] = (
    (_USER,),
    (*_ANSWERED, ("user", "U2")),
    (_SYSTEM, _USER),
    (_SYSTEM, *_ANSWERED, ("user", "U2"), ("assistant", "A2"), ("user", "U3")),
)


@dataclass(frozen=True)
class Around:
    """What stands before and behind a turn's text."""

    before: str
    behind: str

    def __call__(self, text: str) -> str:
        return f"{self.before}{text}{self.behind}"


@dataclass(frozen=True)
class Turns:
    """A chat template. `begin` opens a conversation and `answer` makes the model write."""

    begin: str
    user: Around
    assistant: Around
    answer: str
    system: Around | None
    """None where the template refuses a system text."""
    unasked: str | None = None
    """The system text that it writes where none is given."""

    def render(self, turns: Sequence[Turn]) -> str:
        """The conversation with what makes the model answer, as these texts write it."""
        if self.unasked is not None and turns[0][0] != "system":
            turns = [("system", self.unasked), *turns]
        around = {"user": self.user, "assistant": self.assistant, "system": self.system or Around("", "")}
        return self.begin + "".join(around[role](text) for role, text in turns) + self.answer


def read_turns(render: Render, bos: str) -> Turns:
    """The texts of a template; `bos` is the token that may open it, or nothing.

    Raises UsageError where no texts around turns say what it does.
    """
    try:
        turns = _read(render, bos)
    except ValueError as error:
        raise inexpressible("does more than write texts around turns") from error
    for probe in _PROBES if turns.system else _PROBES[:2]:
        if turns.render(probe) != render(probe, answering=True):
            raise inexpressible("writes a turn otherwise where others stand beside it")
    return turns


def inexpressible(what: str) -> UsageError:
    return UsageError(
        f"a chat template that {what}",
        "a Modelfile would make Ollama ask the student otherwise than it was trained",
        "ship it --to gguf: llama.cpp reads the template itself",
    )


def _read(render: Render, bos: str) -> Turns:
    """Raises ValueError where a text is not found in what was written."""
    head, behind_user = _around("U1", render([_USER], answering=False))
    answer = _without_start(_around("U1", render([_USER], answering=True))[1], behind_user)
    between, behind_assistant = _around("A1", _around("U1", render(_ANSWERED, answering=False))[1])
    later = _around("A1", render([*_ANSWERED, ("user", "U2")], answering=False))[1]
    before_user = _without_start(_around("U2", later)[0], behind_assistant)
    opening = _without_end(head, before_user)
    begin, system, unasked = _system(render, opening, before_user, bos)
    assistant = Around(_without_start(between, behind_user), behind_assistant)
    return Turns(begin, Around(before_user, behind_user), assistant, answer, system, unasked)


def _system(render: Render, opening: str, before_user: str, bos: str) -> tuple[str, Around | None, str | None]:
    """What begins a conversation, what stands around a system text, and the text where none is given."""
    try:
        prompt = render([_SYSTEM, _USER], answering=False)
    except UsageError:
        return opening, None, None
    before, rest = _around("S1", prompt)
    system_end = _without_end(_around("U1", rest)[0], before_user)
    begin = bos if bos and before.startswith(bos) and opening.startswith(bos) else ""
    system = Around(before.removeprefix(begin), system_end)
    unasked = opening.removeprefix(begin)
    if not unasked:
        return begin, system, None
    return begin, system, _without_end(_without_start(unasked, system.before), system.behind)


def _around(mark: str, text: str) -> tuple[str, str]:
    before, middle, behind = text.partition(mark)
    if not middle:
        raise ValueError(f"{mark} is not written")
    return before, behind


def _without_start(text: str, start: str) -> str:
    if not text.startswith(start):
        raise ValueError(f"{text!r} does not begin with {start!r}")
    return text[len(start) :]


def _without_end(text: str, end: str) -> str:
    if not text.endswith(end):
        raise ValueError(f"{text!r} does not end with {end!r}")
    return text[: len(text) - len(end)]
