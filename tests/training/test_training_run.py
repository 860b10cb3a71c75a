"""What a training sends: nothing, unless its user has asked for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _telemetry

from tests.training.trainings import go

VARIABLE = "HF_HUB_DISABLE_TELEMETRY"


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What reaches a hub that stands for the real one, by path; trainings here may reach it."""
    paths: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, VARIABLE, False)
    monkeypatch.delenv("CI", raising=False)
    yield paths
    server.shutdown()
    server.server_close()


def test_a_training_tells_nobody(
    run: Path, tmp_path: Path, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    assert go("sft", run, tmp_path / "quiet", "--max_steps", "1") == 0
    _telemetry._TELEMETRY_QUEUE.join()
    assert reports == []

    monkeypatch.setenv(VARIABLE, "0")
    monkeypatch.setattr(constants, VARIABLE, False)
    assert go("sft", run, tmp_path / "telling", "--max_steps", "1") == 0
    _telemetry._TELEMETRY_QUEUE.join()
    assert reports
