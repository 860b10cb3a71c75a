"""`errata view`: the pages over loopback HTTP, read only.

    GET /                 the runs of a folder          GET /api/runs, /api/schools, /api/studies
    GET /run/PLACE        one run while it goes on      GET /api/run/PLACE
    GET /report/PLACE     its report, of the log as it is now
    GET /school/PLACE     one school, round by round    GET /api/school/PLACE
    GET /school-report/PLACE, /study-report/PLACE

A place is looked up among the runs that lie in the folder and never joined to a path. A page of another site reads
nothing here: requests must name a host that this server is known by (so a foreign name that resolves to this machine
gets nothing), and no answer may be read across origins. Reports are written to a folder that is removed at the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from errata.errors import UsageError
from errata.view.answers import Answers
from errata.view.folder import LOOPBACK, View


def application(view: View) -> web.Application:
    """The routes over one folder."""
    answers = Answers(view)
    routes = {
        "/": answers.runs_page,
        "/api/runs": answers.runs,
        "/api/schools": answers.schools,
        "/api/studies": answers.studies,
        "/run/{place:.+}": answers.run_page,
        "/api/run/{place:.+}": answers.run,
        "/report/{place:.+}": answers.report,
        "/school/{place:.+}": answers.school_page,
        "/api/school/{place:.+}": answers.school,
        "/school-report/{place:.+}": answers.school_report,
        "/study-report/{place:.+}": answers.study_report,
        "/view.css": answers.style,
        "/view.js": answers.script,
    }
    app = web.Application(middlewares=[_guard(view.hosts)])
    app.add_routes([web.get(address, answer) for address, answer in routes.items()])
    return app


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
