"""Chart specifications in Vega-Lite. Colours are CSS variables of the page, so that they follow light and dark.

Every mark's `told` becomes its accessible name and its tooltip. Data stands in `values`, never in an expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from errata.evals.report.figures import Spec

Row = Mapping[str, Any]
WIDTH, WIDE = 420, 880
BAR = 26
"""Height of a row."""
SERIES = tuple(f"var(--s{number})" for number in range(1, 9))
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
RIGHT, WRONG, QUIET = "var(--right)", "var(--wrong)", "var(--quiet)"
INK, MUTED, LINE = "var(--ink)", "var(--muted)", "var(--line)"
NAMES = {"type": "nominal", "sort": None, "title": None}
TOLD = {"field": "told", "type": "nominal"}


def _whole(width: int, height: int, layers: Sequence[Spec], values: Sequence[Row], **more: Any) -> Spec:
    return {
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 2,
        "background": None,
        "data": {"values": [dict(row) for row in values]},
        "layer": list(layers),
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {
                "labelColor": MUTED, "titleColor": MUTED, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE,
                "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelPadding": 6,
                "titlePadding": 8, "labelLimit": 150,
            },
            "legend": {
                "orient": "top", "direction": "horizontal", "title": None, "labelColor": MUTED, "labelFontSize": 12,
                "symbolSize": 90, "columnPadding": 14, "rowPadding": 4, "offset": 10, "labelLimit": 180,
            },
            "text": {"fontSize": 12, "fill": INK},
        },
        **more,
    }  # fmt: skip


def _y(height_of_label: int = 150) -> Spec:
    axis = {"ticks": False, "domain": False, "labelColor": INK, "labelFontSize": 13, "labelLimit": height_of_label}
    return {"field": "label", **NAMES, "axis": axis}


def _coloured(series: Sequence[str], tones: Sequence[str] | None = None, *, legend: bool = True) -> Spec:
    used = list(tones or [SERIES[place % len(SERIES)] for place in range(len(series))])
    shown = {"columns": max(1, min(len(series), 4))} if legend else None
    return {"field": "series", **NAMES, "scale": {"domain": list(series), "range": used}, "legend": shown}


def bars(rows: Sequence[Row], *, width: int = WIDTH) -> Spec:
    """Horizontal bars. A row: label, value, shown (the figure beside the bar), told; `tone` colours it."""
    top = max((row["value"] for row in rows), default=1) or 1
    x = {"field": "value", "type": "quantitative", "axis": None, "scale": {"domain": [0, top * 1.22], "nice": False}}
    rows = [{"tone": SERIES[0], **row} for row in rows]
    bar = {
        "mark": {"type": "bar", "height": {"band": 0.62}, "cornerRadiusEnd": 2},
        "encoding": {"y": _y(), "x": x, "fill": {"field": "tone", "type": "nominal", "scale": None}, "description": TOLD},
    }
    text = {
        "mark": {"type": "text", "align": "left", "dx": 6, "aria": False, "fontSize": 13},
        "encoding": {"y": _y(), "x": x, "text": {"field": "shown", "type": "nominal"}},
    }
    return _whole(width, BAR * len(rows) + 8, [bar, text], rows)


def stacked(
    rows: Sequence[Row], series: Sequence[str], *, tones: Sequence[str] | None = None, percent: bool = True,
    title: str | None = None, width: int = WIDTH,
) -> Spec:  # fmt: skip
    """Horizontal bars in parts. A row: label, series, value, told; `percent`: every bar is its own whole."""
    order = {name: place for place, name in enumerate(series)}
    rows = [{**row, "order": order[row["series"]]} for row in rows]
    axis = {"format": "%" if percent else "~s", "tickCount": 5, "domain": False, "ticks": False, "title": title}
    x = {"field": "value", "type": "quantitative", "stack": "normalize" if percent else "zero", "axis": axis}
    mark = {
        "mark": {"type": "bar", "height": {"band": 0.66}, "stroke": "var(--surface)", "strokeWidth": 1},
        "encoding": {
            "y": _y(), "x": x, "fill": _coloured(series, tones), "order": {"field": "order", "type": "quantitative"},
            "description": TOLD,
        },
    }  # fmt: skip
    lines = -(-len(series) // 4)
    return _whole(width, BAR * len({row["label"] for row in rows}) + 44 + 20 * lines, [mark], rows)


def dots(
    rows: Sequence[Row], series: Sequence[str], *, tones: Sequence[str] | None = None, domain: Sequence[float] | None = None,
    format: str = "%", rule: float | None = None, title: str | None = None, width: int = WIDTH,
) -> Spec:  # fmt: skip
    """Points with intervals. A row: label, series, value, low, high (equal or null: none), told. `rule`: a line."""
    several = len(series) > 1
    scale: Spec = {"zero": False, "nice": True} if domain is None else {"domain": list(domain), "nice": False}
    axis = {"format": format, "tickCount": 5, "domain": False, "ticks": False, "title": title}
    x = {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}
    shift = {"yOffset": {"field": "series", "type": "nominal", "sort": None, "scale": {"domain": list(series)}}}
    place = {"y": _y(), **(shift if several else {})}
    colour = _coloured(series, tones, legend=several)
    layers: list[Spec] = []
    if rule is not None:
        layers.append({"mark": {"type": "rule", "stroke": MUTED, "strokeDash": [3, 3], "aria": False}, "encoding": {"x": {"datum": rule, "type": "quantitative"}}})  # fmt: skip
    layers += [
        {
            "mark": {"type": "rule", "strokeWidth": 2, "aria": False, "opacity": 0.65},
            "encoding": {**place, "x": {**x, "field": "low"}, "x2": {"field": "high"}, "stroke": {**colour, "legend": None}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {
                **place, "x": x, "fill": colour, "description": TOLD,
                "shape": {"field": "series", **NAMES, "scale": {"domain": list(series), "range": list(SHAPES[: len(series)])}, "legend": colour["legend"]},
            },
        },
    ]  # fmt: skip
    labels = len({row["label"] for row in rows})
    height = (16 * len(series) + 12 if several else BAR) * labels + 40 + (26 if several else 0) + (18 if title else 0)
    return _whole(width, height, layers, rows)


def lines(
    rows: Sequence[Row], series: Sequence[str], *, x_title: str, tones: Sequence[str] | None = None, format: str = "%",
    domain: Sequence[float] | None = None, rule: float | None = None, points: bool = False, ordinal: bool = False,
    band: bool = False, width: int = WIDTH, height: int = 230, interpolate: str = "linear", ticks: Sequence[float] | None = None,
) -> Spec:  # fmt: skip
    """Lines over x. A row: x, series, value, told; with `band` low and high. `rule`: a vertical line at x."""
    scale: Spec = {"zero": False, "nice": True} if domain is None else {"domain": list(domain), "nice": False}
    y = {"field": "value", "type": "quantitative", "scale": scale, "title": None,
         "axis": {"format": format, "tickCount": 5, "domain": False, "ticks": False}}  # fmt: skip
    axis: Spec = {"grid": False, "title": x_title, "labelAngle": 0, "tickCount": 6}
    if ticks:
        axis["values"] = list(ticks)
    x: Spec = {"field": "x", "type": "ordinal" if ordinal else "quantitative", "sort": None, "axis": axis}
    if not ordinal:
        x["scale"] = {"zero": False, "nice": False}
    colour = _coloured(series, tones, legend=len(series) > 1)
    dash = {"field": "series", **NAMES, "scale": {"domain": list(series), "range": list(DASHES[: len(series)])}, "legend": colour["legend"]}  # fmt: skip
    layers: list[Spec] = []
    if rule is not None:
        layers.append({"mark": {"type": "rule", "stroke": MUTED, "strokeDash": [3, 3], "aria": False}, "encoding": {"x": {"datum": rule, "type": x["type"]}}})  # fmt: skip
    if band:
        layers.append({
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.5, "aria": False},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "stroke": {**colour, "legend": None}},
        })  # fmt: skip
    layers.append({
        "mark": {"type": "line", "strokeWidth": 2, "interpolate": interpolate, "aria": False},
        "encoding": {"x": x, "y": y, "stroke": colour, "strokeDash": dash},
    })  # fmt: skip
    size = 45 if points else 60
    layers.append({
        "mark": {"type": "point", "filled": True, "size": size, "opacity": 1 if points else 0},
        "encoding": {"x": x, "y": y, "fill": {**colour, "legend": None}, "description": TOLD},
    })  # fmt: skip
    return _whole(width, height, layers, rows)


def matrix(rows: Sequence[Row], *, width: int = WIDTH) -> Spec:
    """A table of shades. A row: label, series (the column), value 0..1 for the shade, shown, told."""
    columns = list(dict.fromkeys(row["series"] for row in rows))
    axis = {"orient": "top", "domain": False, "ticks": False, "labelAngle": 0, "labelColor": INK, "labelFontSize": 13}
    x = {"field": "series", **NAMES, "axis": {**axis, "labelLimit": 90 if len(columns) > 3 else 130}}
    shade = {"field": "value", "type": "quantitative", "legend": None, "scale": {"domain": [0, 1], "range": [0.06, 0.5], "clamp": True}}  # fmt: skip
    cell = {
        "mark": {"type": "rect", "fill": SERIES[0], "stroke": "var(--surface)", "strokeWidth": 2},
        "encoding": {"x": x, "y": _y(), "fillOpacity": shade, "description": TOLD},
    }
    text = {
        "mark": {"type": "text", "aria": False, "fontSize": 13},
        "encoding": {"x": x, "y": _y(), "text": {"field": "shown", "type": "nominal"}},
    }
    return _whole(width, 38 * len({row["label"] for row in rows}) + 34, [cell, text], rows)


def columns(
    rows: Sequence[Row], series: Sequence[str], *, x_title: str, tones: Sequence[str] | None = None,
    width: int = WIDTH, height: int = 210,
) -> Spec:  # fmt: skip
    """Stacked columns over ordered classes. A row: x, series, value, told."""
    order = {name: place for place, name in enumerate(series)}
    rows = [{**row, "order": order[row["series"]]} for row in rows]
    axis = {"title": x_title, "labelAngle": 0, "labelOverlap": True, "ticks": False}
    y_axis = {"tickCount": 4, "domain": False, "ticks": False, "format": "~s"}
    mark = {
        "mark": {"type": "bar", "stroke": "var(--surface)", "strokeWidth": 1},
        "encoding": {
            "x": {"field": "x", "type": "ordinal", "sort": None, "axis": axis},
            "y": {"field": "value", "type": "quantitative", "title": None, "axis": y_axis},
            "fill": _coloured(series, tones, legend=len(series) > 1),
            "order": {"field": "order", "type": "quantitative"},
            "description": TOLD,
        },
    }
    return _whole(width, height, [mark], rows)
