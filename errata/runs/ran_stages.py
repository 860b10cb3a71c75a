"""Which stages ran, and the roles of what they wrote, as a run's manifest tells: no stage is loaded for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JUDGED_ROLES = ("teacher", "revised")
SHIPPED_ROLES = ("student", "teacher", "revised", "rectified", "corrupted")
"""In the order in which a lesson writes them."""
SHIPPED_STAGES = ("exam", "rationales", "peer_review", "mistake_explanation", "dual_cot", "locate", "shorten_thinking")
"""By name, for status loads no stage."""


def stages_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The stages that ran, with the roles that each writes and their use; empty where the manifest is older."""
    stages = manifest.get("stages")
    named = [each for each in stages if isinstance(each, dict)] if isinstance(stages, list) else []
    roles = [each.get("roles") for each in named]
    return {
        str(each.get("name")): {str(role): str(use) for role, use in (own if isinstance(own, dict) else {}).items()}
        for each, own in zip(named, roles, strict=True)
    }


def own_stages(manifest: Mapping[str, Any]) -> list[str]:
    """The stages of one's own among those that ran, by name."""
    return [name for name in stages_of(manifest) if name not in SHIPPED_STAGES]


def own_targets(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Roles of rationales that a student may learn from and that stages of one's own write."""
    roles = [pair for each in stages_of(manifest).values() for pair in each.items()]
    return tuple(dict.fromkeys(role for role, use in roles if use == "target" and role not in SHIPPED_ROLES))


def judged_roles(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Roles of the rationales whose panel verdicts enter the acceptance: drafts, revisions, one's own targets."""
    return (*JUDGED_ROLES, *own_targets(manifest))
