"""Charts in Vega-Lite. Colours are CSS variables of the page, so that they follow light and dark.

A mark's `tooltip` is its accessible name too. Data stands in `values`, never in an expression. What the colours mean
is said beside the chart (`Chart.legend`), where the page can wrap it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from errata.report.figures import Chart, Legend, Spec

Row = Mapping[str, Any]
WIDTH, THIRD = 420, 300
"""Units of a chart's width: the page scales it to its column."""
BAR = 26
"""Height of a row."""
SERIES = tuple(f"var(--s{number})" for number in range(1, 9))
DASHES = ("", "6 3", "2 2", "8 3 2 3", "10 2", "4 4", "1 3", "8 2 1 2 1 2")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
RIGHT, WRONG, QUIET = "var(--right)", "var(--wrong)", "var(--quiet)"
INK, MUTED, LINE, SURFACE = "var(--ink)", "var(--muted)", "var(--line)", "var(--paper)"
NAMES = {"type": "nominal", "sort": None, "title": None}
TOOLTIP = {"field": "tooltip", "type": "nominal"}
CONFIG = {
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelPadding": 6, "titlePadding": 8,
        "labelFlush": False,
    },
    "legend": {"disable": True},
    "text": {"fontSize": 13, "fill": INK},
}  # fmt: skip


def width_of(charts: int) -> int:
    """The width of each of several charts side by side."""
    return WIDTH if charts < 3 else THIRD


def _whole(width: int, height: int, layers: Sequence[Spec], values: Sequence[Row]) -> Spec:
    return {
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 8, "right": 8, "top": 4, "bottom": 2},
        "background": None,
        "data": {"values": [dict(row) for row in values]},
        "layer": list(layers),
        "config": CONFIG,
    }


def _y(limit: int = 190) -> Spec:
    axis = {"ticks": False, "domain": False, "labelColor": INK, "labelFontSize": 13, "labelLimit": limit}
    return {"field": "label", **NAMES, "axis": axis}


def _axis(form: str, title: str | None, width: int = WIDTH) -> Spec:
    axis: Spec = {
        "format": form,
        "tickCount": 5 if width > THIRD else 3,
        "domain": False,
        "ticks": False,
        "title": title,
    }
    if form.startswith("+"):
        axis["labelExpr"] = f"datum.value === 0 ? '0' : format(datum.value, '{form}')"
    return axis


def _around(values: Sequence[str], number: int) -> list[str]:
    """So many of the values, from the first again after the last."""
    return [values[place % len(values)] for place in range(number)]


def _tones(series: Sequence[str], tones: Sequence[str] | None) -> list[str]:
    return list(tones or _around(SERIES, len(series)))


def _by_series(series: Sequence[str], values: Sequence[Any]) -> Spec:
    return {"field": "series", **NAMES, "scale": {"domain": list(series), "range": list(values)}, "legend": None}


def _legend(series: Sequence[str], tones: Sequence[str], forms: Sequence[str] = ()) -> list[Legend]:
    """Nothing for a single series: the title says what is drawn."""
    if len(series) < 2:
        return []
    forms = forms or ["bar"] * len(series)
    return [Legend(name, tone, form) for name, tone, form in zip(series, tones, forms, strict=True)]


def _rule(axis: str, at: float) -> Spec:
    mark = {"type": "rule", "stroke": MUTED, "strokeDash": [3, 3], "aria": False}
    return {"mark": mark, "encoding": {axis: {"datum": at, "type": "quantitative"}}}


def bars(rows: Sequence[Row], *, width: int = WIDTH) -> Chart:
    """Horizontal bars. A row: label, value, text (the figure beside the bar), tooltip; `tone` colours it."""
    top = max((row["value"] for row in rows), default=1) or 1
    x = {"field": "value", "type": "quantitative", "axis": None, "scale": {"domain": [0, top * 1.22], "nice": False}}
    rows = [{"tone": SERIES[0], **row} for row in rows]
    fill = {"field": "tone", "type": "nominal", "scale": None}
    bar = {
        "mark": {"type": "bar", "height": {"band": 0.62}, "cornerRadiusEnd": 2},
        "encoding": {"y": _y(), "x": x, "fill": fill, "description": TOOLTIP},
    }
    text = {
        "mark": {"type": "text", "align": "left", "dx": 6, "aria": False},
        "encoding": {"y": _y(), "x": x, "text": {"field": "text", "type": "nominal"}},
    }
    return Chart(_whole(width, BAR * len(rows) + 8, [bar, text], rows))


def stacked(
    rows: Sequence[Row], series: Sequence[str], *, tones: Sequence[str] | None = None, percent: bool = True,
    title: str | None = None,
) -> Chart:  # fmt: skip
    """Horizontal bars in parts. A row: label, series, value, tooltip; `percent`: every bar is its own whole."""
    order, used = {name: place for place, name in enumerate(series)}, _tones(series, tones)
    rows = [{**row, "order": order[row["series"]]} for row in rows]
    stack = "normalize" if percent else "zero"
    x = {"field": "value", "type": "quantitative", "stack": stack, "axis": _axis("%" if percent else "~s", title)}
    mark = {
        "mark": {"type": "bar", "height": {"band": 0.66}, "stroke": SURFACE, "strokeWidth": 1},
        "encoding": {
            "y": _y(),
            "x": x,
            "fill": _by_series(series, used),
            "order": {"field": "order", "type": "quantitative"},
            "description": TOOLTIP,
        },
    }
    height = BAR * len({row["label"] for row in rows}) + (46 if title else 28)
    return Chart(_whole(WIDTH, height, [mark], rows), legend=_legend(series, used))


