"""Details of lighteval (0.10 and later): `details/MODEL/DATE/details_TASK_DATE.parquet` of --save-details.

https://huggingface.co/docs/lighteval/saving-and-reading-results: a row has `doc`, `model_response` and `metric`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from errata.errors import UsageError
from errata.evals.foreign.bounded import LARGEST_WHOLE
from errata.evals.foreign.log import Answer, Log, Score, Source, mapping, text_of, to_log

COLUMNS = ("doc", "metric", "model_response")
BATCH = 64
"""Rows held at a time: they hold every token's number."""
_NAME = re.compile(r"details_(?P<task>.+?)_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)\.parquet")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT[\d.:-]+")


def read_details(path: Path, wanted: Sequence[str] = ()) -> Log:
    """One file of details. UsageError for a Parquet file of anything else."""
    return to_log(_source(path), _answers(path), wanted)


def _source(path: Path) -> Source:
    named = _NAME.fullmatch(path.name)
    parts = path.resolve().parts[:-1]
    if "details" in parts:
        last = len(parts) - 1 - parts[::-1].index("details")
        model = "/".join(part for part in parts[last + 1 :] if not _DATE.fullmatch(part))
    else:
        model = ""
    return Source(
        path=path,
        tool="lighteval",
        version="",
        model=model or path.stem,
        task=named["task"] if named else path.stem,
    )


def _answers(path: Path) -> Iterator[Answer]:
    for number, row in enumerate(_rows(path)):
        doc, reply = mapping(row["doc"]), mapping(row["model_response"])
        query, id_ = doc.get("original_query") or doc.get("query"), text_of(doc.get("id"))
        tokens = reply.get("output_tokens")
        yield Answer(
            id=str(number) if id_ is None else id_,
            scores={name: Score(value) for name, value in mapping(row["metric"]).items()},
            question=query if isinstance(query, str) else None,
            gold=_gold(doc),
            text=text_of((reply.get("text") or [None])[0]) or "",
            tokens=sum(len(each) for each in tokens if isinstance(each, list)) if isinstance(tokens, list) else 0,
        )


def _gold(doc: dict[str, Any]) -> str | None:
    choices, index = doc.get("choices"), doc.get("gold_index")
    places = index if isinstance(index, list) else [index]
    if not isinstance(choices, list):
        return None
    return text_of([choices[n] for n in places if isinstance(n, int) and 0 <= n < len(choices)])


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            names = file.schema_arrow.names
            if missing := [name for name in COLUMNS if name not in names]:
                raise UsageError(
                    f"{path}: no column {', '.join(missing)}; it has {', '.join(names[:8])}",
                    "it is read as details of lighteval 0.10 or later",
                    "evaluate again with a later lighteval, or write JSON lines with `id` and `correct` of it",
                )
            size = sum(file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups))
            if size > LARGEST_WHOLE:
                raise UsageError(f"{path}: {size:,} bytes unpacked", "a log is read within bounds", "split the file")
            for batch in file.iter_batches(batch_size=BATCH, columns=list(COLUMNS)):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"{path}: {reason}", "it is read as details of lighteval", "check the file") from error
