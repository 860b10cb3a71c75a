"""Eval directories with planted figures: students that are right on chosen items, with training logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from errata.classroom.problems import problems
from errata.evals.results import ITEMS, MANIFEST, SUMMARY, Item, Manifest, Sample, write_items, write_json
from errata.evals.summary import summarise
from errata.records import Problem, draw

METHODS: dict[str, tuple[str, ...]] = {
    "sft": ("sft",),
    "mapd": ("rationale", "mistake"),
    "mcc-kd": ("sft", "consistency"),
}
KINDS = ("logical_op", "knowledge", "calc", "final")


def questions(split: str, number: int) -> list[Problem]:
    problems_of_task = problems({"count": number, "split": split, "seed": 5})
    return [problem for problem, _ in zip(problems_of_task, range(number), strict=False)]


def log_of(method: str, steps: int = 40) -> list[dict[str, Any]]:
    """A trainer's log_history: each term with its loss, its share of the gradient and log-probabilities by kind."""
    terms, log = METHODS[method], []
    for step in range(10, 10 * steps + 1, 10):
        entry: dict[str, Any] = {"step": step, "epoch": step / 100, "learning_rate": 1e-3, "grad_norm": 1.0}
        for place, term in enumerate(terms):
            wobble = draw("log", method, term, step) - 0.5
            entry[f"loss/{term}"] = 2.4 / (1 + place) * 0.985 ** (step / 4) + 0.1 + 0.06 * wobble
            if len(terms) > 1:
                share = 0.7 - 0.3 * step / (10 * steps)
                entry[f"grad_share/{term}"] = share if place == 0 else 1 - share
            entry[f"logp/{'right' if place == 0 else 'wrong'}"] = -entry[f"loss/{term}"]
        entry["loss"] = sum(entry[f"loss/{term}"] for term in terms)
        log.append(entry)
    return [*log, {"step": 10 * steps, "train_runtime": 12.3, "train_loss": 0.6}]


def training(method: str, seed: int, tokens: int = 48_000) -> dict[str, Any]:
    return {
        "method": method,
        "output": f"students/{method}-{seed}",
        "target_tokens": tokens,
        "seed": seed,
        "data": [],
        "cost_usd": 0.0,
        "log": log_of(method),
    }


def right_at(rates: Sequence[float], name: str) -> Callable[[Problem], bool]:
    """Right by chance, at a rate for each number of steps (2, 3, 4, ...); items draw alike for every student."""

    def right(problem: Problem) -> bool:
        rate = rates[min(len(rates) - 1, len(problem.meta["steps"]) - 2)]
        return 0.7 * draw("item", problem.id) + 0.3 * draw(name, problem.id) < rate

    return right


def plant_eval(
    folder: Path,
    name: str,
    right: Callable[[Problem], bool],
    *,
    tasks: dict[str, Sequence[Problem]],
    label: str = "",
    baseline: bool = False,
    trained: dict[str, Any] | None = None,
    samples: int = 1,
    text: Callable[[Problem, bool], str] | None = None,
) -> Path:
    items = [
        _item(task, problem, right(problem), name, samples, text)
        for task, problems_of_task in tasks.items()
        for problem in problems_of_task
    ]
    manifest = Manifest(
        name=name,
        label=label or name,
        model=f"local/students/{name}",
        decoding={"name": "greedy" if samples == 1 else f"maj{samples}"},
        seed=17,
        baseline=baseline,
        tasks={task: {"n": len(problems_of_task)} for task, problems_of_task in tasks.items()},
        training=trained,
        tokens={"prompt": 100, "completion": 100},
        cost_usd=0.0,
    )
    where = folder / name
    where.mkdir(parents=True)
    write_items(where / ITEMS, items)
    write_json(where / MANIFEST, manifest.model_dump(by_alias=True))
    write_json(where / SUMMARY, summarise(manifest, items))
    return where


def _item(
    task: str, problem: Problem, right: bool, name: str, samples: int, text: Callable[[Problem, bool], str] | None
) -> Item:
    answer = problem.answer if right else str(int(problem.answer) + 1)
    written = text(problem, right) if text else f"{problem.rationale if right else 'so'} the answer is {answer} ."
    kind = None if right else KINDS[int(draw("kind", name, problem.id) * len(KINDS))]
    one = Sample(text=written, answer=answer, correct=right, tokens=len(written.split()))
    meta = {
        "question": problem.question,
        "gold": problem.answer,
        "split": problem.split,
        "steps": len(problem.meta["steps"]),
        "mistake": kind,
    }
    return Item(
        id=problem.id,
        task=task,
        correct=right,
        answer=answer,
        samples=(one,) * samples,
        tokens=one.tokens * samples,
        truncated=0,
        meta=meta,
    )


def three_students(folder: Path, number: int = 150, seeds: Sequence[int] = (0,)) -> list[Path]:
    """The untouched student, plain distillation and a committee's, on problems like the lesson's and harder ones."""
    tasks = {"classroom_id": questions("id", number), "classroom_ood4": questions("ood4", number // 2)}
    folders = [plant_eval(folder, "untouched", right_at((0.52, 0.44, 0.3), "untouched"), tasks=tasks, baseline=True)]
    for label, method, rates in (("plain", "sft", (0.62, 0.5, 0.33)), ("committee", "mapd", (0.78, 0.69, 0.45))):
        for seed in seeds:
            name = label if len(seeds) == 1 else f"{label}-{seed}"
            right = right_at(rates, f"{label}{seed}")
            folders.append(plant_eval(folder, name, right, tasks=tasks, label=label, trained=training(method, seed)))
    return folders
