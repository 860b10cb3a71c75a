"""errata: the graph peer_review with one teacher and one reviewer, through its command line, then the export."""

from __future__ import annotations

import json
import sys

sys.path.pop(0)  # this file has the package's name
from errata.__main__ import main as command

sys.path.insert(0, __file__.rpartition("/")[0])
from shared import POLL_S, asked


def main() -> None:
    job = asked()
    problems = job.folder / "problems.jsonl"
    problems.write_text("".join(json.dumps({"question": q, "answer": "42"}) + "\n" for q in job.questions))
    agent = {"model": "openai/stub", "api_base": job.base, "retries": 20, "price": {"prompt": 1, "completion": 1}}
    if job.batch:
        agent["batch"] = {"poll_s": POLL_S}
    mapping = {"question": "question", "answer": "answer", "kind": "number"}
    recipe = {
        "graph": "peer_review",
        "runs": str(job.folder / "runs"),
        "problems": {"source": str(problems), "mapping": mapping},
        "agents": {"teachers": [{"name": "teacher", **agent}], "reviewers": [{"name": "judge", **agent}]},
        "concurrency": job.concurrency,
    }
    path = job.folder / "peers.yaml"
    path.write_text(json.dumps(recipe))  # which YAML can read
    run(["synth", str(path), "--quiet"])
    run(["export", str(job.folder / "runs/peers"), "--format", "sft", "--out", str(job.folder / "out.jsonl"),
         "--keep-duplicates"])  # fmt: skip


def run(words: list[str]) -> None:
    sys.argv[1:] = words
    try:
        command()
    except SystemExit as end:
        if end.code:
            raise


if __name__ == "__main__":
    main()
