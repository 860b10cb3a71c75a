"""Every method on the embedded student over several seeds: synthesis, trainings, evals, and how they compare.

    for each seed   lesson -> RUN/transcripts.jsonl -> a training an arm -> RUN/students/ARM -> RUN/evals/ARM-DECODING
    at the end      the claims, corrected for one another; every arm beside the untouched student and its control

A seed runs in a process of its own, on one thread. What is finished is not done again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.update(
    HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false", TRL_EXPERIMENTAL_SILENCE="1"
)

from pydantic import Field

from errata.config.base import Settings
from errata.config.overrides import apply
from errata.config.yaml_file import read_mapping
from errata.errors import ErrataError
from errata.evals.claims import Claim
from errata.evals.results import evals_of

UNTOUCHED = "untouched"
Flag = bool | int | float | str


class Arm(Settings):
    """One training. `start`: the arm it goes on from, else the schooled student. `control`: what it is held against."""

    method: str
    start: str | None = None
    control: str | None = None
    flags: dict[str, Flag] = Field(default_factory=dict)


class Study(Settings):
    """The recipe of this study. `together` seeds run at a time."""

    name: str
    runs: str = "runs"
    seeds: tuple[int, ...]
    together: int = Field(default=1, ge=1)
    school: dict[str, Any] = Field(default_factory=dict)
    lesson: dict[str, Any]
    training: dict[str, Flag]
    arms: dict[str, Arm]
    claims: tuple[Claim, ...] = ()
    judging: dict[str, Any]

    @property
    def home(self) -> Path:
        return Path(self.runs) / self.name

    def run(self, seed: int) -> Path:
        return self.home / f"seed-{seed}"

    def planned(self) -> list[tuple[str, str]]:
        """What is compared beside the claims: each arm with the untouched student, and with its control."""
        return [(name, UNTOUCHED) for name in self.arms] + [
            (name, arm.control) for name, arm in self.arms.items() if arm.control
        ]


def load_study(path: Path, overrides: Sequence[str]) -> Study:
    """Raises UsageError on anything bad in the file or the overrides."""
    data = read_mapping(path)
    data.setdefault("name", path.stem)
    return apply(Study, data, overrides, str(path))


# ---- one seed --------------------------------------------------------------------------------------------------------


def student_of(study: Study) -> Path:
    """The schooled student, schooled where it is not there yet."""
    from errata.training.classroom_student.pretrain import Pretraining, pretrain

    school = Pretraining.model_validate(study.school)
    return pretrain(Path(study.runs) / "school", school, lambda line: print(line, flush=True)).path


def synthesized(study: Study, seed: int, student: Path) -> None:
    import asyncio

    from errata.runs.recipe import SynthRecipe
    from errata.runs.runner import synthesize

    run = study.run(seed)
    lesson = study.lesson
    options = {**lesson["problems"].get("options", {}), "seed": 100 + seed}
    recipe = SynthRecipe.model_validate(
        {
            **lesson,
            "name": run.name,
            "runs": str(run.parent),
            "seed": seed,
            "problems": {**lesson["problems"], "options": options},
            "agents": {**lesson["agents"], "student": {"name": "student", "model": f"local/{student}"}},
        }
    )
    summary = asyncio.run(synthesize(recipe))
    if summary.exit_code:
        raise ErrataError(f"the lesson of seed {seed} ended with exit code {summary.exit_code}: {summary.error}")


def words(study: Study, seed: int, name: str, student: Path) -> list[str]:
    """The flags of an arm's training."""
    arm, students = study.arms[name], study.run(seed) / "students"
    start = students / arm.start if arm.start else student
    told: dict[str, Any] = {"dataset_name": study.run(seed), "output_dir": students / name, "seed": seed}
    told["nat_checkpoint" if arm.method == "nce" else "model_name_or_path"] = start
    told |= {**study.training, **arm.flags, "resume_from_checkpoint": "auto"}
    return [word for key, value in told.items() for word in (f"--{key}", _word(value))]


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def trained(study: Study, seed: int, student: Path) -> dict[str, float]:
    """Trains every arm that is not finished; the seconds each took."""
    from errata.training.checkpoints import manifest_of
    from errata.training.job import main

    took = {}
    for name, arm in study.arms.items():
        if manifest_of(study.run(seed) / "students" / name).get("status") == "finished":
            continue
        started = time.monotonic()
        code = main(arm.method, words(study, seed, name, student))
        if code:
            raise ErrataError(f"the training {name} of seed {seed} ended with exit code {code}")
        took[name] = time.monotonic() - started
        print(f"seed {seed}: {name} trained in {took[name]:.0f} s", flush=True)
    return took


