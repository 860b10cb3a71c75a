"""`errata serve` listens on this machine only unless told."""

from __future__ import annotations

import ipaddress
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def served(*words: str) -> Iterator[int]:
    """A server in a process of its own; its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "errata", "serve", "--port", "0", *words],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout
    try:
        said = process.stdout.readline()
        port = re.search(r":(\d+)/v1", said)
        assert port, said
        yield int(port[1])
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


def listening_on(port: int) -> list[str]:
    """The addresses at which some process listens on the port, as the kernel tells."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        address, number = line.split()[1].split(":")
        if line.split()[3] == "0A" and int(number, 16) == port:  # LISTEN
            found.append(str(ipaddress.ip_address(int.from_bytes(bytes.fromhex(address), "little"))))
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the kernel's table of sockets")
@pytest.mark.parametrize(("words", "address"), [((), "127.0.0.1"), (("--host", "0.0.0.0"), "0.0.0.0")])
def test_serve_binds_to_loopback_unless_told(words: tuple[str, ...], address: str) -> None:
    with served(*words) as port:
        assert listening_on(port) == [address]
