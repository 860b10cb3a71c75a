"""EasyDistill 2: the stages generate, instruct_eval, quality_filter and build_sft, through its command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.pop(0)  # this file has the package's name
from easydistill.cli.main import main as command

sys.path.insert(0, __file__.rpartition("/")[0])
from shared import JUDGE, SAMPLE, asked

PROMPTS = Path("configs/prompts/default_eval_prompts.yaml")
"""From here, below the working directory, its judge's prompts are read."""


def main() -> None:
    job = asked()
    seeds, out = job.folder / "seeds.jsonl", job.folder / "out.jsonl"
    seeds.write_text("".join(json.dumps({"instruction": q}) + "\n" for q in job.questions))
    judge = JUDGE.replace("{question}", "{instruction}").replace("{solution}", "{output}")
    PROMPTS.parent.mkdir(parents=True, exist_ok=True)
    PROMPTS.write_text(json.dumps({"score": judge}))  # which YAML can read
    workers = {"max_workers": job.concurrency, "show_progress": False}
    config = {
        "job_type": "advanced_instruct_distill",
        "backend": {"type": "openai", "api_key": "none", "base_url": job.base, "model_id": "stub", "max_retries": 20},
        "generation": {"prompt_template": SAMPLE.replace("{question}", "{instruction}"), **workers},
        "eval": {"metrics": ["score"], **workers},
        "pipeline": [
            {"stage": "generate", "output_path": str(job.folder / "generated.jsonl")},
            {"stage": "instruct_eval", "output_path": str(job.folder / "judged.jsonl")},
            {"stage": "quality_filter", "config": {"min_scores": {"score": 4}}},
            {"stage": "build_sft"},
        ],
        "dataset": {"input_path": str(seeds), "output_path": str(out)},
    }  # fmt: skip
    path = job.folder / "config.yaml"
    path.write_text(json.dumps(config))
    sys.argv[1:] = ["--config", str(path)]
    command()


if __name__ == "__main__":
    main()
