"""The worker process of a command: one that has died is begun anew, and the command tells what it died of."""

from __future__ import annotations

import os
import signal
import subprocess
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
WORKER = """
import signal, sys, time
from errata.school.worker import end_with
signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest may have been begun with it ignored
try:
    end_with(int(sys.argv[1]))
    print("watching", flush=True)
    time.sleep(120)
    print("left alone", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
COMMAND = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {WORKER!r}, str(os.getpid())])
time.sleep(120)
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


def test_a_worker_ends_when_the_command_that_began_it_is_gone() -> None:
    """A worker in the middle of a node whose command is killed gets what Ctrl-C gives it."""
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "watching\n"
        command.kill()
        assert command.stdout.read() == "interrupted\n", "read to its end, which is the worker's"


def test_a_worker_whose_command_was_gone_before_it_looked_ends_too() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    told = subprocess.run([sys.executable, "-c", WORKER, str(gone.pid)], capture_output=True, text=True).stdout
    assert told.splitlines()[-1] == "interrupted"
