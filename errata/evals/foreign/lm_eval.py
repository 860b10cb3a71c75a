"""Samples of lm-evaluation-harness: `samples_TASK_DATE.jsonl` of --log_samples, beside `results_DATE.json`.

As https://github.com/EleutherAI/lm-evaluation-harness, `lm_eval/loggers/evaluation_tracker.py`, writes them: a document
has one line per filter; its scores are named `metric,filter`, as in the harness's own results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from errata.errors import UsageError
from errata.evals.foreign.bounded import json_file, json_lines
from errata.evals.foreign.log import Answer, Log, Score, Source, mapping, text_of, to_log

QUESTIONS = ("question", "problem", "query", "input", "prompt", "sentence", "goal", "text")
"""Fields of a document that hold what is asked, the first that is there."""
OWN_KEYS = frozenset({
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash",
    "target_hash",
})  # fmt: skip
_NAME = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+))?\.jsonl")


def is_samples(path: Path) -> bool:
    """Whether the file has such a name, or its first line such fields."""
    if _NAME.fullmatch(path.name):
        return True
    _, first = next(iter(json_lines(path)), (0, None))
    return isinstance(first, dict) and "doc_id" in first and "filtered_resps" in first


def read_samples(path: Path, wanted: Sequence[str] = ()) -> Log:
    """One file of samples. UsageError names the line that is none."""
    by_id: dict[str, Answer] = {}
    for answer in _answers(path):
        known = by_id.setdefault(answer.id, answer)
        if twice := known is not answer and known.scores.keys() & answer.scores.keys():
            raise UsageError(
                f"{path}: two answers to document {answer.id} by {', '.join(sorted(twice))}",
                "an id stands for one item of a task",
                "remove one of the two",
            )
        by_id[answer.id] = replace(known, scores={**known.scores, **answer.scores})
    return to_log(_source(path), by_id.values(), wanted)


def _source(path: Path) -> Source:
    named = _NAME.fullmatch(path.name)
    task, date = (named["task"], named["date"]) if named else (path.stem, None)
    results = path.with_name(f"results_{date}.json")
    known = mapping(json_file(results)) if date and results.is_file() else {}
    config = mapping(known.get("config"))
    settings = {
        "gen_kwargs": config.get("gen_kwargs"),
        "chat_template": known.get("chat_template_sha"),
        "system": known.get("system_instruction_sha"),
        "few_shot": mapping(known.get("n-shot")).get(task),
    }
    return Source(
        path=path,
        tool="lm-eval",
        version=str(known.get("lm_eval_version", "")),
        model=str(known.get("model_name") or (path.resolve().parent.name if named else path.stem)),
        task=task,
        settings=settings,
    )


def _answers(path: Path) -> Iterator[Answer]:
    for number, line in json_lines(path):
        id_ = text_of(mapping(line).get("doc_id"))
        if id_ is None:
            raise UsageError(
                f"{path}, line {number}: no `doc_id`", "it is read as samples of lm-eval", "mend or remove the line"
            )
        yield _answer(id_, line)


def _answer(id_: str, line: dict[str, Any]) -> Answer:
    named = line.get("metrics")
    metrics = named if isinstance(named, list) else [key for key in line if key not in OWN_KEYS]
    chosen, filter_ = _first(line.get("filtered_resps")), text_of(line.get("filter")) or "none"
    answer = chosen if isinstance(chosen, str) else None
    text = _first(_first(line.get("resps")))
    return Answer(
        id=id_,
        scores={f"{metric},{filter_}": Score(line.get(metric), answer) for metric in metrics},
        question=_question(line),
        gold=text_of(line.get("target")),
        text=text if isinstance(text, str) else "",
    )


def _question(line: dict[str, Any]) -> str | None:
    """What the document asks, else the prompt as it was sent."""
    doc = mapping(line.get("doc"))
    question = next((doc[name] for name in QUESTIONS if isinstance(doc.get(name), str) and doc[name].strip()), None)
    if question is not None:
        return str(question)
    arguments = line.get("arguments")
    first = next(iter(arguments.values()), None) if isinstance(arguments, dict) else _first(arguments)
    prompt = first.get("arg_0") if isinstance(first, dict) else _first(first)
    return prompt if isinstance(prompt, str) else None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None
