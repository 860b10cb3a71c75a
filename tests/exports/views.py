"""Recipes as the formats see them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from errata.agents.prompts import load_prompts
from errata.exports.transcript_view import Source
from tests.small_runs import small


@cache
def source_of(stages: str) -> Source:
    """Of a small run with these stages, by default its own."""
    recipe = small(Path("none"), *([f"stages=[{stages}]"] if stages else []))
    return Source(recipe, load_prompts(), tuple((stage.name, stage.roles) for stage in recipe.pipeline))
