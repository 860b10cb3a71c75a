"""Makes the inspect_ai logs in files/: `python make_inspect.py` where inspect_ai is installed. Needs no network.

Four sums, answered by inspect's mock model: `base` has one right, `tuned` three; `twice` is two epochs, as JSON;
`two_scorers` is graded in two ways.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tiktoken
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import includes, match
from inspect_ai.solver import generate

FILES = Path(__file__).parent / "files"
QUESTIONS = tuple(f"What is {n} + {n}?" for n in range(4))


class Bytes:
    """Stands for OpenAI's encoding, which would be downloaded."""

    def encode(self, text: str, **_: Any) -> list[int]:
        return list(text.encode())


def make(name: str, answers: Sequence[str], form: str, epochs: int = 1, scorers: Sequence[Any] = ()) -> None:
    samples = [Sample(id=f"sum-{n}", input=text, target=str(2 * n)) for n, text in enumerate(QUESTIONS)]
    outputs = [ModelOutput.from_content(f"mockllm/{name}", f"The answer is {answer}") for answer in answers]
    task = Task(
        name="sums",
        dataset=MemoryDataset(samples),
        solver=generate(),
        scorer=list(scorers) or match(numeric=True),
        epochs=epochs,
    )
    with tempfile.TemporaryDirectory() as folder:
        eval(
            task,
            model=get_model(f"mockllm/{name}", custom_outputs=outputs),
            log_dir=folder,
            log_format=form,
            log_realtime=False,
            display="none",
            max_samples=1,
            max_connections=1,
        )
        shutil.copy(next(Path(folder).glob(f"*.{form}")), FILES / f"inspect_{name}.{form}")


if __name__ == "__main__":
    tiktoken.get_encoding = lambda _: Bytes()
    FILES.mkdir(exist_ok=True)
    make("base", ["0", "1", "5", "7"], "eval")
    make("tuned", ["0", "2", "4", "7"], "eval")
    make("twice", ["0", "0", "2", "3", "4", "5", "7", "7"], "json", epochs=2)
    make("two_scorers", ["0", "2", "4", "7"], "eval", scorers=[match(numeric=True), includes()])
