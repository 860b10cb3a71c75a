"""A school's page in Chromium, at four widths: no figure of its tables lies behind an edge of a desktop's window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from errata.report import build
from errata.school.page import report_of
from errata.school.recipe import load_school
from tests.school.school_data import written
from tests.school.scripted import Scripted, gone_through

WIDE = """all => all.filter(each => each.clientWidth && each.scrollWidth > each.clientWidth)
    .map(each => `${each.getAttribute("aria-label")}: ${each.scrollWidth} in ${each.clientWidth}`)"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The report of a school of three rounds, with large figures."""
    school = load_school(written(tmp_path_factory.mktemp("school"), rounds=3))
    gone_through(school, Scripted(school, tokens=12_345_678, usd=1234.5, kept=3, diverges=((2, False),)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "draw", lambda spec, own: Markup("<svg></svg>"))
        yield report_of(school.home).out


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_its_tables_fit_a_desktops_window_and_nothing_spills_over_a_phones(
    page: Path, browser: Any, width: int, scheme: Any
) -> None:
    opened = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened.goto(page.as_uri())
    opened.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    if width == 1440:
        assert opened.locator("#school .table").count() >= 3
        assert opened.locator("#school .table").evaluate_all(WIDE) == []
    opened.close()
