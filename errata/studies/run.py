"""Runs a study: its steps over worker processes, resumed from what is done.

A step begins when those that it needs are done. One that fails holds up only those that need it; the same command tries
it again. After the budget of hours, or Ctrl-C, no step begins; those at work end, or stop where they can go on from.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from errata.errors import (
    EXIT_BUDGET,
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_OTHER,
    EXIT_SOME_FAILED,
    ErrataError,
    UsageError,
    plain,
)
from errata.runs.progress import duration
from errata.runs.run_dir import locked
from errata.steps.process import done_by, end_worker, start_worker
from errata.steps.record import Finish, append, hours, read_record
from errata.studies.contents import contents_of
from errata.studies.preflight import check_lessons, check_places
from errata.studies.recipe import StudyRecipe
from errata.studies.record import LOGS, Begun, begun_in, done, log_name, note_begin, seconds_left
from errata.studies.schools import check_schools
from errata.studies.steps import Step, steps_of

Say = Callable[[str], None]


@dataclass
class Progress:
    """Where a study stands; shared by the threads that mind its workers."""

    steps: Mapping[str, Step]
    done: set[str]
    failed: dict[str, str] = field(default_factory=dict)
    """What went wrong, by step."""
    taken: set[str] = field(default_factory=set)
    ended: bool = False
    """No step begins any more."""
    interrupted: bool = False

    @property
    def ready(self) -> list[Step]:
        """The steps that can begin."""
        if self.ended:
            return []
        begun = self.done | self.taken | self.failed.keys()
        return [step for name, step in self.steps.items() if name not in begun and self.done.issuperset(step.needs)]

    @property
    def exhausted(self) -> bool:
        """Whether nothing can begin, now or after what is at work."""
        return self.ended or (not self.taken and not self.ready)

    @property
    def pending(self) -> set[str]:
        return self.steps.keys() - self.done


def run(study: StudyRecipe, path: Path, overrides: Sequence[str], say: Say, trusted: Sequence[str] = ()) -> int:
    """Does what is not done yet; the exit code. `trusted`: hosts to which a provider's key may go.

    Raises UsageError where something was made from other settings, a lesson's agents cannot be asked, or another
    process is at work on the study.
    """
    steps = steps_of(study)
    progress = Progress(steps, finished(study, steps, read_record(study.home)))
    if progress.pending:
        check_places(study)
        pending = [steps[name] for name in sorted(progress.pending)]
        check_lessons(study, pending, say, trusted)
        check_schools(study, pending, say, trusted)
        with locked(study.home):
            progress = _work(study, steps, path, overrides, say)
    for name, error in progress.failed.items():
        say(f"failed: {name}, see {log_of(study, name)}\n{error}")
    if progress.interrupted:
        return EXIT_INTERRUPTED
    if progress.failed:
        return EXIT_SOME_FAILED
    return EXIT_BUDGET if progress.pending else EXIT_DONE


def finished(study: StudyRecipe, steps: Mapping[str, Step], record: Sequence[Finish]) -> set[str]:
    """The steps of a study that need not be done again. Raises UsageError as `done` does."""
    return done(steps, record, partial(contents_of, study), begun_in(study.home, steps))


def _work(study: StudyRecipe, steps: Mapping[str, Step], path: Path, overrides: Sequence[str], say: Say) -> Progress:
    """Does what is not done yet, by the record as it is now that nobody else writes it."""
    record = read_record(study.home)
    progress = Progress(steps, finished(study, steps, record))
    together = study.together or by_default()
    say(f"{len(progress.done)} of {len(steps)} steps are done; {together} at a time, logs in {study.home / LOGS}")
    _Pool(study, path, overrides, say, progress, record, together).work()
    return progress


def by_default() -> int:
    """Steps at a time: one per accelerator, else one per two cores."""
    return len(accelerators()) or max(1, len(os.sched_getaffinity(0)) // 2)


def accelerators() -> list[str]:
    """The numbers of CUDA devices, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [each for each in visible.split(",") if each.strip()]
    with suppress(OSError, subprocess.CalledProcessError):
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=True, text=True).stdout
        return [str(number) for number, line in enumerate(listed.splitlines()) if line.startswith("GPU")]
    return []


def log_of(study: StudyRecipe, step: str) -> Path:
    return study.home / LOGS / f"{log_name(step)}.log"


class FlagsRefused(UsageError):
    """Flags that a training does not take; `found` is all that its command says of it."""

    def __str__(self) -> str:
        return plain(self.found, keep="\n")


