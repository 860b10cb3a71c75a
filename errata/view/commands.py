"""`errata view` as a command: serves until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

from errata.report.vega_svg import need_vl_convert
from errata.view.folder import LOOPBACK
from errata.view.server import serving


def view_command(folder: Path, host: str, port: int) -> None:
    """Says the address on stdout and serves until Ctrl-C or SIGTERM. Raises UsageError."""
    need_vl_convert()
    asyncio.run(_serve(folder, host, port))


async def _serve(folder: Path, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(folder, host, port) as address:
        click.echo(address)
        if host not in LOOPBACK:
            click.echo(f"whoever reaches {host} can read these runs", err=True)
        there = address.rstrip("/").rpartition(":")[2]
        click.echo(f"Ctrl-C ends it; from another machine: ssh -L {there}:127.0.0.1:{there} MACHINE", err=True)
        await stop.wait()
