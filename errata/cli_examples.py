"""A line or two of use per verb, as they stand below its help."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("errata demo", "errata demo --problems 60 --lesson-only"),
    "init": ("errata init mine",),
    "plan": (
        "errata plan recipe.yaml limit=1000",
        "errata plan recipe.yaml --pilot 5 --assume teacher_right=0.7",
        "errata plan study.yaml",
    ),
    "synth": ("errata synth recipe.yaml limit=2", "errata synth recipe.yaml name=second budget.usd=5"),
    "status": ("errata status runs/recipe", "errata status runs/recipe --watch"),
    "accept": ("errata accept runs/recipe --compare", "errata accept runs/recipe --rule mean --rule majority"),
    "audit": ("errata audit runs/recipe", "errata audit runs/recipe marks.jsonl"),
    "export": (
        "errata export runs/recipe --format sft --out sft.jsonl",
        "errata export runs/recipe --format dpo --out dpo.jsonl --max-edit-ratio 0.5",
    ),
    "train": (
        "errata train sft --config recipes/train/sft.yaml --dataset_name runs/demo",
        "errata train my_method.py:METHOD --config mine.yaml --dataset_name runs/demo",
        "errata train edit --help",
    ),
    "eval": ("errata eval eval.yaml limit=20", "errata eval eval.yaml --json"),
    "study": ("errata study study.yaml", "errata study study.yaml seeds=[0,1] together=2"),
    "school": ("errata school school.yaml", "errata school school.yaml rounds=6 choose.by=random name=control"),
    "compare": (
        "errata compare runs/demo/evals/*",
        "errata compare plain=results.jsonl other=samples_gsm8k.jsonl --against plain",
    ),
    "report": ("errata report runs/recipe", "errata report runs/recipe evals/first evals/second --out page.html"),
    "ship": (
        "errata ship runs/demo/students/edit --to gguf",
        "errata ship runs/demo/students/edit --to merged --out whole",
    ),
    "push": (
        "errata push sft.jsonl --to me/lesson --dry-run",
        "errata push students/edit --to me/edit --base Qwen/Qwen2.5-0.5B-Instruct",
    ),
    "data": ("errata data fetch svamp", "errata data fetch gsm8k --into data"),
    "view": ("errata view", "errata view runs/recipe --port 0"),
    "graph": ("errata graph lesson", "errata graph recipe.yaml"),
    "schema": ("errata schema > recipe.schema.json", "errata schema eval"),
    "serve": ("errata serve --port 8017", "errata serve --fault-rate 0.2 --fault 429 --fault stall"),
}
