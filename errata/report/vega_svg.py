"""Vega-Lite specifications as SVG that stands in the page: no script, no style attribute, colours by CSS variables."""

from __future__ import annotations

import re

from markupsafe import Markup

from errata.errors import UsageError
from errata.report.figures import Spec

_CLIP = re.compile(r'(id="|url\(#)(clip\d+)')
_SIZE = re.compile(r'<svg [^>]*?viewBox="([^"]+)">')


class MissingDrawing(UsageError):
    """The package that draws is not installed."""


def need_vl_convert() -> None:
    """Raises MissingDrawing where it is so, before any log is read."""
    try:
        import vl_convert  # noqa: F401
    except ImportError:
        raise MissingDrawing(
            "the package vl-convert-python is not installed",
            "it draws the report's charts",
            "pip install 'errata[report]'",
        ) from None


def draw(spec: Spec, own: str) -> Markup:
    """The chart as an svg element without a fixed size. Text in it is escaped by the renderer.

    `own` makes its ids differ from those of the other charts in the page.
    """
    import vl_convert

    svg = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])  # nothing is fetched
    numbers: dict[str, int] = {}  # the renderer counts on from chart to chart, and several meet in one page

    def named(match: re.Match[str]) -> str:
        return f"{match[1]}{own}-{numbers.setdefault(match[2], len(numbers))}"

    svg = _CLIP.sub(named, svg)
    return Markup(_SIZE.sub(r'<svg class="chart" viewBox="\1" role="group" focusable="false">', svg, count=1))
