"""The worker process of a command: one that has died is begun anew, and the command tells what it died of."""

from __future__ import annotations

import os
import signal
import sys

from errata.school.process import Process

ECHO = """
import json, os, sys
for line in sys.stdin:
    step = json.loads(line)["step"]
    if step == "die":
        os._exit(9)
    print(json.dumps({"step": step, "code": 0, "error": None}), flush=True)
"""


def test_a_worker_that_died_is_begun_anew() -> None:
    process = Process(["recipe.yaml", "rounds=2"], print)
    assert process.command[1:] == ["-m", "errata.school.worker", str(os.getpid()), "recipe.yaml", "rounds=2"]
    process.command = [sys.executable, "-c", ECHO]
    with process.listening():
        assert process.ask({"step": "one"}) == (0, None)
        assert process.ask({"step": "die"}) == (1, "its process ended with exit code 9")
        assert process.ask({"step": "two"}) == (0, None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
