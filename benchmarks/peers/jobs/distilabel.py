"""distilabel: two TextGeneration steps in one pipeline, its cache in the folder."""

from __future__ import annotations

import sys

sys.path.pop(0)  # this file has the package's name
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

sys.path.insert(0, __file__.rpartition("/")[0])
from shared import JUDGE, SAMPLE, asked, write


def main() -> None:
    job = asked()
    with Pipeline(name="peers", cache_dir=job.folder / "cache") as pipeline:

        def asks(name: str, template: str, columns: list[str], **mappings: object) -> TextGeneration:
            return TextGeneration(
                name=name, template=template, columns=columns, input_batch_size=job.concurrency, add_raw_output=False,
                add_raw_input=False, llm=OpenAILLM(model="stub", base_url=job.base, api_key="none", max_retries=20),
                **mappings,
            )  # fmt: skip

        rows = LoadDataFromDicts(data=[{"question": q} for q in job.questions], batch_size=job.concurrency)
        sample = asks("sample", SAMPLE.replace("{question}", "{{ question }}"), ["question"],
                      output_mappings={"generation": "solution"})  # fmt: skip
        template = JUDGE.replace("{question}", "{{ question }}").replace("{solution}", "{{ solution }}")
        judge = asks("judge", template, ["question", "solution"], output_mappings={"generation": "judgement"})
        rows >> sample >> judge
    made = pipeline.run(use_cache=True)["default"]["train"]
    write(job.folder, ((row["question"], row["solution"], row["judgement"]) for row in made))


if __name__ == "__main__":
    main()
