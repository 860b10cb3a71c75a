"""What a request asks for: the verb and the parts, by the prompt's name and inputs, or by the wording of its text.

In process a request names its prompt, so that a prompt of one's own over a known verb (`teacher/solve`, `editor/solve`)
is recognised whatever its wording. Over HTTP the wording is all there is. The shipped templates are the key: a request
that starts with a template's first line (or, where that is a variable, ends with its last one) asks that template's
verb, and the headings above its variables cut the request into parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from errata.classroom.grammar import parse

VERBS = (
    "teacher/solve",
    "teacher/explain",
    "teacher/classify",
    "teacher/rectify",
    "teacher/corrupt",
    "teacher/revise",
    "teacher/continue",
    "teacher/shorten_thinking",
    "reviewer/score",
    "reviewer/first_wrong_step",
    "student/solve",
)
"""Prompts that the faculty can answer. Of two that end alike the first stands for others' prompts of that name."""

_JINJA = re.compile(r"\{[{%]")
_HEADED = re.compile(r"^(### [^\n]+)\n(?:\{%[^\n]*\n)?[^\n]*?\{\{ *(\w+)", re.MULTILINE)


class NamedPrompt(NamedTuple):
    """A prompt as the process that sends it knows it: its name (`teacher/solve`) and the inputs that it shows."""

    name: str
    inputs: Mapping[str, Any]


class Task(NamedTuple):
    """What is asked: a verb of VERBS and its parts.

    Where no verb is recognised `verb` is "" and `parts` holds the inputs, or the whole text as the question. `form` is
    what the prompt says about the last line; `named` is True where the prompt's name was there to go by.
    """

    verb: str
    parts: dict[str, str]
    form: str = ""
    named: bool = False


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


def task_of(text: str, prompt: NamedPrompt | None = None) -> Task:
    """The task of a request.

    Args:
        text: its last user message.
        prompt: what it was made from, where that is known. A shipped wording is read all the same where it asks for the
            same verb, or where the name says nothing, so that both transports give the same replies.
    """
    worded = read_task(text)
    if prompt is None or not prompt.inputs:
        return worded
    verb = _verb_of(prompt.name)
    if worded.verb and (worded.verb == verb or not verb):
        return worded
    return Task(verb, _parts_of(prompt.inputs), _text(prompt.inputs, "answer_form"), named=True)


def _verb_of(name: str) -> str:
    """The verb of a prompt's name: its own, else the first that ends alike (`editor/solve`), else ""."""
    if name in VERBS:
        return name
    return next((verb for verb in VERBS if verb.rpartition("/")[2] == name.rpartition("/")[2]), "")


def _parts_of(inputs: Mapping[str, Any]) -> dict[str, str]:
    """The inputs that are texts and not empty, with the critiques as the shipped prompt lists them.

    Where none is called `question` it is the first that reads as a question of the classroom.
    """
    parts = {name: text for name in inputs if (text := _text(inputs, name))}
    parts.setdefault("question", next((text for text in parts.values() if parse(text)), ""))
    critiques = inputs.get("critiques")
    if isinstance(critiques, list | tuple):
        parts["critique"] = "\n".join(f"- {critique}" for critique in critiques)
    return parts


def _text(inputs: Mapping[str, Any], name: str) -> str:
    value = inputs.get(name)
    return value.strip() if isinstance(value, str) else ""


def read_task(text: str) -> Task:
    """The task by the wording of the last user message alone."""
    text = text.strip()
    for template in templates():
        if template.first:
            if text.startswith(template.first):
                line = text[len(template.first) :].split("\n", 1)[0].strip()
                return Task(template.name, _parts(template, text), line)
        elif template.last and (at := text.rfind("\n" + template.last)) >= 0:
            return Task(template.name, _bare(text[:at].strip()), text[at + 1 + len(template.last) :].strip())
    return Task("", _bare(text))


def _bare(text: str) -> dict[str, str]:
    """A question without headings; lines below it that start with letters are its options."""
    options = re.search(r"\n(?=A[.):] )", text)
    return {"question": text[: options.start()], "options": text[options.end() :]} if options else {"question": text}


def _parts(template: _Template, text: str) -> dict[str, str]:
    """The text under each heading. What stands above the solution is looked for from the start, the rest from the end,
    so that headings inside a solution do not cut it."""
    headed: list[tuple[int, int, str]] = []
    above = True
    for variable, heading in template.headings.items():
        line = f"\n{heading}\n"
        at = text.find(line) if above else text.rfind(line)
        above = above and variable != "rationale"
        if at >= 0:
            headed.append((at, at + len(line), variable))
    closing = text.rfind(f"\n{template.closing}") if template.closing else -1
    headed.sort()
    ends = [*(start for start, _, _ in headed[1:]), closing if closing >= 0 else len(text)]
    return {variable: text[start:end].strip() for (_, start, variable), end in zip(headed, ends, strict=False)}
