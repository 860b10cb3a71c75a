"""One training: its arguments, its output folder, its manifest, and how a trainer is run in it.

Whatever cannot be right is refused before OUTPUT is written.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import click
from huggingface_hub import constants as hub
from transformers import Trainer, TrainerCallback

from errata.errors import EXIT_DONE, EXIT_INTERRUPTED, UsageError
from errata.models.precision import is_slow
from errata.runs.manifest import git
from errata.training.allocator import HINT, is_glibc
from errata.training.arguments import is_large_on_cpu
from errata.training.callbacks import Finite, Stopper, explained
from errata.training.capacity import capacity_of
from errata.training.checkpoints import (
    KIND,
    STAGE_ONE,
    manifest_of,
    refuse_another,
    resume_point,
    versions,
    write_manifest,
)
from errata.training.classroom_student.loop import threads_for
from errata.training.load_student import BASE, Student
from errata.training.method import Knobs
from errata.training.method_arguments import Arguments
from errata.training.model_card import WritesCards, write_card
from errata.training.prepare import Prepared
from errata.training.progress import show_progress

K = TypeVar("K", bound=Knobs)
T = TypeVar("T", bound=Trainer)


class TrainingRun(Generic[K]):
    """One training: its arguments, its output folder, and what its manifest says."""

    def __init__(self, arguments: Arguments, callbacks: Sequence[TrainerCallback], *, speaks: bool) -> None:
        """`speaks`: whether this process says what it does and shows its progress."""
        self.arguments = arguments
        self.speaks = speaks
        self.callbacks = list(callbacks)
        self.args = arguments.training
        self.output = Path(str(self.args.output_dir))
        self.before_a_line: Callable[[], None] = lambda: None
        """Ends what is said while rows and student are read."""
        self.resume_from: str | None = self.args.resume_from_checkpoint
        self.args.resume_from_checkpoint = None
        self.resume = self.resume_point(self.output)
        """The checkpoint that it goes on from."""
        self.manifest: dict[str, Any] = {}

    @property
    def main(self) -> bool:
        """Whether this is the process that writes."""
        return bool(self.args.process_index == 0)

    def say(self, line: str) -> None:
        if self.speaks:
            self.before_a_line()
            click.echo(line, err=True)

    def resume_point(self, output: Path) -> Path | None:
        """The checkpoint in a folder to go on from; those passed over are said. Raises UsageError."""
        resume, passed = resume_point(output, self.resume_from, self.args.world_size)
        for line in passed:
            self.say(line)
        return resume

    def built(self, student: Student, house: Path | None, build: Callable[[], T]) -> T:
        """The trainer; what transformers, TRL and PEFT say of settings is wrong use, and leaves nothing behind.

        `house`: where the student's weights are written first, for adapters rename them once they are in.
        """
        send_no_usage()
        there = {folder: folder.exists() for folder in (self.output / BASE, self.output / STAGE_ONE, self.output)}
        try:
            if house and self.main:
                student.settle(house)
            return build()
        except (ValueError, ImportError, AttributeError) as error:
            for folder in (folder for folder, before in there.items() if self.main and not before):
                shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, UsageError):
                raise
            raise UsageError(
                f"{type(error).__name__}: {error}"[:800],
                "the student cannot be trained with these settings",
                f"see `errata train {self.arguments.method.name} --help`; --debug tells where it comes from",
            ) from error

    def describe(self, prepared: Prepared, **facts: Any) -> None:
        """Makes the manifest and says what is trained on. Raises UsageError where OUTPUT holds another training.

        `facts`: what the method's manifests say besides.
        """
        arguments, student = self.arguments, prepared.student
        start = manifest_of(Path(str(arguments.model.model_name_or_path)))
        self.manifest = {
            "schema": 1,
            "kind": KIND,
            "method": arguments.method.name,
            "paper": arguments.method.paper,
            "distilled": any(term.distils() for term in prepared.terms) or bool(start.get("distilled")),
            "control": arguments.control.name if arguments.control else "none",
            "student": {"name": student.name, "fingerprint": student.fingerprint},
            "data": prepared.sources,
            "rows": len(prepared.rows),
            "sequences": prepared.sequences,
            "left_out": prepared.left_out,
            "in_eval_sets": prepared.in_eval_sets,
            "target_tokens_an_epoch": prepared.target_tokens,
            "objective": [term.settings() for term in prepared.terms],
            "seed": self.args.seed,
            "processes": self.args.world_size,
            "config": {
                "data": vars(arguments.data),
                "method": vars(arguments.knobs),
                "training": self.args.to_dict(),  # type: ignore[no-untyped-call]
                "model": vars(arguments.model),
            },
            "versions": versions(),
            "git": git(),
            **facts,
        }
        if arguments.code:
            self.manifest["code"] = {name: code._asdict() for name, code in arguments.code.items()}
        refuse_another(self.output, self.manifest)
        out = ", ".join(f"{count} {reason}" for reason, count in prepared.left_out.items() if count)
        self.say(f"student   {student.name}, {student.model.num_parameters():,} weights")
        self.say(
            f"data      {prepared.names}: {len(prepared.rows)} rows, {prepared.sequences} sequences"
            + (f"; left out: {out}" if out else "")
        )
        if prepared.in_eval_sets:
            self.say(
                "overlap   problems of the data that ask what an evaluation set of its recipe asks, or share 13 words "
                f"with it: {prepared.in_eval_sets}; --exclude_overlap true leaves them out"
            )
        if prepared.target_tokens:
            self.say(f"tokens    {prepared.target_tokens:,} to be learned per epoch")

    def _hints(self) -> Iterator[str]:
        """What makes a training on this CPU slower than it need be, a line each."""
        if self.args.bf16 and is_slow("bfloat16", "cpu"):
            yield "bf16      is slow on this CPU: float32 takes a fraction of its time (--bf16 false)"
        if is_glibc():
            yield HINT

    def write(self, where: Path, status: str, **more: Any) -> None:
        """Writes the manifest into a folder."""
        if self.main:
            write_manifest(where, {**self.manifest, "status": status, **more})

    def write_card(self, where: Path) -> None:
        """Writes the student's model card into a folder."""
        if self.main:
            write_card(where, self.output.name, self.manifest)

    def fit(self, trainer: Trainer, where: Path, resume: Path | None) -> int:
        """Trains, saves and says how it ended; returns the exit code."""
        assert trainer.model is not None
        capacity = capacity_of(trainer.model)
        self.manifest |= capacity._asdict()
        self.say(f"trains    {capacity}" + (f", on from {resume}" if resume else ""))
        if is_large_on_cpu(self.args, trainer.model):
            for hint in self._hints():
                self.say(hint)
        self.write(where, "training")
        stopper = Stopper()
        trainer.add_callback(stopper)
        trainer.add_callback(Finite())
        trainer.add_callback(WritesCards(self.write_card))
        panel = show_progress(trainer, stopper, visible=self.speaks and not self.args.disable_tqdm)
        try:
            with stopper.listening(), explained(), threads_for(trainer.model):
                trainer.train(resume_from_checkpoint=str(resume) if resume else None)
                if not stopper.stopped:
                    trainer.save_model()
                    trainer.save_state()
                    self.write_card(where)
        except BaseException:
            self.write(where, "broken off", step=trainer.state.global_step)
            raise
        finally:
            if panel:
                panel.close()
        if stopper.stopped:
            self.write(where, "broken off", step=trainer.state.global_step)
            self.say(f"stopped at step {trainer.state.global_step}; go on with --resume_from_checkpoint auto")
            return EXIT_INTERRUPTED
        last: dict[str, Any] = next((entry for entry in reversed(trainer.state.log_history) if "loss" in entry), {})
        self.write(where, "finished", step=trainer.state.global_step, last=last)
        terms = [f"{name} {value:.4g}" for name, value in last.items() if name.startswith(("loss", "accuracy"))]
        self.say(f"steps     {trainer.state.global_step}" + (f"; {', '.join(terms)}" if terms else ""))
        if self.speaks:
            click.echo(str(where))
        if where == self.output:
            self.say(f"next      errata eval RECIPE, where models holds {{name: {where.name}, model: local/{where}}}")
        return EXIT_DONE


def send_no_usage() -> None:
    """Keeps TRL's trainers from telling the hub of each training, unless HF_HUB_DISABLE_TELEMETRY is set to 0."""
    if "HF_HUB_DISABLE_TELEMETRY" not in os.environ:
        hub.HF_HUB_DISABLE_TELEMETRY = True  # huggingface_hub has read its variables already
