"""Where a person marks the rationales of a run, as its report shows it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from errata.runs.marks import marks_in
from errata.runs.run_dir import RunDir


def audit_of(run: RunDir, report: Path) -> dict[str, Any]:
    """`page`: the address of the run's audit page as seen from the report, None where none is written; `command`:
    what writes it; `marks`: how many a person has made."""
    page = run.path / "audit.html"
    address = quote(os.path.relpath(page, report.parent).replace(os.sep, "/")) if page.is_file() else None
    return {"page": address, "command": f"errata audit {run.path}", "marks": len(marks_in(run))}
