"""Charts as SVG that may stand in any page: no script, no style, nothing of the data as markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import lru_cache

import pytest

from errata.report import charts
from errata.report.figures import Chart
from errata.report.vega_svg import draw

HOSTILE = "<script>alert(1)</script>\"' onload=x & ${1} datum.x"


def rows(label: str = "ada") -> list[dict[str, object]]:
    return [
        {"label": label, "series": series, "x": x, "value": value, "low": value - 0.1, "high": value + 0.1}
        | {"text": f"{value}", "tooltip": f"{label}, {series}: {value}"}
        for series in ("one", label)
        for x, value in ((1, 0.2), (2, 0.7))
    ]


def every_chart(label: str = "ada") -> dict[str, Chart]:
    series = ["one", label]
    return {
        "bars": charts.bars(rows(label)),
        "stacked": charts.stacked(rows(label), series),
        "dots": charts.dots(rows(label), series, rule=0.5),
        "lines": charts.lines(rows(label), series, x_title=label, rule=1),
        "steps": charts.lines(rows(label), series, x_title=label, ordinal=True, points=True),
        "matrix": charts.matrix(rows(label)),
        "columns": charts.columns(rows(label), series, x_title=label),
    }


@lru_cache
def drawn(name: str, label: str = "ada") -> str:
    return str(draw(every_chart(label)[name].spec, "a"))


@pytest.mark.parametrize("name", every_chart())
def test_names_from_data_are_text_and_nothing_else(name: str) -> None:
    tree = ET.fromstring(drawn(name, HOSTILE))

    tags = {element.tag.split("}")[-1] for element in tree.iter()}
    attributes = {key for element in tree.iter() for key in element.attrib}
    assert tags <= {"svg", "g", "path", "line", "text", "defs", "clipPath", "rect"}
    assert not {key for key in attributes if key == "style" or key.startswith("on") or "href" in key}
    assert "alert(1)" in "".join(tree.itertext()) + " ".join(v for e in tree.iter() for v in e.attrib.values())


@pytest.mark.parametrize("name", every_chart())
def test_marks_tell_their_figures(name: str) -> None:
    tree = ET.fromstring(drawn(name))

    labels = {element.get("aria-label") for element in tree.iter()}

    assert {row["tooltip"] for row in rows()} <= labels


@pytest.mark.parametrize("name", every_chart())
def test_colours_follow_the_page(name: str) -> None:
    svg = drawn(name)

    fixed = re.findall(r'(?:fill|stroke)="(#[0-9a-fA-F]+|black|white|rgb[^"]+)"', svg)

    assert not fixed
    assert "var(--" in svg


def test_ids_of_two_charts_differ_and_the_same_chart_is_drawn_the_same() -> None:
    spec = every_chart()["bars"].spec

    one, other = draw(spec, "a"), draw(spec, "b")

    ids = [set(re.findall(r'id="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert all(f"#{name})" in one for name in ids[0])
    assert one == draw(spec, "a")


def test_a_legend_names_the_series_where_there_are_several() -> None:
    assert [one.name for one in charts.stacked(rows(), ["one", "ada"]).legend] == ["one", "ada"]
    assert charts.dots(rows(), ["one"]).legend == []


def test_many_series_all_stand_in_the_legend() -> None:
    series = [f"s{number}" for number in range(11)]

    chart = charts.lines(
        [{"x": 1, "series": name, "value": 0.5, "tooltip": name} for name in series], series, x_title="x"
    )

    assert [one.name for one in chart.legend] == series
    assert len({(one.tone, one.form) for one in chart.legend}) >= 8
