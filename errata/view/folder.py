"""The folder that `errata view` looks into, and the reports that were drawn of what lies in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from errata.records import digest
from errata.report.build import write_report
from errata.runs.run_dir import RunDir
from errata.school.history import read_history
from errata.school.page import write_page
from errata.studies.page import report_of_study
from errata.view.found_runs import find_runs, version_of
from errata.view.found_schools import changed, find_schools
from errata.view.found_studies import find_studies, study_now

T = TypeVar("T")

LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
        return await self._find(request, find_runs, "run")

    async def school(self, request: web.Request) -> tuple[str, Path]:
        """The school that a request names. Raises HTTPNotFound where none lies there."""
        return await self._find(request, find_schools, "school")

    async def study(self, request: web.Request) -> tuple[str, Path]:
        """The study that a request names. Raises HTTPNotFound where none lies there."""
        return await self._find(request, find_studies, "study")

    async def _find(self, request: web.Request, find: Callable[[Path], dict[str, T]], what: str) -> tuple[str, T]:
        place = request.match_info["place"]
        there = (await asyncio.to_thread(find, self.folder)).get(place)
        if there is None:
            raise web.HTTPNotFound(text=f"no such {what}")
        return place, there

    async def report(self, place: str, run: RunDir) -> Path:
        """The report of a run as it is now. Raises ErrataError."""
        return await self._page(f"run {place}", version_of(run), lambda path: write_report(run.path, (), path))

    async def school_report(self, place: str, home: Path) -> Path:
        """The report of a school as it is now. Raises ErrataError."""
        version = str(changed(home))
        return await self._page(f"school {place}", version, lambda path: write_page(read_history(home), path))

    async def study_report(self, place: str, home: Path) -> Path:
        """The report of a study as it was judged last. Raises ErrataError where it was not."""
        version = str(study_now(place, home).changed)
        return await self._page(f"study {place}", version, lambda path: report_of_study(home, path))

    async def _page(self, name: str, version: str, draw: Callable[[Path], object]) -> Path:
        """A report's file; drawn anew where what it is of has changed."""
        async with self._drawing.setdefault(name, asyncio.Lock()):
            known, path = self._drawn.get(name, ("", Path()))
            if known != version:
                path = self.scratch / f"{digest(name)}.html"
                await asyncio.to_thread(draw, path)
                self._drawn[name] = version, path
            return path
