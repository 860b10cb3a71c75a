"""`errata view`: the pages over loopback HTTP, read only.

    GET /                 the runs of a folder          GET /api/runs, /api/schools
    GET /run/PLACE        one run while it goes on      GET /api/run/PLACE
    GET /report/PLACE     its report, of the log as it is now
    GET /school/PLACE     one school, round by round    GET /api/school/PLACE
    GET /school-report/PLACE

A place is looked up among the runs that lie in the folder and never joined to a path. A page of another site reads
nothing here: requests must name a host that this server is known by (so a foreign name that resolves to this machine
gets nothing), and no answer may be read across origins. Reports are written to a folder that is removed at the end.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from jinja2 import Environment, StrictUndefined, Template

from errata.errors import ErrataError, UsageError, plain
from errata.records import digest, to_json
from errata.report.build import write_report
from errata.runs.run_dir import RunDir
from errata.school.history import read_history
from errata.school.page import write_page
from errata.view.found_runs import find_runs, newest, run_now, version_of
from errata.view.found_schools import changed, find_schools, school_now

LOOPBACK = ("127.0.0.1", "localhost", "::1")
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


@dataclass
class View:
    """What is looked into, and the reports that were drawn of it."""

    folder: Path
    scratch: Path
    hosts: tuple[str, ...] = LOOPBACK
    _drawn: dict[str, tuple[str, Path]] = field(default_factory=dict)
    """By name: the version of what a report is of, and its file."""
    _drawing: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def run(self, request: web.Request) -> tuple[str, RunDir]:
        """The run that a request names. Raises HTTPNotFound where none lies there."""
        place = request.match_info["place"]
        run = (await asyncio.to_thread(find_runs, self.folder)).get(place)
        if run is None:
            raise web.HTTPNotFound(text="no such run")
        return place, run

    async def school(self, request: web.Request) -> tuple[str, Path]:
        """The school that a request names. Raises HTTPNotFound where none lies there."""
        place = request.match_info["place"]
        home = (await asyncio.to_thread(find_schools, self.folder)).get(place)
        if home is None:
            raise web.HTTPNotFound(text="no such school")
        return place, home

    async def report(self, place: str, run: RunDir) -> Path:
        """The report of a run as it is now. Raises ErrataError."""
        return await self._page(f"run {place}", version_of(run), lambda path: write_report(run.path, (), path))

    async def school_report(self, place: str, home: Path) -> Path:
        """The report of a school as it is now. Raises ErrataError."""
        version = str(changed(home))
        return await self._page(f"school {place}", version, lambda path: write_page(read_history(home), path))

    async def _page(self, name: str, version: str, draw: Callable[[Path], object]) -> Path:
        """A report's file; drawn anew where what it is of has changed."""
        async with self._drawing.setdefault(name, asyncio.Lock()):
            known, path = self._drawn.get(name, ("", Path()))
            if known != version:
                path = self.scratch / f"{digest(name)}.html"
                await asyncio.to_thread(draw, path)
                self._drawn[name] = version, path
            return path


def application(view: View) -> web.Application:
    """The routes over one folder."""
    app = web.Application(middlewares=[_guard(view.hosts)])
    page = _template()

    async def listed(request: web.Request) -> web.StreamResponse:
        return _html(page.render(title="Runs", page="list", place="", folder=str(view.folder), report=""))

    async def one(request: web.Request) -> web.StreamResponse:
        place, run = await view.run(request)
        report = f"/report/{quote(place)}"
        name = run_now(place, run).name
        return _html(page.render(title=name, page="run", place=place, folder=str(run.path), report=report))

    async def runs(request: web.Request) -> web.StreamResponse:
        def read() -> list[dict[str, object]]:
            found = [run_now(place, run) for place, run in find_runs(view.folder).items()]
            return [run.to_json() for run in sorted(found, key=lambda run: -run.changed)]

        return _json(await asyncio.to_thread(read))

    async def schools(request: web.Request) -> web.StreamResponse:
        def read() -> list[dict[str, object]]:
            found = [school_now(place, home, view.folder) for place, home in find_schools(view.folder).items()]
            return [each.to_json() for each in sorted(found, key=lambda each: -each.changed)]

        return _json(await asyncio.to_thread(read))

    async def now(request: web.Request) -> web.StreamResponse:
        place, run = await view.run(request)
        latest = await asyncio.to_thread(newest, run)
        return _json({"run": run_now(place, run).to_json(), "newest": [each.__dict__ for each in latest]})

    async def school(request: web.Request) -> web.StreamResponse:
        place, home = await view.school(request)
        report = f"/school-report/{quote(place)}"
        name = school_now(place, home, view.folder).name
        return _html(page.render(title=name, page="school", place=place, folder=str(home), report=report))

    async def school_state(request: web.Request) -> web.StreamResponse:
        place, home = await view.school(request)
        return _json((await asyncio.to_thread(school_now, place, home, view.folder)).to_json())

    async def report(request: web.Request) -> web.StreamResponse:
        place, run = await view.run(request)
        return await _report(view.report(place, run))

    async def school_report(request: web.Request) -> web.StreamResponse:
        place, home = await view.school(request)
        return await _report(view.school_report(place, home))

    app.router.add_get("/", listed)
    app.router.add_get("/api/runs", runs)
    app.router.add_get("/api/schools", schools)
    app.router.add_get("/run/{place:.+}", one)
    app.router.add_get("/api/run/{place:.+}", now)
    app.router.add_get("/report/{place:.+}", report)
    app.router.add_get("/school/{place:.+}", school)
    app.router.add_get("/api/school/{place:.+}", school_state)
    app.router.add_get("/school-report/{place:.+}", school_report)
    for name, kind in (("view.css", "text/css"), ("view.js", "text/javascript")):
        app.router.add_get(f"/{name}", _asset(name, kind))
    return app


async def _report(drawn: Awaitable[Path]) -> web.StreamResponse:
    """A report's file, or why there is none."""
    try:
        return web.FileResponse(await drawn, headers=REPORT_HEADERS)
    except ErrataError as error:
        return web.Response(text=plain(str(error)), status=409, headers=HEADERS)


def existing(folder: Path) -> Path:
    """The folder's full path. Raises UsageError where there is none."""
    if not folder.is_dir():
        why = "runs are looked for in it"
        raise UsageError(f"no folder {folder}", why, "name a run directory or the folder of some")
    return folder.resolve()


@asynccontextmanager
async def serving(folder: Path, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serves the runs of a folder while the block runs; gives the address.

    Raises UsageError where there is no folder or the port cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="errata-view-") as scratch:
        view = View(existing(folder), Path(scratch), (*LOOPBACK, host))
        runner = web.AppRunner(application(view), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            yield f"http://{host}:{runner.addresses[0][1]}/"
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be listened on: {error.strerror or error}",
                "pages are offered there",
                "choose another: --port 0 takes a free one",
            ) from error
        finally:
            await runner.cleanup()


def _guard(hosts: tuple[str, ...]) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _host_of(request.headers.get("Host", "")) not in hosts:
            raise web.HTTPForbidden(text="this server is not known by that name")
        return await handler(request)

    return guard


def _host_of(header: str) -> str:
    """The host of a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_text("page.html"))


def _text(name: str) -> str:
    return files("errata.view").joinpath(name).read_text(encoding="utf-8")


def _asset(name: str, kind: str) -> Handler:
    text = _text(name)

    async def asset(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=kind, headers=HEADERS)

    return asset


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers=HEADERS)


def _json(value: object) -> web.Response:
    return web.Response(body=to_json(value), content_type="application/json", headers=HEADERS)
