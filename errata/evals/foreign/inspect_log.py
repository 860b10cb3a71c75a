"""Logs of inspect_ai: `.eval`, a zip of one JSON file per sample, and `.json`, all in one.

https://inspect.aisi.org.uk/eval-logs.html; the fields are those of its EvalLog and EvalSample (version 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from errata.errors import UsageError
from errata.evals.foreign.bounded import Zip, json_file
from errata.evals.foreign.log import Answer, Log, Score, Source, mapping, text_of, to_log

HEADER, STARTED = "header.json", "_journal/start.json"
BEGINNING = 4096
"""Bytes by which a JSON log is known; `eval` is its third key."""
NO_SETTING = ("seed",)
"""Of the generation settings, those by which seeds of one arm differ."""
_ATTACHMENT = re.compile(r"attachment://([0-9a-f]{32})")


def read_eval_log(path: Path, wanted: Sequence[str] = ()) -> Log:
    """An `.eval` file; one that was not finished has the samples that it has. UsageError for anything else."""
    with Zip(path) as log:
        names = set(log.names)
        head = next((name for name in (HEADER, STARTED) if name in names), None)
        if head is None:
            raise _no_log(path, f"neither {HEADER} nor {STARTED} in it")
        samples = (log.json(name) for name in log.names if name.startswith("samples/") and name.endswith(".json"))
        return to_log(_source(path, log.json(head)), _answers(path, samples), wanted)


def is_json(path: Path) -> bool:
    """Whether the file begins as such a log does."""
    try:
        with path.open("rb") as file:
            return b'"eval"' in file.read(BEGINNING)
    except OSError:
        return False


def read_json_log(path: Path, wanted: Sequence[str] = ()) -> Log:
    """A `.json` file. UsageError for anything else, and for a log without samples."""
    log = json_file(path)
    if not (isinstance(log, dict) and isinstance(log.get("eval"), dict) and isinstance(log.get("samples"), list)):
        raise _no_log(path, "no `eval` with its `samples` in it")
    return to_log(_source(path, log), _answers(path, log["samples"]), wanted)


def _no_log(path: Path, fault: str) -> UsageError:
    return UsageError(f"{path}: {fault}", "it is read as a log of inspect_ai", "name a log that holds samples")


def _source(path: Path, head: Any) -> Source:
    head = mapping(head)
    spec = mapping(head.get("eval"))
    config = {key: value for key, value in mapping(spec.get("model_generate_config")).items() if key not in NO_SETTING}
    plan = [
        {"solver": mapping(step).get("solver"), "params": mapping(step).get("params")}
        for step in mapping(head.get("plan")).get("steps") or ()
    ]
    return Source(
        path=path,
        tool="inspect_ai",
        version=str(mapping(spec.get("packages")).get("inspect_ai", "")),
        model=str(spec.get("model") or ""),
        task=str(spec.get("task") or path.stem),
        settings={"generate": config, "plan": plan, "task_args": mapping(spec.get("task_args"))},
        finished=head.get("status") == "success",
    )


def _answers(path: Path, samples: Any) -> Iterator[Answer]:
    for sample in samples:
        if not isinstance(sample, dict) or not isinstance(sample.get("id"), str | int):
            raise _no_log(path, "a sample without `id`")
        yield _answer(sample)


def _answer(sample: dict[str, Any]) -> Answer:
    attached, output = mapping(sample.get("attachments")), mapping(sample.get("output"))
    choices = output.get("choices")
    choice = mapping(choices[0]) if isinstance(choices, list) and choices else {}
    tokens, epoch = mapping(output.get("usage")).get("output_tokens"), sample.get("epoch")
    question = _prompt(sample.get("input"))
    return Answer(
        id=str(sample["id"]),
        scores=dict(_scores(mapping(sample.get("scores")))),
        question=_whole(question, attached) if question else None,
        gold=text_of(sample.get("target")),
        text=_whole(_content(mapping(choice.get("message")).get("content")), attached),
        tokens=tokens if isinstance(tokens, int) else 0,
        truncated=choice.get("stop_reason") in ("max_tokens", "model_length"),
        attempt=epoch if isinstance(epoch, int) else 0,
    )


def _scores(scores: dict[str, Any]) -> Iterator[tuple[str, Score]]:
    """By scorer; one that gives several values by name has `scorer.name` for each."""
    for name, score in scores.items():
        value, answer = mapping(score).get("value"), text_of(mapping(score).get("answer"))
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", Score(each, answer)) for key, each in value.items())
        else:
            yield name, Score(value, answer)


def _prompt(value: Any) -> str:
    """A sample's input: a text, or the last message of the user in a list of them."""
    if isinstance(value, list):
        questions = [mapping(each) for each in value if mapping(each).get("role") == "user"]
        return _content(questions[-1].get("content")) if questions else ""
    return value if isinstance(value, str) else ""


def _content(value: Any) -> str:
    """A message's content: a text, or the texts among its parts."""
    if isinstance(value, list):
        texts = [mapping(each).get("text") for each in value if mapping(each).get("type") == "text"]
        return "\n".join(text for text in texts if isinstance(text, str))
    return value if isinstance(value, str) else ""


def _whole(text: str, attached: dict[str, Any]) -> str:
    """The text with what stands in the sample's attachments put back."""
    return _ATTACHMENT.sub(lambda match: str(attached.get(match[1], match[0])), text)
