"""What was measured, as the tables of benchmarks/README.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.peers.contenders import LIMIT_S

Measured = Mapping[str, Any]


def show(all_told: Mapping[str, Measured]) -> None:
    """Prints speed, then kill and refusals, then batches."""
    print(f"| | import | calls/s at 16 | at 64 | to bare at 64 | {_CPU} | at 64 | peak memory |\n{'|---' * 8}|")
    for name, told in all_told.items():
        print(_row(name, f"{told['import_s']:.1f} s", *_speed(told)))
    print("\n| | served before the kill | paid twice | rows | 30 % 429: rows | seconds | exit |\n" + "|---" * 7 + "|")
    for name, told in all_told.items():
        kill, full = told["killed"], told["refused"]
        rows = f"{kill['rows']} of {told['size']['killed'] // 2}{_ended(kill)}"
        refused = f"{full['rows']} of {told['size']['refused']}"
        print(_row(name, kill["before"], kill["twice"], rows, refused, f"{full['window_s']:.0f}", full["code"]))
    print(
        "\n| in batches | seconds | batches | CPU ms a call | rows | paid twice after a kill | rows |\n"
        + "|---" * 7
        + "|"
    )
    for name, told in all_told.items():
        if each := told.get("batched"):
            rows = f"{each['rows']} of {told['size']['calls'] // 2}"
            again = f"{each['rows_again']} of {told['size']['killed'] // 2}"
            seconds, cpu = f"{each['window_s']:.0f}{_ended(each)}", _cpu(told, "batched")
            print(_row(name, seconds, each["batches"], cpu, rows, each["twice"], again))


_CPU = "CPU ms a call at 16 (start-up apart)"


def _speed(told: Measured) -> Iterable[str]:
    low, high = told["speed16"], told["speed64"]
    yield from (f"{each['calls_s'] or 0:.0f}{_ended(each)}" for each in (low, high))
    yield f"{(high['calls_s'] or 0) / told['bare64']['calls_s']:.2f}"
    yield from (_cpu(told, which) for which in ("speed16", "speed64"))
    yield f"{max(low['peak'], high['peak']) / 2**20:.0f} MiB"


def _cpu(told: Measured, which: str) -> str:
    """CPU of a call with start and imports, and in brackets without those of a job of one row."""
    done = told[which]
    apart = (done["cpu"] - told["start_cpu"]) / told["size"]["calls"] * 1e3
    return f"{done['cpu_ms']:.1f} ({apart:.1f})"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _ended(done: Measured) -> str:
    if done["code"] == 0:
        return ""
    return f" (never ends: {LIMIT_S} s)" if done["code"] is None else f" (exit {done['code']})"


def lacking(told: Measured) -> list[str]:
    """The jobs that did not deliver all their rows."""
    size = told["size"]
    rows = {"speed16": size["calls"] // 2, "speed64": size["calls"] // 2, "killed": size["killed"] // 2}
    rows |= {"refused": size["refused"], "batched": size["calls"] // 2}
    lost = [name for name, number in rows.items() if name in told and told[name]["rows"] != number]
    again = told.get("batched", {}).get("rows_again", size["killed"] // 2)
    return lost + ["batched, killed"] * (again != size["killed"] // 2)
