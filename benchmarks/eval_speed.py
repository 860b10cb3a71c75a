"""Items per second of a local evaluation, against calling transformers' `generate` for one item after the other.

The schooled tiny student answers 256 fresh classroom problems, greedy, at most 128 tokens. `eval` is all of `errata
eval` after the model is loaded: prompts, batches of 32, grading, checking steps, writing; `batches` is its generation
alone. One thread, and its CPU time, which a busy machine disturbs least; the arms take turns. Both must give the same
answers. Where `runs/school` holds no student, one is schooled first.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")

ITEMS, TOKENS, ROUNDS = 256, 128, 2
MARK = 5.0


def jobs_of(checkpoint: Any) -> list[Any]:
    from errata.agents.prompts import load_prompts
    from errata.agents.student import student_messages
    from errata.classroom.problems import problems
    from errata.models.prompting import prompt_ids
    from errata.models.sampling import Decoding, Job

    prompts = load_prompts()
    return [
        Job(prompt_ids(checkpoint.tokenizer, student_messages(prompts, each)), Decoding(max_tokens=TOKENS))
        for each in problems({"split": "id", "count": ITEMS, "seed": 1})
    ]


def one_by_one(checkpoint: Any, jobs: list[Any]) -> list[str]:
    import torch

    texts = []
    for job in jobs:
        ids = torch.tensor([list(job.prompt)])
        out = checkpoint.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=TOKENS,
            do_sample=False,
            pad_token_id=checkpoint.tokenizer.pad_token_id,
        )
        texts.append(checkpoint.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
    return texts


def in_batches(checkpoint: Any, jobs: list[Any]) -> list[str]:
    from errata.models.generate import generate

    return [each.text for each in generate(checkpoint, jobs, rows=32)]


def whole_eval(student: Path) -> list[str]:
    """A whole `errata eval`; loading the model is in it."""
    from errata.evals.evaluate import evaluate
    from errata.evals.recipe import EvalRecipe

    with tempfile.TemporaryDirectory() as folder:
        done = evaluate(
            EvalRecipe.model_validate(
                {
                    "name": "speed",
                    "run": folder,
                    "baseline": {"name": "tiny", "model": f"local/{student}"},
                    "decodings": {"greedy": {"max_tokens": TOKENS}},
                    "tasks": {"classroom_id": {"options": {"count": ITEMS}}},
                }
            )
        )
        return [item.samples[0].text for item in done.evals[0].items]


def main() -> bool:
    """Prints the table; True where the mark is missed."""
    import torch

    from errata.models.load import load
    from errata.training.classroom_student.pretrain import Pretraining, pretrain

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--school", type=Path, default=Path("runs/school"), help="folder of schooled students")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    student = pretrain(arguments.school, Pretraining(), lambda line: print(line, flush=True)).path
    checkpoint = load(str(student), "cpu")
    jobs = jobs_of(checkpoint)
    in_batches(checkpoint, jobs[:32])
    arms = {
        "one by one": lambda: one_by_one(checkpoint, jobs),
        "batches": lambda: in_batches(checkpoint, jobs),
        "eval": lambda: whole_eval(student),
    }
    best: dict[str, float] = {}
    texts: dict[str, list[str]] = {}
    for _ in range(ROUNDS):
        for arm, run in arms.items():
            started = time.process_time()
            texts[arm] = run()
            best[arm] = min(best.get(arm, float("inf")), time.process_time() - started)
    print("| | items/s | times one by one |\n|---|---|---|")
    for arm, seconds in best.items():
        print(f"| {arm} | {ITEMS / seconds:.1f} | {best['one by one'] / seconds:.1f} |")
    same = sum(a == b == c for a, b, c in zip(*(texts[arm] for arm in arms), strict=True))
    ratio = best["one by one"] / best["eval"]
    print(f"\n{same} of {ITEMS} texts are the same; mark: eval at least x{MARK:.0f} (x{ratio:.1f})")
    return ratio < MARK


if __name__ == "__main__":
    raise SystemExit(main())
