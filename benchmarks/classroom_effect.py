"""Whether a lesson does to the schooled tiny student what it should: sound rationales help, lucky ones do not.

    parent     the schooled student
    graded     taught what a teacher with misconceptions wrote and the answer grader let pass
    sound      taught what the same teacher would have written without its misconceptions, on all the problems

500 lesson problems, one rationale each, 200 steps of 32 with the learning rate at 3e-4, by the trainer of `errata
train sft`; judged on 1,000 fresh problems of the split `id`, greedy. One seed unless more are asked for: then each has
its own lesson, order and test problems, and the student is the same. Where `runs/school` holds no student, it is
schooled first.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")

LESSON, TEST = 500, 1000
TEACHER = "simulated/ada?misconceptions=5&slips=0&lucky=0.05"
SOUND = "simulated/ada?misconceptions=0&slips=0&lucky=0"
MARK = 4.0
"""Points by which `sound` shall be ahead of `graded`; measured in other settings as 13 to 18."""


def lesson(arm: str, seed: int) -> list[tuple[Any, str]]:
    """Problems with the rationales that the arm is taught."""
    from errata.agents.prompts import load_prompts
    from errata.classroom.problems import problems
    from errata.llm.backends.simulated.faculty import reply

    prompts = load_prompts()
    taught = []
    for problem in problems({"split": "lesson", "count": LESSON, "seed": 100 + seed}):
        inputs = {"question": problem.question, "options": "", "demonstrations": (), "answer_form": "The answer is X."}
        asked = [(each.role, each.content) for each in prompts["teacher/solve"].messages(None, inputs)]
        taught.append((problem, reply(SOUND if arm == "sound" else TEACHER, asked, {}, seed).text))
    if arm == "sound":
        return taught
    right = grade([problem for problem, _ in taught], [text for _, text in taught])
    return [each for each, correct in zip(taught, right, strict=True) if correct]


def grade(problems: list[Any], texts: list[str]) -> list[bool]:
    import asyncio

    from errata.grading.grader import Grader

    async def graded() -> list[bool]:
        async with Grader() as grader:
            return [(await grader.grade(each, text)).correct for each, text in zip(problems, texts, strict=True)]

    return asyncio.run(graded())


def teach(student: Path, taught: list[tuple[Any, str]], seed: int, folder: str) -> str:
    """Trains a copy of the student as `errata train sft` does; returns its folder."""
    from datasets import Dataset
    from trl import SFTConfig

    from errata.agents.prompts import load_prompts
    from errata.agents.student import student_messages
    from errata.models.load import load
    from errata.models.prompting import prompt_ids
    from errata.training.encode import Encoder, Written, make_group
    from errata.training.objective import Objective
    from errata.training.terms import Likelihood
    from errata.training.trainer import build_trainer

    checkpoint, prompts = load(str(student), "cpu"), load_prompts()
    encoder = Encoder(checkpoint.tokenizer)
    rows = [
        make_group(
            problem.id,
            [Written("right", prompt_ids(checkpoint.tokenizer, student_messages(prompts, problem)), text)],
            [],
            encoder,
        )
        for problem, text in taught
    ]
    args = SFTConfig(
        folder,
        per_device_train_batch_size=32,
        max_steps=200,
        learning_rate=3e-4,
        warmup_steps=20,
        lr_scheduler_type="cosine",
        max_grad_norm=1.0,
        seed=seed,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        logging_steps=200,
        max_length=None,
        use_cpu=True,
        bf16=False,
        activation_checkpointing=False,
        dataloader_pin_memory=False,
    )
    trainer = build_trainer(
        checkpoint.model,
        args,
        Dataset.from_list([dict(row) for row in rows]),
        checkpoint.tokenizer,
        Objective((Likelihood(),)),
    )
    trainer.train()
    trainer.save_model(folder)
    return folder


def solved(student: str, seed: int) -> float:
    """The share of fresh test problems solved, in percent."""
    from errata.agents.prompts import load_prompts
    from errata.agents.student import student_messages
    from errata.classroom.problems import problems
    from errata.models.generate import generate
    from errata.models.load import load
    from errata.models.prompting import prompt_ids
    from errata.models.sampling import Decoding, Job

    checkpoint, prompts = load(student, "cpu"), load_prompts()
    asked = list(problems({"split": "id", "count": TEST, "seed": 200 + seed}))
    jobs = [
        Job(prompt_ids(checkpoint.tokenizer, student_messages(prompts, each)), Decoding(max_tokens=128))
        for each in asked
    ]
    return 100 * sum(grade(asked, [one.text for one in generate(checkpoint, jobs)])) / TEST


def main() -> bool:
    """Prints the table; True where the mark is reached."""
    import torch

    from errata.training.classroom_student.pretrain import Pretraining, pretrain

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--school", type=Path, default=Path("runs/school"), help="folder of schooled students")
    parser.add_argument("--seeds", type=int, default=1)
    told = parser.parse_args()
    torch.set_num_threads(1)
    student = pretrain(told.school, Pretraining(), lambda line: print(line, flush=True))
    print("| seed | arm | rows | id, % | CPU s |\n|---|---|---|---|---|")
    gaps = []
    for seed in range(told.seeds):
        print(f"| {seed} | parent | | {solved(str(student.path), seed):.1f} | |", flush=True)
        found = {}
        for arm in ("graded", "sound"):
            started, taught = time.process_time(), lesson(arm, seed)
            with tempfile.TemporaryDirectory() as folder:
                found[arm] = solved(teach(student.path, taught, seed, folder), seed)
            spent = time.process_time() - started
            print(f"| {seed} | {arm} | {len(taught)} | {found[arm]:.1f} | {spent:.0f} |", flush=True)
        gaps.append(found["sound"] - found["graded"])
    mean = sum(gaps) / len(gaps)
    print(f"\nsound - graded: {mean:+.1f} points; mark: at least {MARK:+.1f}")
    return mean >= MARK


if __name__ == "__main__":
    raise SystemExit(not main())
