"""Reading one field of a record: texts, numbers, truth values, options; `BadField` where it is unfit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

from errata.data.golds import is_number, kind_of
from errata.errors import did_you_mean
from errata.grading.latex import last_box
from errata.records import AnswerKind

Record = Mapping[str, Any]

_HALF_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fields:
    """A problem without its place in a run. `id` is the data set's own, where it has one; `answer` is never empty, and
    None where there is no gold answer."""

    question: str
    answer: str | None
    kind: AnswerKind
    id: str | None = None
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    rationale: str | None = None
    split: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


class BadField(ValueError):
    """A field that is missing or unfit. Args: its dotted path, what was found, why that will not do, what to do."""

    def __init__(self, path: str, found: str, why: str, do: str = "mend or remove the record") -> None:
        super().__init__(path, found, why, do)
        self.path, self.found, self.why, self.do = path, found, why, do


def at(record: Any, path: str) -> Any:
    """The value at a dotted path; list places are numbers. BadField where the path leads nowhere."""
    value = record
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and part.isascii() and part.isdigit() and int(part[:9]) < len(value):
            value = value[int(part)]
        else:
            known = [str(key) for key in value] if isinstance(value, Mapping) else []
            raise BadField(
                path,
                "it is missing",
                f"there is {', '.join(known[:20]) or 'nothing'}",
                did_you_mean(part, known, "name a field that every record has, or mend the record"),
            )
    return value


def text_at(record: Record, path: str) -> str:
    """The text at a path, without the white space around it. BadField where it is empty or no text."""
    value = at(record, path)
    if not isinstance(value, str):
        raise BadField(path, f"it is {preview(value)}", "a text is expected")
    if not value.strip():
        raise BadField(path, "it is empty", "a problem needs it")
    if _HALF_PAIR.search(value):
        raise BadField(path, "it holds half a surrogate pair", "such a text can be neither sent nor stored")
    return value.strip()


def joined_at(record: Record, template: str) -> str:
    """The text at a path, or a template's text with each `{path}` in it filled in."""
    if "{" not in template:
        return text_at(record, template)
    return re.sub(r"\{([^{}]+)\}", lambda match: text_at(record, match[1]), template).strip()


def plain_number(value: Any, path: str) -> str:
    """A number as it is written by hand: 51.0 is 51, "1,080" is 1080. BadField where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadField(path, f"it is {preview(value)}", "a number is expected")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadField(path, f"it is {value}", "a finite number is expected")
        return str(int(value)) if value.is_integer() else repr(value)
    digits = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", str(value).strip())
    if not is_number(digits):
        kind = kind_of(str(value))
        raise BadField(path, f"it is {preview(value)}", "a number is expected", f"set the mapping's kind to {kind}?")
    return re.sub(r"^(-?\d+)\.0+$", r"\1", digits)


def truth(value: Any, path: str) -> str:
    """A yes or no in the data's own word, in lower case; true and false of JSON are yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    word = value.strip().casefold() if isinstance(value, str) else ""
    if word not in {"yes", "no", "true", "false"}:
        raise BadField(path, f"it is {preview(value)}", "yes, no, true or false is expected")
    return word


def letter(value: Any, labels: Sequence[str], choices: Sequence[str], path: str) -> str:
    """The letter of the right option, from its label, its place counted from 0, or its text."""
    word = str(value).strip()
    label = re.sub(r"^\(?(\w+)[).]?$", r"\1", word).casefold()
    for known in (labels, ascii_uppercase[: len(choices)]):
        for place, name in enumerate(known):
            if name.casefold() == label:
                return ascii_uppercase[place]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(choices):
        return ascii_uppercase[value]
    if word in choices:
        return ascii_uppercase[list(choices).index(word)]
    raise BadField(
        path, f"it is {preview(value)}", f"it names none of the options: {'; '.join(choices)[:200]}", "mend the record"
    )


def options_at(record: Record, path: str | Sequence[str]) -> tuple[list[str], list[str]]:
    """Labels and texts of a choice: a list of texts, of {label, text}, or {label: [...], text: [...]}.

    Several paths are fields with one option each; fields at the end that are empty are no options.
    """
    if not isinstance(path, str):
        return _columns(record, path)
    return _options(at(record, path), path)


def _columns(record: Record, paths: Sequence[str]) -> tuple[list[str], list[str]]:
    values = [at(record, path) for path in paths]
    texts = [str(value).strip() if isinstance(value, str | int | float) else "" for value in values]
    while texts and not texts[-1]:
        texts.pop()
    labels, choices = _options(texts, ", ".join(paths))
    return labels or [path.rpartition(".")[2] for path in paths[: len(choices)]], choices


def _options(value: Any, path: str) -> tuple[list[str], list[str]]:
    if isinstance(value, Mapping) and isinstance(value.get("text"), list | tuple):
        value = [
            {"label": name, "text": text} for name, text in zip(value.get("label", ()), value["text"], strict=False)
        ]
    items = list(value) if isinstance(value, list | tuple) else []
    labels = [str(item["label"]) for item in items if isinstance(item, Mapping) and "label" in item]
    texts = [item.get("text") if isinstance(item, Mapping) else item for item in items]
    options = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
    if len(options) < len(texts) or not 2 <= len(options) <= len(ascii_uppercase):
        raise BadField(path, f"it is {preview(value)}", "two to 26 option texts are expected")
    bare = [
        re.sub(rf"^\(?{name}[).:]\s*(?=\S)", "", text) for name, text in zip(ascii_uppercase, options, strict=False)
    ]
    lettered = all(before != after for before, after in zip(options, bare, strict=True))
    return labels, bare if lettered else options  # A)32400 B)6000: the letters are shown with the options anyway


def preview(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def boxed(solution: str, path: str) -> str:
    r"""What the last \boxed{} of a solution holds."""
    span = last_box(solution)
    answer = solution[span.start : span.end].strip().rstrip(".") if span else ""
    if not answer:
        raise BadField(path, r"it has no \boxed{}", "the gold answer stands in the solution's last box")
    return answer
