"""A stretch of text without what wraps it: blanks, quotes, `$`, emphasis."""

from __future__ import annotations

import re
from collections.abc import Sequence

from errata.grading.hit import Hit
from errata.records import Span

_WRAPS = (
    *(("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"), ('"', '"'), ("“", "”")),
)
_STRING_WRAPS = (*_WRAPS, ("__", "__"), ("*", "*"), ("'", "'"), ("‘", "’"))
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm|tt|normal)?|mathrm|mathbf|mathit|mathtt|mbox)\s*\{([^{}]*)\}")


def find_trimmed(
    text: str, start: int, end: int, wraps: Sequence[tuple[str, str]] = _WRAPS, closing: str = " \t\r\n.,;:!"
) -> Hit | None:
    """The whole stretch without the blanks, closing full stop, quotes, `$` and `**` around it."""
    while True:
        piece = text[start:end]
        begin, stop = start + len(piece) - len(piece.lstrip(" \t\r\n:")), start + len(piece.rstrip(closing))
        if piece[len(piece.rstrip(closing)) :].startswith("!") and _is_sign(text, stop):
            stop += 1  # 5!
        for left, right in wraps:
            inner = stop - len(right)
            wrapped = text.startswith(left, begin) and text.startswith(right, inner, stop) and text[inner - 1] != "\\"
            if wrapped and inner > begin + len(left) and not _inside(text, left, begin + len(left), inner):
                begin, stop = begin + len(left), inner
                break
        if (begin, stop) == (start, end):
            break
        start, end = begin, max(begin, stop)
    return Hit(text[start:end], Span(start, end)) if end > start else None


def _inside(text: str, mark: str, start: int, end: int) -> bool:
    """Whether a mark stands in text[start:end]; an escaped dollar does not count."""
    at = text.find(mark, start, end)
    while at > 0 and mark == "$" and text[at - 1] == "\\":
        at = text.find(mark, at + 1, end)
    return at >= 0


def _is_sign(text: str, at: int) -> bool:
    """Whether the exclamation mark at this place is a factorial's: within a formula, or at the end of a bare answer."""
    if not text[:at] or not (text[at - 1].isdigit() or text[at - 1] == ")"):
        return False
    after = text[at + 1 : at + 2]
    return after in tuple("}$\\") or (not after and not re.search(r"\s", text[:at].strip()))


def find_string(text: str, start: int, end: int) -> Hit | None:
    """The whole stretch without what wraps it: blanks, quotes, emphasis, `\\text{}`, a closing full stop."""
    hit = find_trimmed(text, start, end, _STRING_WRAPS)
    while hit:
        wrapped = _TEXT.fullmatch(hit.answer)
        if wrapped:
            begin, stop = hit.span.start + wrapped.start(1), hit.span.start + wrapped.end(1)
        elif (mark := hit.answer[-2:]) in ("**", "__") and hit.answer.count(mark) == 1:
            begin, stop = hit.span.start, hit.span.end - 2  # opened before the stretch
        else:
            return hit
        hit = find_trimmed(text, begin, stop, _STRING_WRAPS)
    return hit
