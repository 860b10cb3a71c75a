"""The first problems of a recipe run for real, to measure how many calls a problem takes, how long they are, how many
replies cannot be read, and how long one takes to come.

They run in a directory of their own, with the replies kept in the run's store and paid on its account, so that the
run does not pay for them again.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errata.config.env import expand
from errata.errors import EXIT_INTERRUPTED, UsageError
from errata.graphs.call_counts import Range
from errata.llm.reply_counts import ReplyCounts, added, counts_of, total
from errata.records import Transcript, digest
from errata.runs.funnel import Funnel
from errata.runs.recipe import SynthRecipe
from errata.runs.reply_store import reply_store
from errata.runs.run_dir import RunDir, index_log, read_lines

Key = tuple[str, str, str]
"""Stage, verb, agent."""


@dataclass(frozen=True)
class Tokens:
    """Prompt and completion tokens of one call."""

    prompt: float
    completion: Range


@dataclass(frozen=True)
class Pilot:
    """What a pilot has measured: calls per problem, fresh tries among them, and tokens, replies and time per call."""

    problems: int
    calls: Mapping[Key, float]
    tokens: Mapping[Key, Tokens]
    replies: Mapping[Key, ReplyCounts] = field(default_factory=dict)
    seconds: Mapping[Key, float] = field(default_factory=dict)
    """Of the calls that were paid for, by this pilot or by the run before; a reply from the store has no time."""

    @property
    def unreadable(self) -> float:
        """Share of the replies that could not be read."""
        sum_ = total(self.replies.values())
        return sum_.unreadable / max(sum_.replies, 1)

    def figures(self) -> dict[str, Any]:
        """The measurement as JSON-able values."""
        return {"problems": self.problems, "replies": [self._row(key) for key in sorted(self.replies)]}

    def _row(self, key: Key) -> dict[str, Any]:
        stage, verb, agent = key
        counted = self.replies[key]
        tokens, seconds = counted.prompt_tokens + counted.completion_tokens, self.seconds.get(key)
        return {
            "agent": agent,
            "stage": stage,
            "verb": verb,
            "replies": counted.replies,
            **{name: getattr(counted, name) for name in ("unreadable", "cut_off", "fresh_tries", "fresh_tokens")},
            "fresh_usd": counted.figures()["fresh_usd"],
            "tokens_per_call": round(tokens / counted.replies, 1),
            "seconds_per_call": None if seconds is None else round(seconds, 6),
        }


def run_pilot(recipe: SynthRecipe, problems: int) -> Pilot:
    """Runs the first problems for real. Raises what ends the run early, and UsageError where no problem was settled."""
    from errata.runs.runner import synthesize

    directory = RunDir(Path(expand(recipe.runs)) / recipe.name)
    store = reply_store(recipe, directory)
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
        manifests = [RunDir(path).manifest() for path in (directory.path, summary.run)]
    settled = [each for each in transcripts if each.outcome.status != "failed"]
    if not settled:
        raise UsageError("no problem of the pilot was settled", "there is nothing to measure", "see its failures above")
    return measure(settled, added(*(counts_of(manifest.get("replies")) for manifest in manifests)))


def measure(transcripts: Sequence[Transcript], paid: Mapping[tuple[str, str, str], ReplyCounts]) -> Pilot:
    """Calls of a problem, tokens and replies by stage, verb and agent, and the time of the calls that were `paid`.

    Calls that ask the very same thing, as reviews of two equal texts do, count once: they are paid once.
    """
    tokens_of: dict[Key, list[tuple[int, int]]] = defaultdict(list)
    questions, funnel = set(), Funnel()
    for transcript in transcripts:
        funnel.add(transcript)
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
    return Pilot(
        len(transcripts),
        {key: len(counts) / len(transcripts) for key, counts in tokens_of.items()},
        tokens,
        {(stage, verb, agent): counted for (agent, stage, verb), counted in funnel.replies.items()},
        {(stage, verb, agent): each.seconds / each.replies for (agent, stage, verb), each in paid.items()},
    )
