"""What a request asks for, read from its text alone: the verb and the parts of a shipped prompt.

The shipped templates are the key: a request that starts with a template's first line (or, where that is a variable,
ends with its last one) asks that template's verb, and the headings above its variables cut the request into parts. So
the faculty follows the prompts' wording, and knows nothing of the agent that asks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_JINJA = re.compile(r"\{[{%]")
_HEADED = re.compile(r"^(### [^\n]+)\n(?:\{%[^\n]*\n)?[^\n]*?\{\{ *(\w+)", re.MULTILINE)


class Asked(NamedTuple):
    """`verb` is the prompt's name (`teacher/solve`), "" where none is recognised; then `parts` holds the whole text as
    the question. `form` is what the prompt says about the last line."""

    verb: str
    parts: dict[str, str]
    form: str = ""


@dataclass(frozen=True)
class _Template:
    name: str
    first: str
    """The first line up to its first variable; empty where it starts with one."""
    last: str
    """The last line up to its first variable."""
    headings: dict[str, str]
    """Variable -> the heading it stands under."""
    closing: str
    """The heading that ends the prompt."""


@cache
def templates() -> tuple[_Template, ...]:
    """The shipped prompts, as they are recognised."""
    folder = files("errata") / "prompts"
    return tuple(
        _template(f"{role.name}/{file.name.removesuffix('.md')}", file.read_text(encoding="utf-8"))
        for role in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if role.is_dir()
        for file in sorted(role.iterdir(), key=lambda entry: entry.name)
        if file.name.endswith(".md")
    )


def _template(name: str, text: str) -> _Template:
    body = text.replace("\r\n", "\n").split("\n---\n", 1)[1].strip()
    lines = body.split("\n")
    first, last = (_JINJA.split(line, maxsplit=1)[0].rstrip() for line in (lines[0], lines[-1]))
    headings = {
        variable: heading for heading, variable in _HEADED.findall(body) if not heading.startswith("### Example")
    }
    return _Template(name, first, last, headings, last if last.startswith("### ") else "")


def asked(text: str) -> Asked:
    """The verb and parts of the last user message."""
    text = text.strip()
    for template in templates():
        if template.first:
            if text.startswith(template.first):
                line = text[len(template.first) :].split("\n", 1)[0].strip()
                return Asked(template.name, _parts(template, text), line)
        elif template.last and (at := text.rfind("\n" + template.last)) >= 0:
            return Asked(template.name, _bare(text[:at].strip()), text[at + 1 + len(template.last) :].strip())
    return Asked("", _bare(text))


def _bare(text: str) -> dict[str, str]:
    """A question without headings; lines below it that start with letters are its options."""
    options = re.search(r"\n(?=A[.):] )", text)
    return {"question": text[: options.start()], "options": text[options.end() :]} if options else {"question": text}


def _parts(template: _Template, text: str) -> dict[str, str]:
    """The text under each heading. What stands above the solution is looked for from the start, the rest from the end,
    so that headings inside a solution do not cut it."""
    found: list[tuple[int, int, str]] = []
    above = True
    for variable, heading in template.headings.items():
        line = f"\n{heading}\n"
        at = text.find(line) if above else text.rfind(line)
        above = above and variable != "rationale"
        if at >= 0:
            found.append((at, at + len(line), variable))
    closing = text.rfind(f"\n{template.closing}") if template.closing else -1
    found.sort()
    ends = [*(start for start, _, _ in found[1:]), closing if closing >= 0 else len(text)]
    return {variable: text[start:end].strip() for (_, start, variable), end in zip(found, ends, strict=False)}
