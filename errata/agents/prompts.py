"""What agents are told: Markdown files with front matter, checked when they are loaded.

    ---
    version: 1
    inputs: [question, answer_form]
    ---
    {{ question }} End with: {{ answer_form }}

`max_tokens: 512` may stand beside them: the longest reply, where neither the recipe's stage nor its agent sets a limit.
The name is the path (`teacher/solve`), the id adds the version (`teacher/solve@1`). A recipe may name a folder whose
files replace shipped ones of the same path. What is filled in is data: it is never read as a template.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from jinja2 import Template, TemplateError, TemplateSyntaxError, meta

from errata.agents.demonstration import Demonstration
from errata.agents.prompt_templates import ENVIRONMENT, FILTERS, refused, rendered
from errata.config.yaml_file import parse_yaml
from errata.errors import UsageError
from errata.records import Message, digest

_EXAMPLE = Demonstration(question="q", rationale="r", answer="a", wrong="w")
_TRIALS: tuple[dict[str, Any], ...] = ({"demonstrations": (_EXAMPLE,), "critiques": ("c",)}, {"demonstrations": ()})
"""Inputs that are no plain text, for the trial rendering: a misspelt attribute shall not wait for a paid run."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt file. `hash` identifies its text whatever its version says."""

    name: str
    version: int
    inputs: tuple[str, ...]
    hash: str
    template: Template
    max_tokens: int | None = None
    """The longest reply, in tokens, where the recipe sets no limit; a plan's most is a bound by it."""

    @property
    def id(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def verb(self) -> str:
        """What an agent does by it: the name without its folder."""
        return self.name.rpartition("/")[2]

    def messages(self, system: str | None, inputs: Mapping[str, Any]) -> tuple[Message, ...]:
        """The prompt filled in, as one user message, after the agent's system line where it has one.

        `inputs` may hold more than this prompt declares, so that an override may do with less.
        """
        text = rendered(self.template, {name: inputs[name] for name in self.inputs})
        user = Message(role="user", content=text)
        return (Message(role="system", content=system), user) if system else (user,)


class Prompts(dict[str, Prompt]):
    """Prompts by name."""

    def hashes(self) -> dict[str, str]:
        """`{"teacher/solve@1": "ab12..."}`, for the manifest."""
        return {prompt.id: prompt.hash for _, prompt in sorted(self.items())}


def load_prompts(folder: str | None = None, own: Mapping[str, Path] | None = None) -> Prompts:
    """The shipped prompts and one's `own` by name, replaced by those in `folder`.

    Raises UsageError on a file that cannot be read, that declares what it does not use or uses what it does not
    declare, that needs an input its agent does not offer, or that replaces nothing.
    """
    shipped = _shipped() | {name: _parse(name, str(path), _read(path)) for name, path in (own or {}).items()}
    if folder is None:
        return Prompts(shipped)
    overrides: dict[str, Prompt] = {}
    for path in _override_files(Path(folder)):
        name = _name_of(path, Path(folder), shipped)
        overrides[name] = _parse(name, str(path), _read(path), replaced=shipped[name])
    return Prompts(shipped | overrides)


def load_prompt(path: Path, name: str) -> Prompt:
    """A prompt of one's own, for an agent of one's own; checked as the shipped ones are (UsageError)."""
    return _parse(name, str(path), _read(path))


@cache
def _shipped() -> dict[str, Prompt]:
    """The shipped prompts by name, parsed once per process. Not to be changed in place."""
    return {name: _parse(name, str(file), _read(file)) for name, file in _shipped_files(files("errata") / "prompts")}


def _shipped_files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _shipped_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".md"):
            yield prefix + entry.name.removesuffix(".md"), entry


def _override_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"prompts: {folder} is no folder", do="Name a folder that holds e.g. teacher/solve.md.")
    files = sorted(path for path in folder.rglob("*") if not path.is_dir() and not _is_hidden(path.relative_to(folder)))
    for path in files:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{path} leads out of {folder}", "An override is a file of its own.", "Copy it there.")
    return files


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _name_of(path: Path, folder: Path, shipped: Mapping[str, Prompt]) -> str:
    relative = PurePosixPath(path.relative_to(folder).as_posix())
    name = str(relative.with_suffix(""))
    if relative.suffix == ".md" and name in shipped:
        return name
    near = difflib.get_close_matches(name, shipped, n=1, cutoff=0) or sorted(shipped)[:1]
    raise UsageError(
        f"{path} replaces no prompt",
        f"There is no prompt {relative}; the nearest is {near[0]}.md.",
        f"Rename it, or take it out of {folder}. The prompts are: {', '.join(sorted(shipped))}.",
    )


