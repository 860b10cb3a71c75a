"""Makes one virtual environment a peer under build/peers/: `python -m benchmarks.peers.environments [NAME ...]`.

About 2 GB and some minutes; needs a package index. One that is there already is kept.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "distilabel": "distilabel[openai]==1.5.3 requests",  # it imports requests and does not ask for it
    "curator": "bespokelabs-curator==0.1.31",
    "sdg_hub": "sdg-hub==0.9.4",
    "data_designer": "data-designer==0.9.6",
}


def python_of(name: str) -> Path:
    """The interpreter that runs this contender's job."""
    return Path(sys.executable) if name == "errata" else ROOT / "build" / "peers" / name / "bin" / "python"


def make(name: str) -> None:
    python = python_of(name)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *PACKAGES[name].split()], check=True)


if __name__ == "__main__":
    for each in sys.argv[1:] or PACKAGES:
        make(each)
        print(f"{each:<14} {PACKAGES[each]:<36} {python_of(each)}")
