"""Calls paid twice, and what became of the students, when a school of three rounds is killed twenty times.

    errata serve (a process of its own, one free port) answers for the teachers, and counts every request
    whole    one school, never interrupted
    killed   the same recipe, `kill -9` at 20 moments drawn from a seed, the same command after each; then to its end

Two fifths of the kills meet a lesson while its calls are made, two fifths any other node at work, a fifth the command
on its start. In turn they hit the command and its worker at once, as a lost machine does; the command alone, whose
worker then ends by itself; or the worker alone, as the kernel does where memory ends. A call is in flight at a kill
where the server was asked and the store does not hold the reply. A life that is killed at work is forked
(school_fork.py); those killed on their start, the undisturbed school and the last life are commands, or with --forked
the first alone.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.pay_once import PORT, committed, counted, exports, server
from benchmarks.school_fork import import_all
from benchmarks.school_life import NAME, Node, home_of, killed, moments, nodes_done, nodes_of, to_its_end
from errata.demo import SCHOOL
from errata.errors import EXIT_DONE
from errata.school.record import Round, School, read_school
from errata.steps.record import read_record

ROUNDS = 3
CONCURRENCY = 16
VICTIMS = ("both", "command", "worker")
EXPORTS = ("sft", "dpo", "kto", "mcc-kd", "messages", "nat", "mapd", "ranker")
"""Formats that the lesson has rows of."""


@dataclass
class Kills:
    """What was seen at the kills."""

    lost: list[int] = field(default_factory=list)
    """Calls in flight at each."""
    early: int = 0
    """Commands that came to their end before they were killed."""


def recipe(folder: Path, student: Path, problems: int, rounds: int) -> Path:
    """A small school in a folder of its own, whose paths are relative to it, with its teachers behind the server."""
    import yaml

    teachers = [
        {"name": name, "model": f"openai/{name}", "api_base": f"http://127.0.0.1:{PORT}/v1"}
        | {"price": {"prompt": 0.15, "completion": 0.6}}
        for name in ("ada", "ben", "cleo")
    ]
    flags = {"use_peft": False, "max_steps": 8, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
    flags |= {"learning_rate": 3e-4, "save_strategy": "steps", "save_steps": 3, "save_total_limit": 1}
    flags |= {"activation_checkpointing": False, "logging_steps": 2, "report_to": "none", "disable_tqdm": True}
    school = {
        "name": NAME,
        "student": {"model": str(student)},
        "data": {"source": "classroom", "options": {"count": problems, "seed": 17}},
        "exam": {"samples": 2, "max_tokens": 96},
        "choose": {"by": "wrong", "count": problems // 2},
        "lesson": {
            "graph": "lesson",
            "stages": ["exam", "rationales", "peer_review", "mistake_explanation"],
            "agents": {"teachers": teachers},
            "settings": {"rationales": {"samples": 2, "sampling": {"temperature": 0.8}}},
            "concurrency": CONCURRENCY,
        },
        "train": {"method": "sft", "flags": flags},
        "judge": {"tasks": {"classroom_id": {"options": {"count": problems}}}, "decoding": {"max_tokens": 96}},
        "rounds": rounds,
        "stop": {"patience": rounds, "forgetting": 100},
    }
    folder.mkdir()
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(school), encoding="utf-8")
    return path


# ---- kills -----------------------------------------------------------------------------------------------------------


def lessons(home: Path) -> list[Path]:
    return [home / f"round-{number}" / "lesson" for number in range(1, ROUNDS + 1)]


def stored(home: Path, folder: Path) -> int:
    """Calls of the teachers that the school's store holds; a lesson asks its student nothing anew."""
    return sum(committed(lesson.resolve(), folder, home / ".calls") for lesson in lessons(home))


def kill_again_and_again(path: Path, folder: Path, nodes: Sequence[Node], kills: int, seed: int) -> Kills:
    """Kills the school at its moments."""
    rng, seen, before = random.Random(seed), Kills(), 0
    for number, moment in enumerate(moments(nodes, kills, rng)):
        victim = VICTIMS[number % len(VICTIMS)]
        seen.early += not killed(path, moment, nodes, victim, rng)
        gone = counted()["requests"] - stored(home_of(path), folder)
        seen.lost.append(gone - before)
        before = gone
        where = "on its start" if moment.aim == "start" else f"in {nodes[moment.node].name}"
        print(f"kill {number + 1:>2} ({victim}, {where}): {nodes_done(path)} nodes done, {seen.lost[-1]} in flight")
        sys.stdout.flush()
    return seen


