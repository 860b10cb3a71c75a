"""What the server of `errata view` answers with: pages and data of the runs and schools in one folder."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, StrictUndefined, Template

from errata.errors import ErrataError, plain
from errata.records import to_json
from errata.view.folder import View
from errata.view.found_runs import find_runs, newest, run_now
from errata.view.found_schools import find_schools, school_now
from errata.view.found_studies import find_studies, study_now

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
REPORT_HEADERS = {name: value for name, value in HEADERS.items() if name != "Content-Security-Policy"}
"""A report brings its own policy, by the hashes of its one style and script."""


class Answers:
    """One method per address."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def runs_page(self, request: web.Request) -> web.StreamResponse:
        folder = str(self._view.folder)
        return _html(_page().render(title="Runs", page="list", place="", folder=folder, report=""))

    async def run_page(self, request: web.Request) -> web.StreamResponse:
        place, run = await self._view.run(request)
        report, name = f"/report/{quote(place)}", run_now(place, run).name
        return _html(_page().render(title=name, page="run", place=place, folder=str(run.path), report=report))

    async def school_page(self, request: web.Request) -> web.StreamResponse:
        place, home = await self._view.school(request)
        report, name = f"/school-report/{quote(place)}", school_now(place, home, self._view.folder).name
        return _html(_page().render(title=name, page="school", place=place, folder=str(home), report=report))

    async def runs(self, request: web.Request) -> web.StreamResponse:
        def read() -> list[dict[str, object]]:
            runs = [run_now(place, run) for place, run in find_runs(self._view.folder).items()]
            return [run.to_json() for run in sorted(runs, key=lambda run: -run.changed)]

        return _json(await asyncio.to_thread(read))

    async def schools(self, request: web.Request) -> web.StreamResponse:
        folder = self._view.folder

        def read() -> list[dict[str, object]]:
            schools = [school_now(place, home, folder) for place, home in find_schools(folder).items()]
            return [each.to_json() for each in sorted(schools, key=lambda each: -each.changed)]

        return _json(await asyncio.to_thread(read))

    async def studies(self, request: web.Request) -> web.StreamResponse:
        def read() -> list[dict[str, object]]:
            studies = [study_now(place, home) for place, home in find_studies(self._view.folder).items()]
            return [each.to_json() for each in sorted(studies, key=lambda each: -each.changed)]

        return _json(await asyncio.to_thread(read))

    async def run(self, request: web.Request) -> web.StreamResponse:
        place, run = await self._view.run(request)
        latest = await asyncio.to_thread(newest, run)
        return _json({"run": run_now(place, run).to_json(), "newest": [each.__dict__ for each in latest]})

    async def school(self, request: web.Request) -> web.StreamResponse:
        place, home = await self._view.school(request)
        return _json((await asyncio.to_thread(school_now, place, home, self._view.folder)).to_json())

    async def report(self, request: web.Request) -> web.StreamResponse:
        return await _report(self._view.report(*await self._view.run(request)))

    async def school_report(self, request: web.Request) -> web.StreamResponse:
        return await _report(self._view.school_report(*await self._view.school(request)))

    async def study_report(self, request: web.Request) -> web.StreamResponse:
        return await _report(self._view.study_report(*await self._view.study(request)))

    async def style(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=_text("view.css"), content_type="text/css", headers=HEADERS)

    async def script(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=_text("view.js"), content_type="text/javascript", headers=HEADERS)


async def _report(drawn: Awaitable[Path]) -> web.StreamResponse:
    """A report's file, or why there is none."""
    try:
        return web.FileResponse(await drawn, headers=REPORT_HEADERS)
    except ErrataError as error:
        return web.Response(text=plain(str(error)), status=409, headers=HEADERS)


@cache
def _page() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_text("page.html"))


@cache
def _text(name: str) -> str:
    return files("errata.view").joinpath(name).read_text(encoding="utf-8")


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers=HEADERS)


def _json(value: object) -> web.Response:
    return web.Response(body=to_json(value), content_type="application/json", headers=HEADERS)
