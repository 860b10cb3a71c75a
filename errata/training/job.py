"""`errata train METHOD`: a data set, a student and an objective become a checkpoint with its manifest.

    flags -> rows -> student -> groups of token ids -> TRL trainer -> OUTPUT/

Whatever cannot be right is refused before OUTPUT is written. The same command with --resume_from_checkpoint auto goes
on after any stop.
"""

from __future__ import annotations

import copy
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from accelerate import PartialState  # type: ignore[import-untyped]
from pydantic import ValidationError
from transformers import TrainerCallback, set_seed
from transformers.utils import logging
from trl import get_peft_config

from errata.errors import EXIT_DONE, EXIT_INTERRUPTED, UsageError
from errata.models.gate import GateSettings, new_nat
from errata.models.ranker import RankerSettings, new_ranker
from errata.runs.manifest import git
from errata.training.callbacks import Finite, Stopper, told
from errata.training.checkpoints import (
    KIND,
    manifest_of,
    refuse_another,
    resume_point,
    versions,
    write_manifest,
)
from errata.training.classroom_student.loop import threads_for
from errata.training.combine import settings_error
from errata.training.load_student import BASE, Student, open_student
from errata.training.methods.nat import negative_trainer, positive_trainer
from errata.training.methods.nce import nat_teacher, nce_trainer
from errata.training.methods.ranker import RankerTrainer
from errata.training.objective import Objective
from errata.training.parse_args import parse
from errata.training.prepare import Prepared, prepare, prepare_pairs
from errata.training.terms import Likelihood
from errata.training.trainer import build_trainer

STAGE_ONE = "stage1"


def main(method: str, words: Sequence[str]) -> int:
    """As `train`, for a person: libraries' warnings of what they will rename some day are left out.

    Of several processes none leaves before the others are done, and each closes the group: gloo's threads, where they
    still ran at exit, have aborted a process whose training had ended well.
    """
    logging.disable_progress_bar()  # of writing a file; training has its own
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft|torch)\b")
    code = train(method, words)
    if code == EXIT_DONE:
        state = PartialState()
        state.wait_for_everyone()
        state.destroy_process_group()
    return code


def train(method: str, words: Sequence[str], callbacks: Sequence[TrainerCallback] = ()) -> int:
    """Trains as `errata train METHOD words...`; the exit code.

    Args:
        callbacks: given to the trainer (of NAT: to that of both stages).

    Raises:
        UsageError: bad flags, data or student; nothing has been written.
        ErrataError: training diverged or could not be written; the last whole checkpoint stands.
    """
    lesson, args, config = parse(method, words)
    job = Job(method, lesson, args, config, callbacks)
    try:
        return job.run()
    except ValidationError as error:
        raise settings_error(error) from error


