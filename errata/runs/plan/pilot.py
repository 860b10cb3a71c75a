"""The first problems of a recipe run for real, to measure how many calls a problem takes and how long they are.

They run in a directory of their own, with the replies kept in the run's store and paid on its account, so that the
run does not pay for them again.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from errata.config.env import expand
from errata.errors import EXIT_INTERRUPTED, UsageError
from errata.graphs.call_counts import Range
from errata.records import Transcript, digest
from errata.runs.recipe import SynthRecipe
from errata.runs.reply_store import reply_store
from errata.runs.run_dir import RunDir, index_log, read_lines

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Tokens:
    """Prompt and completion tokens of one call."""

    prompt: float
    completion: Range


@dataclass(frozen=True)
class Pilot:
    """What a pilot has measured: calls of a problem and tokens of a call."""

    problems: int
    calls: Mapping[Key, float]
    tokens: Mapping[Key, Tokens]


def run_pilot(recipe: SynthRecipe, problems: int) -> Pilot:
    """Runs the first problems for real. Raises what ends the run early, and UsageError where no problem was settled."""
    from errata.runs.runner import synthesize

    store = reply_store(recipe, RunDir(Path(expand(recipe.runs)) / recipe.name))
    with tempfile.TemporaryDirectory(prefix="errata-pilot-") as folder:
        changed = {"runs": folder, "limit": problems, "store": str(store.folder)}
        # booked on the run itself, whose replies these are, so that its budget and its figures hold them
        summary = asyncio.run(synthesize(recipe.model_copy(update=changed), signals=True, ledger=store.for_pilot))
        if summary.error:
            raise summary.error
        if summary.exit_code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        log = summary.run / "transcripts.jsonl"
        transcripts = [Transcript.from_line(line) for line in read_lines(log, index_log(log).offsets)]
    settled = [each for each in transcripts if each.outcome.status != "failed"]
    if not settled:
        raise UsageError("no problem of the pilot was settled", "there is nothing to measure", "see its failures above")
    return measure(settled)


def measure(transcripts: Sequence[Transcript]) -> Pilot:
    """Calls of a problem and tokens of a call, by stage, verb and agent.

    Calls that ask the very same thing, as reviews of two equal texts do, count once: they are paid once.
    """
    tokens_of: dict[Key, list[tuple[int, int]]] = defaultdict(list)
    questions = set()
    for transcript in transcripts:
        for call in transcript.calls:
            same = digest(call.agent, [message.content for message in call.messages], call.sample, call.attempt)
            if same not in questions:
                questions.add(same)
                tokens_of[call.stage or "", call.verb, call.agent].append((call.prompt_tokens, call.completion_tokens))
    tokens = {}
    for key, counts in tokens_of.items():
        completions = [completion for _, completion in counts]
        mean = sum(completions) / len(counts)
        prompt = sum(prompt for prompt, _ in counts) / len(counts)
        tokens[key] = Tokens(prompt, Range(min(completions), mean, max(completions)))
    return Pilot(len(transcripts), {key: len(counts) / len(transcripts) for key, counts in tokens_of.items()}, tokens)