def dots(
    rows: Sequence[Row], series: Sequence[str], *, tones: Sequence[str] | None = None,
    domain: Sequence[float] | None = None, form: str = "%", rule: float | None = None, title: str | None = None,
    apart: bool = True, width: int = WIDTH,
) -> Chart:  # fmt: skip
    """Points with intervals. A row: label, series, value, low, high (null: none), tooltip. `rule`: a line at x.

    `apart`: the series of one label stand below each other; else a label has one of them.
    """
    used, shapes = _tones(series, tones), _around(SHAPES, len(series))
    apart = apart and len(series) > 1
    scale: Spec = {"zero": False, "nice": True} if domain is None else {"domain": list(domain), "nice": False}
    x: Spec = {"field": "value", "type": "quantitative", "scale": scale, "axis": _axis(form, title, width)}
    place: Spec = {"y": _y()}
    if apart:
        place["yOffset"] = {"field": "series", "type": "nominal", "sort": None, "scale": {"domain": list(series)}}
    reach = {**place, "x": {**x, "field": "low"}, "x2": {"field": "high"}, "stroke": _by_series(series, used)}
    layers = [] if rule is None else [_rule("x", rule)]
    layers += [
        {"mark": {"type": "rule", "strokeWidth": 2, "aria": False, "opacity": 0.6}, "encoding": reach},
        {
            "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1},
            "encoding": {
                **place,
                "x": x,
                "fill": _by_series(series, used),
                "shape": _by_series(series, shapes),
                "description": TOOLTIP,
            },
        },
    ]
    row = 16 * len(series) + 12 if apart else BAR
    height = row * len({each["label"] for each in rows}) + (52 if title else 34)
    return Chart(_whole(width, height, layers, rows), legend=_legend(series, used, shapes))


def lines(
    rows: Sequence[Row], series: Sequence[str], *, x_title: str, form: str = "%",
    domain: Sequence[float] | None = None, rule: float | None = None, points: bool = False, ordinal: bool = False,
    width: int = WIDTH, height: int = 220, interpolate: str = "linear",
) -> Chart:  # fmt: skip
    """Lines over x. A row: x, series, value, tooltip; with an interval low and high. `rule`: a line at x."""
    used, dashes = _tones(series, None), _around(DASHES, len(series))
    scale: Spec = {"zero": False, "nice": True} if domain is None else {"domain": list(domain), "nice": False}
    y: Spec = {"field": "value", "type": "quantitative", "scale": scale, "title": None, "axis": _axis(form, None)}
    axis = {"grid": False, "title": x_title, "labelAngle": 0, "tickCount": 5, "format": ",~r"}
    x: Spec = {"field": "x", "type": "quantitative", "scale": {"zero": False, "nice": False}, "axis": axis}
    if ordinal:
        axis.pop("format")
        x = {"field": "x", "type": "ordinal", "sort": None, "axis": axis}
    stroke = _by_series(series, used)
    dash = _by_series(series, [[int(n) for n in dash.split()] or [1, 0] for dash in dashes])
    layers = [] if rule is None else [_rule("x", rule)]
    if any(row.get("low") is not None for row in rows):
        reach = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "stroke": stroke}
        layers.append({"mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.5, "aria": False}, "encoding": reach})
    layers += [
        {
            "mark": {"type": "line", "strokeWidth": 2, "interpolate": interpolate, "aria": False},
            "encoding": {"x": x, "y": y, "stroke": stroke, "strokeDash": dash},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1 if points else 0},
            "encoding": {"x": x, "y": y, "fill": stroke, "description": TOOLTIP},
        },
    ]
    legend = _legend(series, used, [f"line {dash}" for dash in dashes])
    return Chart(_whole(width, height, layers, rows), legend=legend)


def matrix(rows: Sequence[Row]) -> Chart:
    """A table of shades. A row: label, series (the column), value 0..1 for the shade, text, tooltip."""
    columns = list(dict.fromkeys(row["series"] for row in rows))
    axis = {"orient": "top", "domain": False, "ticks": False, "labelAngle": 0, "labelColor": INK, "labelFontSize": 13}
    x = {"field": "series", **NAMES, "axis": {**axis, "labelLimit": 280 // len(columns)}}
    reach = {"domain": [0, 1], "range": [0.04, 0.5], "clamp": True}
    shade = {"field": "value", "type": "quantitative", "legend": None, "scale": reach}
    cell = {
        "mark": {"type": "rect", "fill": SERIES[0], "stroke": SURFACE, "strokeWidth": 3},
        "encoding": {"x": x, "y": _y(120), "fillOpacity": shade, "description": TOOLTIP},
    }
    text = {
        "mark": {"type": "text", "aria": False},
        "encoding": {"x": x, "y": _y(120), "text": {"field": "text", "type": "nominal"}},
    }
    return Chart(_whole(WIDTH, 38 * len({row["label"] for row in rows}) + 34, [cell, text], rows))


def columns(rows: Sequence[Row], series: Sequence[str], *, x_title: str) -> Chart:
    """Stacked columns over ordered classes. A row: x, series, value, tooltip."""
    order, used = {name: place for place, name in enumerate(series)}, _tones(series, None)
    rows = [{**row, "order": order[row["series"]]} for row in rows]
    axis = {"title": x_title, "labelAngle": 0, "labelOverlap": True, "ticks": False}
    mark = {
        "mark": {"type": "bar", "stroke": SURFACE, "strokeWidth": 1},
        "encoding": {
            "x": {"field": "x", "type": "ordinal", "sort": None, "axis": axis},
            "y": {"field": "value", "type": "quantitative", "title": None, "axis": _axis("~s", None)},
            "fill": _by_series(series, used),
            "order": {"field": "order", "type": "quantitative"},
            "description": TOOLTIP,
        },
    }
    return Chart(_whole(WIDTH, 200, [mark], rows), legend=_legend(series, used))
