"""`python -m errata ...`"""

from __future__ import annotations

import os
from contextlib import nullcontext

from errata.waiting import loading


def main() -> None:
    asked_by_a_shell = "_ERRATA_COMPLETE" in os.environ  # whose line a word would be written over
    with nullcontext() if asked_by_a_shell else loading("errata"):
        from errata.cli import cli

    cli(prog_name="errata")


if __name__ == "__main__":
    main()
