"""What a reader of a run's figures must know, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from errata.llm.declined import notes_on, refused_in
from errata.llm.reply_counts import Key, ReplyCounts, counts_of, too_short
from errata.llm.unknown_prompts import unknown_prompt_notes
from errata.runs.log_lines import damage_note
from errata.runs.run_dir import LogIndex, RunDir


def notes(
    run: RunDir,
    index: LogIndex,
    manifest: Mapping[str, Any],
    *,
    replies: Mapping[Key, ReplyCounts],
    fallbacks: Mapping[str, Mapping[str, int]],
    unpriced: Iterable[str],
) -> list[str]:
    """Notes on the log and its manifest, and on what the log holds: replies, fallbacks, agents without a price."""
    lines = []
    if not manifest:
        lines.append("manifest.json is missing: pending problems, paid calls and cost are unknown")
    if index.torn:
        lines.append(f"the log ends in a torn line of {index.torn} bytes: the next run cuts it off")
    if index.damaged:
        lines.append(damage_note(run.log, index.damaged))
    lost = manifest.get("spent", {}).get("all_runs", {}).get("lost", 0)
    if lost:
        lines.append(
            f"{lost} paid replies could not be used: they count with what they state, else with the most expected"
        )
    lines += batch_notes(manifest)
    lines += unknown_prompt_notes(manifest.get("unknown_prompts", {}))
    lines += too_short(counts_of(manifest.get("replies")) or replies).values()
    lines += notes_on(refused_in(manifest))
    lines += [
        f"{number} calls were answered by {speaker} in the place of {agent}: another run may not give the same bytes"
        for agent, counted in sorted(fallbacks.items())
        for speaker, number in sorted(counted.items())
    ]
    if agents := sorted(unpriced):
        lines.append(f"no price is known for {', '.join(agents)}: give the agent a price: in the recipe")
    return lines


def batches_in(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Batches that were at their providers when the manifest was written, their calls and those answered by then."""
    batches = manifest.get("batches")
    there = batches.get("open") if isinstance(batches, dict) else None
    known = [each for each in there if isinstance(each, dict)] if isinstance(there, list) else []
    sums = {name: sum(each.get(name) or 0 for each in known) for name in ("calls", "done")}
    return {"open": len(known), **sums}


def batch_notes(manifest: Mapping[str, Any]) -> list[str]:
    """What to say of batches that are at their providers."""
    there = batches_in(manifest)
    if not there["open"]:
        return []
    return [
        f"{there['open']} batches with {there['calls']:,} calls are at their providers, {there['done']:,} answered: "
        "the same command goes on with them, and pays for none of them again"
    ]
