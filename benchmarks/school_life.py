"""One life of a school that is to be killed: its command and worker, the moments of the kills, and the kill itself."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.batch import stats
from benchmarks.pay_once import KEYS, committed, stamp, until
from benchmarks.school_fork import Life
from errata.errors import EXIT_DONE
from errata.steps.record import read_record

NAME = "killed-school"
KINDS = ("lesson", "node", "start", "lesson", "node")
"""What the kills aim at, in turn."""
DEADLINE_S = 1800.0
"""Seconds after which a school that was to be killed counts as stuck."""


class Node(NamedTuple):
    """A node of the undisturbed school: its name, how long it took, and which calls of the teachers it made."""

    name: str
    seconds: float
    calls: range
    """By their number in the school."""


class Moment(NamedTuple):
    """When a kill comes: so far into a node, by its calls or its time."""

    node: int
    share: float
    aim: str
    """One of KINDS; on the start of a command, `node` only says between which others it comes."""


# ---- a school's command ----------------------------------------------------------------------------------------------


def begun(path: Path) -> subprocess.Popen[bytes]:
    """`errata school`, begun in the recipe's folder."""
    command = [sys.executable, "-m", "errata", "school", path.name, "--quiet"]
    return subprocess.Popen(
        command, cwd=path.parent, env=os.environ | KEYS, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def to_its_end(path: Path, *, forked: bool = False) -> Path:
    """Runs the school until it ends by itself, as a command of its own or forked; gives its folder."""
    code, errors = _forked_to_its_end(path) if forked else _begun_to_its_end(path)
    if code:
        raise SystemExit(f"the school ended with {code}:\n{errors}")
    return home_of(path)


def _begun_to_its_end(path: Path) -> tuple[int, str]:
    process = begun(path)
    _, errors = process.communicate()
    return process.returncode, errors.decode()


def _forked_to_its_end(path: Path) -> tuple[int | None, str]:
    life = Life(path)
    life.start()
    life.join()
    return life.exitcode, f"see {home_of(path) / 'logs'}"


def home_of(path: Path) -> Path:
    return path.parent / "runs" / NAME


def workers_of(command: int) -> list[int]:
    """The processes that a command has begun."""
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{command}/task/{command}/children").read_text().split()]
    return []


def is_there(process: int) -> bool:
    """Whether a process is alive; one that is dead and not fetched is not."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


# ---- kills -----------------------------------------------------------------------------------------------------------


def nodes_of(home: Path, folder: Path) -> list[Node]:
    """The nodes of the undisturbed school, in order."""
    found, before = list[Node](), 0
    for each in read_record(home):
        paid = committed((home / each.step.replace(" ", "/")).resolve(), folder, home / ".calls")
        paid = paid if each.step.endswith(" lesson") else 0
        found.append(Node(each.step, each.seconds, range(before, before + paid)))
        before += paid
    return found


def moments(nodes: Sequence[Node], kills: int, rng: random.Random) -> list[Moment]:
    """When the kills come, in the order of the nodes, each aim evenly over the school."""
    taught = [place for place, node in enumerate(nodes) if node.calls]
    others = [place for place, node in enumerate(nodes) if not node.calls]
    places = {"lesson": taught, "node": others, "start": range(len(nodes))}
    aims = [KINDS[number % len(KINDS)] for number in range(kills)]
    found = []
    for aim in dict.fromkeys(aims):
        number = aims.count(aim)
        for place in range(number):
            at = (place + rng.random()) / number * len(places[aim])  # in nodes of this kind
            found.append(Moment(places[aim][int(at)], min(at % 1, 0.8), aim))
    return sorted(found)


def killed(path: Path, moment: Moment, nodes: Sequence[Node], victim: str, rng: random.Random) -> bool:
    """One life of the school, ended by `kill -9`; False where it came to its end before.

    One that is killed on its start is a command of its own, the others are forked.
    """
    if moment.aim == "start":
        process = begun(path)
        time.sleep(rng.uniform(0.0, 4.0))
        alive = process.poll() is None
        _kill(process, victim)
        process.communicate()
        return alive
    life = Life(path)
    life.start()
    try:
        _wait_within(path, moment, nodes, life)
        return life.poll() is None
    finally:
        _kill(life, victim)
        life.join()


def _kill(process: Any, victim: str) -> None:
    """Kills a command, its worker or both, and waits for the worker's end."""
    workers = workers_of(process.pid)
    if victim != "worker" or not workers:
        process.kill()
    for worker in workers if victim != "command" else []:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    while any(is_there(worker) for worker in workers):
        time.sleep(0.05)


def _wait_within(path: Path, moment: Moment, nodes: Sequence[Node], process: Any) -> None:
    """Until the moment within its node, or the node's end."""
    node = nodes[moment.node]
    log = home_of(path) / "logs" / f"{node.name.replace(' ', '-')}.log"
    before = stamp(log)

    def wait(reached: Callable[[], bool]) -> None:
        over = lambda: reached() or nodes_done(path) > moment.node  # noqa: E731
        until(over, process, pause=0.01, deadline=DEADLINE_S)

    wait(lambda: stamp(log) != before)
    if node.calls:
        asked = node.calls.start + moment.share * len(node.calls)
        wait(lambda: stats()["requests"] > asked)
    else:
        due = time.monotonic() + moment.share * node.seconds
        wait(lambda: time.monotonic() > due)


def nodes_done(path: Path) -> int:
    return len({each.step for each in read_record(home_of(path)) if each.code == EXIT_DONE})
