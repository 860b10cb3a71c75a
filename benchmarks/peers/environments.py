"""Makes one virtual environment a peer under build/peers/: `python -m benchmarks.peers.environments [NAME ...]`.

About 2 GB and some minutes; needs a package index. One that is there already is kept. EasyDistill 2 is on no index:
it is installed from a checkout of it, which the variable EASYDISTILL_SRC names, and left out where there is none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "distilabel": "distilabel[openai]==1.5.3 requests",  # it imports requests and does not ask for it
    "curator": "bespokelabs-curator==0.1.31",
    "sdg_hub": "sdg-hub==0.9.4",
    "data_designer": "data-designer==0.9.6",
    "easydistill": "",
}
SOURCES = {"easydistill": "EASYDISTILL_SRC"}
"""Those that no index has, by the variable that names a checkout of theirs."""


def python_of(name: str) -> Path:
    """The interpreter that runs this contender's job."""
    return Path(sys.executable) if name == "errata" else ROOT / "build" / "peers" / name / "bin" / "python"


def requirements(name: str) -> list[str]:
    """What pip is to install of a peer; nothing where its source is not here."""
    return PACKAGES[name].split() or [each for each in [os.environ.get(SOURCES[name])] if each]


def make(name: str) -> None:
    python = python_of(name)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *requirements(name)], check=True)


if __name__ == "__main__":
    for each in sys.argv[1:] or PACKAGES:
        if requirements(each):
            make(each)
            print(f"{each:<14} {' '.join(requirements(each)):<36} {python_of(each)}")
        else:
            print(f"{each:<14} left out: {SOURCES[each]} names no checkout of it")
