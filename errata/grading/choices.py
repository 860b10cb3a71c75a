"""Options and truth words in a text: `(b) red` is B, `A or B` is neither, `Yes` is true."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

from errata.grading.hit import Hit
from errata.records import Span

_WRAPPING = r"[\s*_:\"'`$\\(\[{]*+(?:text(?:bf|rm)?\{[\s(]*+|(?i:option|choice|letter)\b[\s:*(]*+)?+"
_LEAD = re.compile(
    rf"{_WRAPPING}(?P<letter>[A-Za-z])(?:(?P<closed>[)\]}}.:,;*$\"'`\\]|\s*[-–—:](?=\s)|\s*$|\s*\n)|(?=(?P<word>\s)))"
)
_PARENTHESISED = re.compile(r"\(\s?([A-Za-z])\s?\)")
_GOES_ON = re.compile(r"\s+(?:because|since|as|is|which|and|or|with|for|but|due|option|only)\b")


def find_letter(match: re.Match[str] | None, choices: Sequence[str], shift: int = 0) -> Hit | None:
    """The letter in the first group that took part in a match, if the choices go that far."""
    if not match or not match.lastindex or not _known(match[match.lastindex], choices):
        return None
    start, end = match.span(match.lastindex)
    return Hit(match[match.lastindex].upper(), Span(start + shift, end + shift))


def find_choice(text: str, start: int, end: int, choices: Sequence[str] = ()) -> Hit | None:
    """The option a sentence names, as its letter: by letter where it starts with one, else by (letter), else by text.

    An option's whole text comes first, since it may start like a letter ("a dog", "A and B only").
    """
    options = [" ".join(choice.split()).casefold().strip(_EDGES) for choice in choices]
    piece, at = _stripped(text, start, end)
    plain = " ".join(piece.split()).casefold()
    if len(plain) > 1 and plain in options:
        return Hit(ascii_uppercase[options.index(plain)], Span(at, at + len(piece)))
    lead = _LEAD.match(text, start, end)
    if lead and _is_letter(text, lead, end, options):
        return _letters(text, lead.span("letter"), end, options) or Hit(
            lead["letter"].upper(), Span(*lead.span("letter"))
        )
    for match in _PARENTHESISED.finditer(text, start, end):
        if _known(match[1], options):
            return _letters(text, match.span(1), end, options) or Hit(match[1].upper(), Span(*match.span(1)))
    return _named(text, start, end, options)


_OTHER_LETTER = re.compile(
    r"[)\]*\s]*(?:(?P<weak>,)|,?\s*\b(?:or|and)\b|/|&)\s*[(\[*]*(?:option\s+)?(?P<letter>[A-Z])(?P<after>[)\]*]+|(?=\s*(?:[,;./&]|$|or\b|and\b)))"
)


def _letters(text: str, first: tuple[int, int], end: int, options: Sequence[str]) -> Hit | None:
    """Several letters that a sentence offers in place of one: `A or B`; None where it names one."""
    letters, at = [text[slice(*first)].upper()], first[1]
    weak = True
    while len(letters) < 26:
        own = options[ascii_uppercase.index(letters[-1])] if options and _known(letters[-1], options) else ""
        text_after = re.compile(r"[)\].:*\s]*" + re.escape(own), re.IGNORECASE).match(text, at, end) if own else None
        other = _OTHER_LETTER.match(text, at, end)
        if not other and text_after:
            other = _OTHER_LETTER.match(text, text_after.end(), end)
        if not other or not _known(other["letter"], options):
            break
        letters.append(other["letter"])
        weak = weak and other["weak"] is not None
        at = other.end("letter")
    if len(set(letters)) < 2 or (weak and text[at:end].strip(_EDGES + ")]")):
        return None
    return Hit(" or ".join(dict.fromkeys(letters)), Span(first[0], at))


_EDGES = " \t\n\r.,;:!*_\"'`$"


def _stripped(text: str, start: int, end: int) -> tuple[str, int]:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip(_EDGES))
    return piece.strip(_EDGES), start + left


def _known(letter: str, options: Sequence[str]) -> bool:
    return ascii_uppercase.index(letter.upper()) < (len(options) or 26)


def _is_letter(text: str, lead: re.Match[str], end: int, options: Sequence[str]) -> bool:
    letter, after = lead["letter"], lead.end("letter")
    if not _known(letter, options):
        return False
    if lead["closed"] is not None:
        return letter.isupper() or not text[lead.start() : lead.start("letter")].strip() or "(" in lead[0]
    if not letter.isupper():
        return False
    own = options[ascii_uppercase.index(letter)] if options else ""
    rest = text[after:end].lstrip(_EDGES + ")-").casefold()
    return letter not in "AI" or bool(own and rest.startswith(own)) or bool(_GOES_ON.match(text, after, end))


def _named(text: str, start: int, end: int, options: Sequence[str]) -> Hit | None:
    """The one option whose text occurs in the stretch; a longer one hides those inside it."""
    hits: list[tuple[int, Span]] = []
    for place, option in enumerate(options[:26]):
        if not option:
            continue
        body = r"\s+".join(map(re.escape, option.split()))
        pattern = re.compile(rf"(?<![\w.]){body}(?![\w]|[.,]\d)", re.IGNORECASE)
        hits += [(place, Span(*match.span())) for match in [pattern.search(text, start, end)] if match]
    outer = [
        (place, span)
        for place, span in hits
        if not any(other[0] <= span[0] and span[1] <= other[1] and other != span for _, other in hits)
    ]
    if len({place for place, _ in outer}) != 1:
        return None
    place, span = outer[0]
    return Hit(ascii_uppercase[place], span)


# ---- truth -----------------------------------------------------------------------------------------------------------

_TRUE = "yes|true|valid|plausible"
_FALSE = "no|false|invalid|implausible"
_TRUTH = re.compile(
    rf"(?P<either>\b(?:(?:{_TRUE})(?:\s*/\s*|\s+or\s+)(?:{_FALSE})|(?:{_FALSE})(?:\s*/\s*|\s+or\s+)(?:{_TRUE}))\b)"
    rf"|(?P<negated>\b(?:not|isn['’]t|cannot\sbe)\s+(?:\w+ly\s+)?(?:a\s+)?)?+\b(?:(?P<true>{_TRUE})|(?P<false>{_FALSE}))\b",
    re.IGNORECASE,
)


def find_truth(text: str, start: int, end: int) -> Hit | None:
    """The first truth word of the stretch as `true` or `false`; "not valid" is false, "true or false" is neither.

    "no" inside a sentence ("there is no evidence") says nothing.
    """
    for match in _TRUTH.finditer(text, start, end):
        word = "true" if match["true"] else "false"
        if match["either"] or (
            word == "false"
            and match["false"].lower() == "no"
            and text[match.end() : match.end() + 1] not in ("", *".,;:!)}*_\"'`$\n")
        ):
            continue
        value = bool(match["true"]) != bool(match["negated"])
        return Hit("true" if value else "false", Span(*match.span()))
    return None