class _FrontMatter(NamedTuple):
    version: int
    inputs: tuple[str, ...]
    max_tokens: int | None
    body: str


def _read(file: Traversable) -> str:
    try:
        return file.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", do="Give a UTF-8 text file.") from error


def _front_matter(file: str, text: str) -> _FrontMatter:
    shape = "A prompt starts with `---`, `version: 1`, `inputs: [question]`, `---`; the text follows."
    opening, _, rest = text.partition("\n")
    head, closing, body = rest.partition("\n---\n")
    if opening.strip() != "---" or not closing:
        raise UsageError(f"{file} has no front matter", do=shape)
    fields = parse_yaml(head, f"{file}: its front matter")
    if not isinstance(fields, dict) or set(fields) - {"max_tokens"} != {"version", "inputs"}:
        named = ", ".join(map(str, fields)) if isinstance(fields, dict) else _short(fields)
        raise UsageError(
            f"{file}: its front matter holds {named}", "It holds version, inputs and, if you like, max_tokens.", shape
        )
    version, inputs, limit = fields["version"], fields["inputs"], fields.get("max_tokens")
    if not _is_count(version):
        raise UsageError(f"{file}: version {_short(version)}", "A version is a whole number from 1 on.", shape)
    if limit is not None and not _is_count(limit):
        raise UsageError(f"{file}: max_tokens {_short(limit)}", "It is a whole number from 1 on.", shape)
    if not isinstance(inputs, list) or not all(isinstance(name, str) for name in inputs):
        raise UsageError(f"{file}: inputs {_short(inputs)}", "Inputs are a list of names.", shape)
    return _FrontMatter(version, tuple(inputs), limit, body.removesuffix("\n"))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _parse(name: str, file: str, text: str, replaced: Prompt | None = None) -> Prompt:
    version, inputs, limit, body = _front_matter(file, text)
    try:
        tree = ENVIRONMENT.parse(body)
        if beyond := refused(tree):
            raise UsageError(
                f"{file} uses {beyond}",
                "A prompt shows its inputs, with if, for and a few filters; more could stall whoever loads it.",
                f"Leave it out. The filters are {', '.join(sorted(FILTERS))}.",
            )
        template = ENVIRONMENT.from_string(body)
    except TemplateSyntaxError as error:
        raise UsageError(f"{file}, line {error.lineno} of its text: {error.message}") from error
    except RecursionError:
        raise UsageError(f"{file} is nested too deeply", do="Write it flat.") from None
    _check_inputs(file, inputs, meta.find_undeclared_variables(tree), replaced.inputs if replaced else None)
    limit = replaced.max_tokens if replaced and limit is None else limit
    prompt = Prompt(name, version, inputs, digest(body), template, limit)
    try:
        for trial in _TRIALS:
            prompt.messages(None, dict.fromkeys(inputs, "x") | trial)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise UsageError(f"{file} cannot be filled in: {error}") from error
    return prompt


def _check_inputs(file: str, declared: tuple[str, ...], used: set[str], offered: tuple[str, ...] | None) -> None:
    for variable in sorted(used - set(declared)):
        near = difflib.get_close_matches(variable, declared, n=1)
        why = f"The nearest declared one is {near[0]}." if near else f"Declared are: {', '.join(declared) or 'none'}."
        raise UsageError(
            f"{file} uses {variable}, which it does not declare", why, "Add it to inputs, or use one of those declared."
        )
    for variable in sorted(set(declared) - used):
        raise UsageError(f"{file} declares {variable} and does not use it", do="Use it, or take it out of inputs.")
    for variable in sorted(set(declared) - set(offered if offered is not None else declared)):
        near = difflib.get_close_matches(variable, offered or (), n=1)
        why = f"Its agent offers: {', '.join(offered or ())}." + (f" The nearest is {near[0]}." if near else "")
        raise UsageError(f"{file} asks for {variable}, which this prompt is not given", why, "Use what is offered.")