# ---- verdict ---------------------------------------------------------------------------------------------------------


def timeless(school: School) -> School:
    """A record without hours, which alone may differ."""
    rounds: list[Round] = [each.model_copy(update={"hours": 0.0}) for each in school.rounds]
    start = school.start.model_copy(update={"hours": 0.0})
    return school.model_copy(update={"start": start, "rounds": tuple(rounds)})


def students(home: Path) -> list[str]:
    """Hashes of the weights of all rounds' students."""
    made = [home / str(each.student) / "model.safetensors" for each in read_school(home).rounds]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in made]


def exported(home: Path) -> dict[str, bytes]:
    """Every lesson in every format, with its card."""
    lesson = [(each.parent.name, exports(each, EXPORTS)) for each in lessons(home) if each.is_dir()]
    return {f"{name} {file}": content for name, files in lesson for file, content in files.items()}


def verdict(
    whole: Path, again: Path, first: dict[str, Any], second: dict[str, Any], seen: Kills, held: int
) -> list[str]:
    """What broke, in words. `held`: calls of the teachers in the killed school's store."""
    there, here = read_school(whole), read_school(again)
    twice = second["requests"] - len(second["by_content"])
    finished = [each.step for each in read_record(again) if each.code == EXIT_DONE]
    checks = {
        "a command came to its end before it was killed": seen.early > 0,
        "the undisturbed school paid a call twice": first["requests"] > len(first["by_content"]),
        "more calls were paid twice than were in flight at the kills": twice > sum(seen.lost),
        "a kill lost more calls than may be in flight": max(seen.lost) > CONCURRENCY,
        "a call was lost, or another was made": second["by_content"].keys() != first["by_content"].keys(),
        "the store does not hold every call once": held != len(second["by_content"]),
        "a node was done twice": len(finished) > len(set(finished)),
        "school.json tells of other rounds or verdicts": timeless(here) != timeless(there),
        "the students are not the same": students(again) != students(whole),
    }
    broken = [what for what, broke in checks.items() if broke]
    one, other = exported(whole), exported(again)
    return broken + [f"the export {name} differs" for name in one if one[name] != other.get(name)]


def main(arguments: list[str] | None = None) -> bool:
    """Prints the kills and the figures; True where every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=ROUNDS, choices=range(1, ROUNDS + 1))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--schooling", type=int, help="problems of a student's pre-training in place of the demo's")
    parser.add_argument("--forked", action="store_true", help="Fork also what is not killed, which saves imports.")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        import_all()
        student = pretrained(folder, asked.schooling)
        paths = [recipe(folder / which, student, asked.problems, asked.rounds) for which in ("whole", "killed")]
        with server():
            whole = to_its_end(paths[0], forked=asked.forked)
            first = counted()
        nodes = nodes_of(whole, folder)
        with server():
            seen = kill_again_and_again(paths[1], folder, nodes, asked.kills, asked.seed)
            again = to_its_end(paths[1], forked=asked.forked)
            second = counted()
        broken = verdict(whole, again, first, second, seen, stored(again, folder))
        rounds = len(read_school(again).rounds)
    for what in broken:
        print(f"BROKEN: {what}")
    twice = second["requests"] - len(second["by_content"])
    same = "differ" if broken else "identical"
    print(
        f"{rounds} rounds of {asked.problems} problems, {len(nodes)} nodes, {len(first['by_content'])} calls, "
        f"{asked.kills} kills (seed {asked.seed}): {twice} paid twice, {sum(seen.lost)} in flight at the kills (at "
        f"most {max(seen.lost)} at one, concurrency {CONCURRENCY}); students, records and {len(EXPORTS)} exports of "
        f"each lesson {same}; {(time.monotonic() - started) / 60:.1f} min"
    )
    return not broken


def pretrained(folder: Path, problems: int | None) -> Path:
    """The student that both schools begin with: that of `errata demo`, or one of as many problems of pre-training.

    It is trained in a process of its own, so that torch is at rest in this one, which is forked.
    """
    from errata.training.classroom_student.pretrain import Pretraining, pretrain, recipe_hash

    settings = Pretraining() if problems is None else Pretraining(problems=problems, examined=4, admitted=0.0)
    place = SCHOOL if problems is None else folder / "student"
    trainer = get_context("fork").Process(target=pretrain, args=(place, settings, partial(print, flush=True)))
    trainer.start()
    trainer.join()
    if trainer.exitcode:
        raise SystemExit("the student's pre-training failed")
    return (place / f"tiny-{recipe_hash(settings)}").resolve()


if __name__ == "__main__":
    raise SystemExit(not main())
