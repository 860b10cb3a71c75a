"""The worker process of a command: one that has died is begun anew, and the command tells what it died of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from errata.school.process import Process

ECHO = """
import json, os, sys
for line in sys.stdin:
    step = json.loads(line)["step"]
    if step == "die":
        os._exit(9)
    print(json.dumps({"step": step, "code": 0, "error": None}), flush=True)
"""
WORKER = "import os, time; from errata.school.worker import end_with; end_with(os.getppid()); time.sleep(60)"
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {WORKER!r}], stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_worker_that_died_is_begun_anew() -> None:
    process = Process(["recipe.yaml", "rounds=2"], print)
    assert process.command[1:] == ["-m", "errata.school.worker", "recipe.yaml", "rounds=2"]
    process.command = [sys.executable, "-c", ECHO]
    with process.listening():
        assert process.ask({"step": "one"}) == (0, None)
        assert process.ask({"step": "die"}) == (1, "its process ended with exit code 9")
        assert process.ask({"step": "two"}) == (0, None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_worker_ends_when_the_command_that_began_it_is_gone() -> None:
    """A worker in the middle of a node whose command is killed gets what Ctrl-C gives it."""
    command = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    child = int(command.stdout.readline())
    while not is_looking(child):
        time.sleep(0.05)
    command.kill()
    command.wait()
    command.stdout.close()
    deadline = time.monotonic() + 20
    while is_there(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_there(child)


def is_looking(child: int) -> bool:
    """Whether its second thread has begun."""
    try:
        return len(os.listdir(f"/proc/{child}/task")) > 1
    except OSError:
        return False


def is_there(child: int) -> bool:
    try:
        with open(f"/proc/{child}/stat") as file:
            return file.read().split()[2] != "Z"
    except OSError:
        return False
