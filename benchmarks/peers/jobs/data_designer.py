"""data-designer: a seed data set and two LLM text columns; row groups of 100, so that there is something to resume."""

from __future__ import annotations

import sys

sys.path.pop(0)  # this file has the package's name
import data_designer.config as dd
import pandas as pd
from data_designer.config.run_config import ResumeMode, RunConfig
from data_designer.interface import DataDesigner

sys.path.insert(0, __file__.rpartition("/")[0])
from shared import JUDGE, SAMPLE, asked, write

GROUP = 100


def main() -> None:
    job = asked()
    provider = dd.ModelProvider(name="stub", endpoint=job.base, provider_type="openai", api_key="none")
    model = dd.ModelConfig(
        alias="stub", model="stub", provider="stub", skip_health_check=True,
        inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=job.concurrency),
    )  # fmt: skip
    designer = DataDesigner(artifact_path=job.folder / "artifacts", model_providers=[provider])
    designer.set_run_config(RunConfig(buffer_size=GROUP, disable_early_shutdown=True, otel_metrics_port=None))
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    seeds = job.folder / "seeds.parquet"
    if not seeds.exists():
        pd.DataFrame({"question": job.questions}).to_parquet(seeds)
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(seeds)))
    sample = SAMPLE.replace("{question}", "{{ question }}")
    judge = JUDGE.replace("{question}", "{{ question }}").replace("{solution}", "{{ solution }}")
    builder.add_column(dd.LLMTextColumnConfig(name="solution", prompt=sample, model_alias="stub"))
    builder.add_column(dd.LLMTextColumnConfig(name="judgement", prompt=judge, model_alias="stub"))
    made = designer.create(
        builder, num_records=len(job.questions), dataset_name="peers", resume=ResumeMode.IF_POSSIBLE
    ).load_dataset()
    rows = made.to_dict("records")
    write(job.folder, ((row["question"], row["solution"], row["judgement"]) for row in rows))


if __name__ == "__main__":
    main()
