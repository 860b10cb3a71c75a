"""Eval items inside the page: how every student answered each problem, to list what a method cured and broke."""

from __future__ import annotations

from typing import Any

from errata.evals.results import QUESTION_META, Item
from errata.report.embedded_data import QUESTION, Archive
from errata.report.eval_results import Results, mistake_of
from errata.report.log_totals import difficulty

Json = dict[str, Any]
MOST_STUDENTS = 24
"""Directories whose answers stand side by side."""


def embed(results: Results, archive: Archive) -> Json:
    """Writes each item with its answers into the archive; returns the index the page filters by."""
    evals = results.evals[:MOST_STUDENTS]
    tables = [{item.key: item for item in each.items} for each in evals]
    index: Json = {
        "students": [results.label(each) for each in evals],
        "untouched": [each.manifest.baseline for each in evals],
        "tasks": [],
        "ids": [],
        "questions": [],
        "right": ["" for _ in evals],
        "facets": {},
    }
    for key in results.every_key():
        answered = [table.get(key) for table in tables]
        first = next((item for item in answered if item is not None), None)
        if first is None or not archive.add(_entry(first, answered)):
            continue
        number = len(index["ids"])
        index["ids"].append(key.id)
        index["tasks"].append(key.task)
        index["questions"].append(" ".join(str(first.meta.get("question") or key.id)[:QUESTION].split()))
        index["right"] = [
            marks + ("-" if item is None else "1" if float(item.correct) > 0.5 else "0")
            for marks, item in zip(index["right"], answered, strict=True)
        ]
        facets = {"task": key.task, **{name: str(value) for name, value in difficulty(first.meta).items()}}
        kinds = {kind for item in answered if item is not None and (kind := mistake_of(item))}
        for name, value in (*facets.items(), *(("mistake", kind) for kind in sorted(kinds))):
            if value:
                index["facets"].setdefault(name, {}).setdefault(value, []).append(number)
    return index


def _entry(first: Item, answered: list[Item | None]) -> Json:
    meta = {name: value for name, value in first.meta.items() if name not in (*QUESTION_META, "mistake", "sound")}
    return {
        "id": first.id,
        "task": first.task,
        "question": str(first.meta.get("question") or ""),
        "golds": [str(first.meta.get("gold") or ""), *map(str, first.meta.get("answers") or ())],
        "choices": [*map(str, first.meta.get("choices") or ())],
        "meta": meta,
        "answers": [None if item is None else _answer(item) for item in answered],
    }


def _answer(item: Item) -> Json:
    """The first sample's text; of several, how many were right."""
    return {
        "correct": item.correct,
        "answer": item.answer,
        "text": item.samples[0].text if item.samples else "",
        "samples": len(item.samples),
        "right": sum(sample.correct for sample in item.samples),
        "tokens": item.tokens,
        "truncated": item.truncated,
        "mistake": mistake_of(item),
        "sound": item.meta.get("sound"),
    }
