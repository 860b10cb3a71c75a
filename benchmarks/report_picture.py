"""The picture of a report in docs: `python -m benchmarks.report_picture runs/demo/report.html docs/report.png`.

Needs playwright (extra `dev`) and a Chromium on the machine. Light, 1,280 pixels wide, from the top.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)


def chromium() -> str | None:
    """The path of a Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def main(report: Path, picture: Path, height: int = 1010) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        page = browser.new_page(
            viewport={"width": 1320, "height": height}, device_scale_factor=1.25, color_scheme="light"
        )
        page.goto(report.resolve().as_uri())
        page.wait_for_timeout(1_000)
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=picture)
        browser.close()
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
