"""sdg-hub: a flow of prompt, chat and extractor blocks, twice; checkpoints every 100 rows."""

from __future__ import annotations

import sys

sys.path.pop(0)  # this file has the package's name
import pandas as pd
import yaml
from sdg_hub import Flow

sys.path.insert(0, __file__.rpartition("/")[0])
from shared import JUDGE, SAMPLE, asked, write

EVERY = 100


def blocks(name: str, columns: list[str]) -> list[dict]:
    config = {
        "PromptBuilderBlock": {"block_name": f"{name}_prompt", "input_cols": columns,
                               "output_cols": f"{name}_messages", "prompt_config_path": f"{name}.yaml"},
        "LLMChatBlock": {"block_name": f"{name}_chat", "input_cols": f"{name}_messages",
                         "output_cols": f"{name}_response", "async_mode": True, "num_retries": 20},
        "LLMResponseExtractorBlock": {"block_name": f"{name}_extract", "input_cols": f"{name}_response",
                                      "field_prefix": f"{name}_", "extract_content": True},
    }  # fmt: skip
    return [{"block_type": kind, "block_config": each} for kind, each in config.items()]


def main() -> None:
    job = asked()
    for name, text in {"sample": SAMPLE, "judge": JUDGE.replace("{solution}", "{sample_content}")}.items():
        template = text.replace("{", "{{").replace("}", "}}")
        (job.folder / f"{name}.yaml").write_text(yaml.safe_dump([{"role": "user", "content": template}]))
    needs = {"required_columns": ["question"], "description": "questions"}
    about = {"name": "Peers", "description": "sample and judge", "version": "1.0.0", "author": "x", "id": "peers-1",
             "recommended_models": {"default": "stub"}, "dataset_requirements": needs}  # fmt: skip
    chain = [*blocks("sample", ["question"]), *blocks("judge", ["question", "sample_content"])]
    path = job.folder / "flow.yaml"
    path.write_text(yaml.safe_dump({"metadata": about, "blocks": chain}))
    flow = Flow.from_yaml(str(path))
    flow.set_model_config(model="openai/stub", api_base=job.base, api_key="none")
    made = flow.generate(
        pd.DataFrame({"question": job.questions}), checkpoint_dir=str(job.folder / "checkpoints"), save_freq=EVERY,
        max_concurrency=job.concurrency,
    )  # fmt: skip
    rows = made.to_dict("records")
    write(job.folder, ((row["question"], row["sample_content"], row["judge_content"]) for row in rows))


if __name__ == "__main__":
    main()
