"""What `errata view` says of where it is to be seen."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from errata.view.commands import _serve


async def test_the_tunnel_has_the_port_that_was_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    view = asyncio.create_task(_serve(tmp_path, "127.0.0.1", 0))
    out = err = ""
    while "Ctrl-C" not in err:
        await asyncio.sleep(0.01)
        more = capsys.readouterr()
        out, err = out + more.out, err + more.err
    os.kill(os.getpid(), signal.SIGTERM)
    await view
    port = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", out)
    assert port
    assert f"ssh -L {port[1]}:127.0.0.1:{port[1]} MACHINE" in err
