"""bespokelabs-curator: two LLM calls over data sets.

Its litellm backend (the openai one downloads tokenizer data), which knows no batches: in batches its openai backend.
"""

from __future__ import annotations

from bespokelabs import curator
from shared import JUDGE, POLL_S, SAMPLE, asked, write


class Sample(curator.LLM):
    def prompt(self, row: dict) -> str:
        return SAMPLE.format(question=row["question"])

    def parse(self, row: dict, response: str) -> dict:
        return {**row, "solution": response}


class Judge(curator.LLM):
    def prompt(self, row: dict) -> str:
        return JUDGE.format(question=row["question"], solution=row["solution"])

    def parse(self, row: dict, response: str) -> dict:
        return {**row, "judgement": response}


def main() -> None:
    job = asked()
    parameters = {
        "base_url": job.base, "max_concurrent_requests": job.concurrency, "max_requests_per_minute": 1_000_000,
        "max_tokens_per_minute": 1_000_000_000, "max_retries": 20, "seconds_to_pause_on_rate_limit": 1,
        "require_all_responses": False,
    }  # fmt: skip

    batched = {"base_url": job.base, "batch_check_interval": POLL_S, "require_all_responses": False}

    def asks(kind: type[curator.LLM]) -> curator.LLM:
        if job.batch:
            return kind(model_name="stub", backend="openai", batch=True, backend_params=dict(batched))
        return kind(model_name="openai/stub", backend="litellm", backend_params=dict(parameters))

    sampled = asks(Sample)([{"question": q} for q in job.questions], working_dir=str(job.folder / "cache"))
    judged = asks(Judge)(sampled.dataset, working_dir=str(job.folder / "cache"))
    write(job.folder, ((row["question"], row["solution"], row["judgement"]) for row in judged.dataset))


if __name__ == "__main__":
    main()