def judged(study: Study, seed: int, student: Path) -> None:
    """Evaluates the untouched student and every arm on the seed's own test problems."""
    from errata.evals.evaluate import evaluate
    from errata.evals.recipe import EvalRecipe

    students = study.run(seed) / "students"
    tasks = {
        name: {**task, "options": {**task.get("options", {}), "seed": 1000 + seed}}
        for name, task in study.judging["tasks"].items()
    }
    recipe = EvalRecipe.model_validate(
        {
            **study.judging,
            "name": study.name,
            "run": str(study.run(seed)),
            "baseline": {"name": UNTOUCHED, "model": f"local/{student}", "replicate": seed},
            "models": [{"name": name, "model": f"local/{students / name}", "replicate": seed} for name in study.arms],
            "tasks": tasks,
        }
    )
    done = evaluate(recipe)
    if done.exit_code:
        raise ErrataError(f"the eval of seed {seed} ended with exit code {done.exit_code}: {done.error}")


def one_seed(study: Study, seed: int) -> None:
    import torch

    torch.set_num_threads(1)
    student = student_of(study)
    for what, part in (("lesson", synthesized), ("trainings", trained), ("evals", judged)):
        started = time.monotonic()
        part(study, seed, student)
        print(f"seed {seed}: {what} in {time.monotonic() - started:.0f} s", flush=True)


# ---- all seeds -------------------------------------------------------------------------------------------------------


def all_seeds(study: Study, path: Path, overrides: Sequence[str]) -> None:
    """Every seed in a process of its own, `together` at a time. Raises ErrataError where one fails."""
    waiting, running = list(study.seeds), list[tuple[int, subprocess.Popen[bytes]]]()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        while waiting or running:
            while waiting and len(running) < study.together:
                seed = waiting.pop(0)
                command = [sys.executable, "-m", "benchmarks.classroom", str(path), *overrides, "--seed", str(seed)]
                running.append((seed, subprocess.Popen(command, env=environment)))
            seed, child = next((each for each in running if each[1].poll() is not None), running[0])
            if child.poll() is None:
                time.sleep(0.5)
                continue
            running.remove((seed, child))
            if child.returncode:
                raise ErrataError(
                    f"seed {seed} ended with exit code {child.returncode}", do="run the same command again"
                )
    finally:
        for _, child in running:
            child.terminate()


def compared(study: Study) -> Any:
    from errata.evals.compare import compare

    evals = [path for seed in study.seeds for path in evals_of(study.run(seed))]
    return compare(evals, pairs=study.planned(), claims=study.claims)


def main() -> int:
    from errata.evals.tables import show_comparison

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--seed", type=int, help="this seed alone, without the comparison")
    told = parser.parse_args()
    try:
        study = load_study(told.recipe, told.overrides)
        if told.seed is not None:
            one_seed(study, told.seed)
            return 0
        started = time.monotonic()
        student_of(study)
        all_seeds(study, told.recipe, told.overrides)
        show_comparison(compared(study))
    except ErrataError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{len(study.seeds)} seeds, {len(study.arms)} arms: {(time.monotonic() - started) / 60:.0f} minutes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
