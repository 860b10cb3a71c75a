"""Prompts of one's own that the simulated faculty does not know: its replies to them measure nothing."""

from __future__ import annotations

from collections.abc import Mapping


def unknown_prompt_notes(counts: Mapping[str, int]) -> list[str]:
    """What to say of replies to prompts that the simulated faculty does not know, by prompt."""
    return [
        f"the simulated faculty does not know what the prompt {prompt} asks for: its {number} replies retell the "
        "rationale shown, or solve the problem, and are no measure of the idea; ask a real model"
        for prompt, number in sorted(counts.items())
    ]