class _Pool:
    """Worker processes, each minded by a thread."""

    def __init__(
        self,
        study: StudyRecipe,
        path: Path,
        overrides: Sequence[str],
        say: Say,
        progress: Progress,
        record: list[Finish],
        together: int,
    ) -> None:
        self.study, self.say, self.progress, self.record, self.together = study, say, progress, record, together
        self.command = [sys.executable, "-m", "errata.studies.worker", str(os.getpid()), str(path), *overrides]
        self.changed = threading.Condition()
        self.workers: list[subprocess.Popen[str]] = []
        self.idle: subprocess.Popen[str] | None = None
        """A worker that nobody minds yet."""
        self.begun, self.started = time.time(), time.monotonic()
        self.before = hours(record)

    def work(self) -> None:
        devices = accelerators()
        threads = [
            threading.Thread(target=self._mind, args=(devices[n % len(devices)] if devices else None,), daemon=True)
            for n in range(min(self.together, len(self.progress.pending)))
        ]
        handlers = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._check_flags(devices[0] if devices else None)
            self.begun, self.started = time.time(), time.monotonic()  # of the steps, whose hours the budget counts
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _check_flags(self, device: str | None) -> None:
        """Has a worker read the flags of all trainings, before a lesson is paid for. Raises UsageError.

        A worker imports what trainings need anyway; this process never does.
        """
        trainings = [step.name for step in self.progress.steps.values() if step.kind == "train"]
        pending = [name for name in trainings if name not in self.progress.done]
        if not pending or not self.study.data:
            return
        self.say("reading the flags of the trainings")
        self.idle = self._start(device)
        log = str(self.study.home / LOGS / "flags.txt")  # no step's, which end in .log
        code, error = done_by(self.idle, {"step": "flags", "log": log, "threads": 1, "trainings": pending})
        if code == EXIT_INTERRUPTED:
            self.progress.ended = self.progress.interrupted = True
        elif code != EXIT_DONE:
            self._end(self.idle)
            raise FlagsRefused(error or f"exit code {code}, see {log}")

    def _interrupt(self, *_: Any) -> None:
        """Ends the study: steps at work stop where they can go on from."""
        again = self.progress.interrupted
        self.progress.ended = self.progress.interrupted = True
        for worker in list(self.workers):
            with suppress(ProcessLookupError):
                worker.send_signal(signal.SIGKILL if again else signal.SIGINT)
        if not again:
            self.say("stopping: steps at work end where they can go on from; once more kills them")

    def _mind(self, device: str | None) -> None:
        """Gives steps to one worker until none is left."""
        with self.changed:
            worker, self.idle = self.idle, None
        try:
            while (taken := self._take()) is not None:
                step, threads = taken
                begun, started = Begun(step.inputs), time.monotonic()
                try:
                    begun = Begun(step.inputs, contents_of(self.study, step))
                    note_begin(self.study.home, step.name, begun)
                    if worker is None or worker.poll() is not None:
                        worker = self._start(device)
                    log = str(log_of(self.study, step.name))
                    code, error = done_by(
                        worker, {"step": step.name, "log": log, "threads": threads, **begun._asdict()}
                    )
                except ErrataError as failure:
                    code, error = failure.exit_code, str(failure)
                except Exception as failure:  # no process, no space, no reply: a step that stays taken is waited for
                    code, error = EXIT_OTHER, f"{type(failure).__name__}: {failure}"
                    if worker is not None:
                        worker.kill()
                        self._end(worker)
                        worker = None
                self._settle(step, begun, code, error, time.monotonic() - started)
        finally:
            if worker is not None:
                self._end(worker)

    def _start(self, device: str | None) -> subprocess.Popen[str]:
        worker = start_worker(self.command, {} if device is None else {"CUDA_VISIBLE_DEVICES": device})
        self.workers.append(worker)
        return worker

    def _end(self, worker: subprocess.Popen[str]) -> None:
        end_worker(worker)
        self.workers.remove(worker)

    def _take(self) -> tuple[Step, int] | None:
        """A step that can begin, waited for as long as one may come, and its share of threads; None where none will."""
        with self.changed:
            while True:
                if self._over_budget():
                    self.progress.ended = True
                if ready := self.progress.ready:
                    step, threads = ready[0], self._share(len(ready) + len(self.progress.taken))
                    self.progress.taken.add(step.name)
                    self.say(f"[{len(self.progress.done)}/{len(self.progress.steps)}] {step.name} begun")
                    return step, threads
                if self.progress.exhausted:
                    self.changed.notify_all()
                    return None
                self.changed.wait(0.5)

    def _share(self, steps: int) -> int:
        """The threads of each of so many steps that are at work or can begin; no other can before one of them ends."""
        return max(1, len(os.sched_getaffinity(0)) // min(self.together, steps))

    def _over_budget(self) -> bool:
        limit = self.study.budget.hours
        over = limit is not None and self.before + (time.monotonic() - self.started) / 3600 >= limit
        if over and not self.progress.ended:
            self.say(f"the budget of {limit:g} hours is used up: no further step begins")
        return over

    def _settle(self, step: Step, begun: Begun, code: int, error: str | None, seconds: float) -> None:
        with self.changed:
            progress, elapsed = self.progress, time.monotonic() - self.started
            progress.taken.discard(step.name)
            finish = Finish(step.name, step.inputs, code, seconds, self.begun, elapsed, begun.contents)
            try:
                append(self.study.home, finish)
            except ErrataError as failure:
                code, error, progress.ended = EXIT_OTHER, str(failure), True
            self.record.append(finish)
            if code == EXIT_DONE:
                progress.done.add(step.name)
            elif code == EXIT_INTERRUPTED:
                progress.ended = progress.interrupted = True
            else:
                progress.failed[step.name] = error or f"exit code {code}"
            self.say(self._line(step, code, seconds))
            self.changed.notify_all()

    def _line(self, step: Step, code: int, seconds: float) -> str:
        progress = self.progress
        left = seconds_left(progress.steps, progress.pending, self.record, self.together)
        words = f", about {duration(left)} left" if left else ""
        how = {EXIT_DONE: "done", EXIT_INTERRUPTED: "stopped"}.get(code, "FAILED")
        place = f"[{len(progress.done)}/{len(progress.steps)}]"
        return f"{place} {step.name} {how} in {duration(seconds)}{words}"
