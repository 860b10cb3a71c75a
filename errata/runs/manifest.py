"""Where a run comes from: versions, git commit, prompts, seed; what manifest.json says beside the counts."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from errata import __version__
from errata.agents.prompts import Prompts
from errata.runs.recipe import SynthRecipe

SCHEMA = 1
PACKAGES = (
    "langgraph", "langchain-openai", "openai", "litellm", "pydantic", "diskcache", "math-verify", "datasets",
    "torch", "transformers", "krippendorff",
)  # fmt: skip


def provenance(recipe: SynthRecipe, prompts: Prompts) -> dict[str, Any]:
    """The manifest of a run before its counts. Holds no key and no environment."""
    return {
        "schema": SCHEMA,
        "name": recipe.name,
        "graph": recipe.graph,
        "stages": [{"name": stage.name, "roles": dict(stage.roles)} for stage in recipe.pipeline],
        "code": {name: code._asdict() for name, code in recipe.code.items()},
        "seed": recipe.seed,
        "licence": recipe.licence,
        "prompts": prompts.hashes(),
        "agents": {spec.name: spec.model for spec in recipe.agents.everyone},
        "versions": {"errata": __version__, "python": platform.python_version(), **versions()},
        "platform": sys.platform,
        "git": git(),
    }


def versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def git() -> dict[str, Any] | None:
    """Commit of the working directory and whether its files differ from it; None outside a repository."""
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*words: str) -> str:
    # a clean environment, and no monitor program that the folder's own configuration names: nothing here runs code
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"LC_ALL": "C"}
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environment)
    return done.stdout.strip()
