"""Makes the lighteval details in files/: `python make_lighteval.py` where lighteval is installed. No network.

Four sums with answers made up here, written by lighteval's own tracker: `base` has one right, `tuned` three.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lighteval.logging.evaluation_tracker import EvaluationTracker
from lighteval.logging.info_loggers import DetailsLogger
from lighteval.models.abstract_model import ModelConfig
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc

FILES = Path(__file__).parent / "files"


def make(name: str, answers: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tracker = EvaluationTracker(output_dir=folder, save_details=True)
        tracker.general_config_logger.log_model_info(model_config=ModelConfig(model_name=f"local/{name}"))
        for n, answer in enumerate(answers):
            doc = Doc(query=f"What is {n} + {n}?", choices=[str(2 * n)], gold_index=0, id=str(n), task_name="sums|0")
            reply = ModelResponse(text=[f"The answer is {answer}"], output_tokens=[[1, 2, 3, 4]], input=doc.query)
            detail = DetailsLogger.Detail(doc, reply, {"em": int(answer == 2 * n), "words": 4})
            tracker.details_logger.details["sums|0"].append(detail)
        tracker.save()
        shutil.rmtree(FILES / f"lighteval_{name}", ignore_errors=True)
        shutil.copytree(Path(folder) / "details", FILES / f"lighteval_{name}" / "details")


if __name__ == "__main__":
    make("base", [0, 1, 5, 7])
    make("tuned", [0, 2, 4, 7])