class Job:
    """One training: its flags, its output folder, and what its manifest says."""

    def __init__(self, method: str, lesson: Any, args: Any, config: Any, callbacks: Sequence[TrainerCallback]) -> None:
        self.method, self.lesson, self.args, self.config = method, lesson, args, config
        self.callbacks = list(callbacks)
        self.output = Path(args.output_dir)
        self.asked: str | None = args.resume_from_checkpoint
        args.resume_from_checkpoint = None
        self.manifest: dict[str, Any] = {}

    @property
    def main(self) -> bool:
        return bool(self.args.process_index == 0)

    def run(self) -> int:
        resume, passed = resume_point(self.output, self.asked, self.args.world_size)
        for line in passed:
            self.say(line)
        set_seed(self.args.seed)
        run = {"nat": self._nat, "nce": self._nce, "ranker": self._ranker}.get(self.method, self._plain)
        if self.method == "nat" and self.args.variant != "nat":
            run = self._plain
        return run(resume)

    def say(self, line: str) -> None:
        if self.main:
            click.echo(line, err=True)

    # ---- the methods ----

    def _plain(self, resume: Path | None) -> int:
        """sft, mapd, edit, mcc-kd, combinations, and NAT's baselines."""
        done = prepare(self.method, self.lesson, self.args, self.config)
        if self.method == "edit":
            self._need_distilled(done.objective)
        lora = get_peft_config(self.config)
        house = done.student.house(self.output) if lora else None
        self._describe(done)
        trainer = self._built(
            done.student,
            house,
            lambda: build_trainer(
                done.student.model,
                self.args,
                done.rows,
                done.student.tokenizer,
                done.objective,
                eval_rows=done.eval_rows,
                peft_config=lora,
                callbacks=self.callbacks,
            ),
        )
        return self._fit(trainer, self.output, resume)

    def _nat(self, resume: Path | None) -> int:
        done = prepare(self.method, self.lesson, self.args, self.config)
        house = done.student.house(self.output)
        self._describe(done)
        negative = Path(self.args.negative_adapter or self.output / STAGE_ONE)
        if not self.args.negative_adapter and manifest_of(negative).get("status") != "finished":
            code = self._negative(done, negative, house)
            if code != EXIT_DONE:
                return code
            done.student = open_student(self.config, done.texts, self.args.seed)
            house = done.student.house(self.output)
        names = ("gate", "gate_width", "gate_beta", "gate_temperature", "gate_scaled")
        settings = GateSettings(**{name.removeprefix("gate_"): getattr(self.args, name) for name in names})
        shuffle = self.args.seed if self.args.control == "equal_parameters" else None
        set_seed(self.args.seed)

        def build() -> Any:
            nat = new_nat(done.student.model, negative, settings, shuffle)
            return positive_trainer(
                nat, self.args, done.rows, done.student.tokenizer, eval_rows=done.eval_rows, callbacks=self.callbacks
            )

        return self._fit(self._built(done.student, house, build), self.output, resume)

    def _negative(self, done: Prepared, where: Path, house: Path | None) -> int:
        """Stage 1, in a folder of its own."""
        args = copy.copy(self.args)
        args.output_dir = str(where)
        lora = get_peft_config(self.config)
        resume, passed = resume_point(where, self.asked, self.args.world_size)
        for line in passed:
            self.say(line)
        trainer = self._built(
            done.student,
            house,
            lambda: negative_trainer(
                done.student.model,
                args,
                done.rows,
                done.student.tokenizer,
                lora,
                eval_rows=done.eval_rows,
                callbacks=self.callbacks,
            ),
        )
        self._write(self.output, "training")
        self.say("stage 1   the negative adapter learns wrong rationales")
        code = self._fit(trainer, where, resume)
        self.say("stage 2   the positive adapter and the gate learn right ones" if code == EXIT_DONE else "")
        return code

    def _nce(self, resume: Path | None) -> int:
        checkpoint = self._nat_checkpoint()
        done = prepare(self.method, self.lesson, self.args, self.config)
        self._same_tokenizer(done.student.tokenizer, checkpoint)
        self._describe(done)
        house = done.student.house(self.output)

        def build() -> Any:
            return nce_trainer(
                done.student.model,
                nat_teacher(done.student.model, checkpoint),
                self.args,
                done.rows,
                done.student.tokenizer,
                get_peft_config(self.config),
                done.objective.terms,
                eval_rows=done.eval_rows,
                callbacks=self.callbacks,
            )

        return self._fit(self._built(done.student, house, build), self.output, resume)

    def _nat_checkpoint(self) -> Path:
        """The NAT student's folder; its base is the student's by default."""
        from errata.models.files import NAT_CONFIG, find

        if not self.args.nat_checkpoint:
            raise UsageError(
                "NCE without a NAT checkpoint",
                "it distils a student that has a negative and a positive adapter with their gate",
                "train one with `errata train nat` and set --nat_checkpoint",
            )
        checkpoint = Path(self.args.nat_checkpoint)
        if not (checkpoint / NAT_CONFIG).is_file():
            raise UsageError(
                f"{checkpoint} holds no {NAT_CONFIG}",
                "it is not the folder of a NAT student",
                "name the folder that `errata train nat` wrote",
            )
        if self.config.model_name_or_path is None:
            base = find(str(checkpoint)).base
            self.config.model_name_or_path = str(base.path) if base else None
        return checkpoint

    def _same_tokenizer(self, tokenizer: Any, checkpoint: Path) -> None:
        from transformers import AutoTokenizer

        from errata.training.encode import fingerprint

        if not (checkpoint / "tokenizer_config.json").is_file():
            return
        if fingerprint(AutoTokenizer.from_pretrained(checkpoint)) != fingerprint(tokenizer):
            raise UsageError(
                f"the tokenizer of {checkpoint} and that of {self.config.model_name_or_path} differ",
                "distillation compares their distributions token by token",
                "take the base that the NAT student was trained on",
            )

    def _ranker(self, resume: Path | None) -> int:
        done = prepare_pairs(self.lesson, self.args, self.config)
        lora = get_peft_config(self.config)
        house = done.student.house(self.output) if lora else None
        if lora:
            lora.task_type = None  # a body without its head
            done.student.model.base_model.name_or_path = done.student.model.name_or_path
        self._describe(done)
        settings = RankerSettings(exponent=self.args.exponent, max_length=self.args.max_length or 512)
        trainer = self._built(
            done.student,
            house,
            lambda: RankerTrainer(
                new_ranker(done.student.model, settings, lora),
                self.args,
                done.rows,
                done.student.tokenizer,
                done.eval_rows,
                callbacks=self.callbacks,
            ),
        )
        return self._fit(trainer, self.output, resume)

    # ---- shared ----

    def _need_distilled(self, objective: Objective) -> None:
        """EDIT's second step wants its first."""
        if self.args.from_base or any(isinstance(term, Likelihood) for term in objective.terms):
            return
        name = self.config.model_name_or_path
        if not manifest_of(Path(name)).get("distilled"):
            raise UsageError(
                f"{name} was not distilled by errata",
                "key-step learning weighs a few tokens of rationales that the student shall know how to write",
                "train it on right and rectified rationales first (`errata train sft`) and name that checkpoint; "
                "--from_base true goes on all the same",
            )

    def _built(self, student: Student, house: Path | None, build: Callable[[], Any]) -> Any:
        """The trainer; what transformers, TRL and PEFT say of settings is wrong use, and leaves nothing behind.

        `house`: where the student's weights are written first, for adapters rename them once they are in.
        """
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
                f"see `errata train {self.method} --help`; --debug tells where it comes from",
            ) from error

    def _describe(self, done: Prepared) -> None:
        objective = done.objective.terms if done.objective else ()
        likelihood = any(isinstance(term, Likelihood) and "right" in term.reads for term in objective)
        self.manifest = {
            "schema": 1,
            "kind": KIND,
            "method": self.method,
            "distilled": likelihood or bool(manifest_of(Path(str(self.config.model_name_or_path))).get("distilled")),
            "control": getattr(self.args, "control", "none"),
            "student": {"name": done.student.name, "fingerprint": done.student.fingerprint},
            "data": done.sources,
            "rows": len(done.rows),
            "sequences": done.sequences,
            "left_out": done.left_out,
            "target_tokens_an_epoch": done.target_tokens,
            "objective": [term.model_dump(mode="json") for term in objective],
            "seed": self.args.seed,
            "processes": self.args.world_size,
            "config": {
                "lesson": vars(self.lesson),
                "training": self.args.to_dict(),
                "model": vars(self.config),
            },
            "versions": versions(),
            "git": git(),
        }
        refuse_another(self.output, self.manifest)
        out = ", ".join(f"{count} {reason}" for reason, count in done.left_out.items() if count)
        self.say(f"student   {done.student.name}, {done.student.model.num_parameters():,} weights")
        self.say(
            f"data      {done.names}: {len(done.rows)} rows, {done.sequences} sequences"
            + (f"; left out: {out}" if out else "")
        )
        if done.target_tokens:
            self.say(f"tokens    {done.target_tokens:,} to be learned an epoch")

    def _write(self, where: Path, status: str, **more: Any) -> None:
        if self.main:
            write_manifest(where, {**self.manifest, "status": status, **more})

    def _fit(self, trainer: Any, where: Path, resume: Path | None) -> int:
        trained = sum(value.numel() for value in trainer.model.parameters() if value.requires_grad)
        self.manifest["trained_weights"] = trained
        self.say(f"trains    {trained:,} weights" + (f", on from {resume}" if resume else ""))
        self._write(where, "training")
        stopper = Stopper()
        trainer.add_callback(stopper)
        trainer.add_callback(Finite())
        try:
            with stopper.listening(alone=self.args.world_size == 1), told(), threads_for(trainer.model):
                trainer.train(resume_from_checkpoint=str(resume) if resume else None)
                if not stopper.stopped:
                    trainer.save_model()
                    trainer.save_state()
        except BaseException:
            self._write(where, "broken off", step=trainer.state.global_step)
            raise
        if stopper.stopped:
            self._write(where, "broken off", step=trainer.state.global_step)
            self.say(f"stopped at step {trainer.state.global_step}; go on with --resume_from_checkpoint auto")
            return EXIT_INTERRUPTED
        last: dict[str, Any] = next((entry for entry in reversed(trainer.state.log_history) if "loss" in entry), {})
        self._write(where, "finished", step=trainer.state.global_step, last=last)
        terms = ", ".join(
            f"{name} {value:.4g}" for name, value in last.items() if name.startswith(("loss", "accuracy"))
        )
        self.say(f"steps     {trainer.state.global_step}; {terms}")
        if self.main:
            click.echo(str(where))
        return EXIT_DONE
