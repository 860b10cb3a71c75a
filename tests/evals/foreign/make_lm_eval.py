"""Makes the lm-evaluation-harness samples in files/: `python make_lm_eval.py` where lm_eval is installed. No network.

Four sums: in words with two filters, and as a choice of two by log-likelihoods, answered by a subclass of the harness's
dummy model. `base` has one sum right, `tuned` three.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.models.dummy import DummyLM
from lm_eval.tasks import TaskManager

FILES = Path(__file__).parent / "files"
DOCS = [
    {"question": f"What is {n} + {n}?", "answer": str(2 * n), "choices": [str(2 * n), str(n + 7)]} for n in range(4)
]
SUMS: Mapping[str, Any] = {
    "task": "sums",
    "output_type": "generate_until",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 16},
    "filter_list": [
        {
            "name": name,
            "filter": [{"function": "regex", "regex_pattern": pattern}, {"function": "take_first"}],
        }
        for name, pattern in (("strict-match", r"The answer is (\d+)"), ("flexible-extract", r"(\d+)"))
    ],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
CHOICE: Mapping[str, Any] = {
    "task": "sums_choice",
    "output_type": "multiple_choice",
    "doc_to_target": 0,
    "doc_to_choice": "choices",
    "metric_list": [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")],
}


class Scripted(DummyLM):
    """Writes these sentences, one per document, and finds the right choice likelier where the sum is right."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__()
        self.sentences = sentences

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        return [self.sentences[request.doc_id] for request in requests]

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        return [(-1.0 if self._likes(request) else -2.0, False) for request in requests]

    def _likes(self, request: Any) -> bool:
        right = self.sentences[request.doc_id].endswith(f" {2 * request.doc_id}")
        return right == (request.args[1].strip() == str(2 * request.doc_id))


def make(name: str, sentences: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("sums.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in DOCS))
        common = {
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": "sums.jsonl"},
            "test_split": "train",
            "doc_to_text": "Question: {{question}}\nAnswer:",
        }
        tracker = EvaluationTracker(output_path=f"{folder}/out")
        done = simple_evaluate(
            Scripted(sentences),
            tasks=[{**SUMS, **common}, {**CHOICE, **common}],
            task_manager=TaskManager(),
            evaluation_tracker=tracker,
            log_samples=True,
        )
        samples = done.pop("samples")
        tracker.general_config_tracker.log_experiment_args("hf", f"pretrained=local/{name}", "", "", False)
        tracker.save_results_aggregated(done, samples)
        for task in done["configs"]:
            tracker.save_results_samples(task, samples[task])
        shutil.rmtree(FILES / f"lm_eval_{name}", ignore_errors=True)
        written = next(Path(folder).glob("out/*"))
        for file in written.glob("results_*.json"):
            results = json.loads(file.read_text())
            results["pretty_env_info"] = ""  # of the machine that it was made on
            file.write_text(json.dumps(results, indent=2))
        shutil.copytree(written, FILES / f"lm_eval_{name}")


if __name__ == "__main__":
    make("base", ["The answer is 0", "The answer is 3", "It is 4", "The answer is 7"])
    make("tuned", ["The answer is 0", "The answer is 2", "The answer is 4", "It is 9"])
