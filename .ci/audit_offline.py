"""Holds what constraints.txt pins against a file of advisories, without a network: ERRATA_ADVISORIES=FILE make audit.

FILE holds advisories in the form of osv.dev: one JSON object per line, or one JSON array. Exit 1 where one that is not
accepted concerns a pinned version; 2 where the file cannot be read, or knows nothing of PyPI.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


def advisories(text: str) -> list[dict[str, Any]]:
    """The advisories in a file. Raises ValueError."""
    if text.lstrip().startswith("["):
        read: list[dict[str, Any]] = json.loads(text)
        return read
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def pinned(constraints: str) -> dict[str, Version]:
    """Versions by name of what a constraints file pins."""
    lines = (re.sub(r"\s+#.*|^#.*", "", line).strip() for line in constraints.splitlines())
    versions = {}
    for requirement in (Requirement(line) for line in lines if line):
        exact = [each.version for each in requirement.specifier if each.operator == "=="]
        if exact:
            versions[canonicalize_name(requirement.name)] = Version(exact[0])
    return versions


def concerns(affected: dict[str, Any], version: Version) -> bool:
    """Whether one `affected` entry of an advisory covers this version."""
    if str(version) in affected.get("versions", ()):
        return True
    return any(
        _within(each.get("events", ()), version) for each in affected.get("ranges", ()) if each.get("type") != "GIT"
    )


def _within(events: list[dict[str, str]], version: Version) -> bool:
    inside = False
    for event in sorted(events, key=lambda event: _version(next(iter(event.values())))):
        ((kind, at),) = event.items()
        if kind == "introduced" and version >= _version(at):
            inside = True
        elif (kind == "fixed" and version >= _version(at)) or (kind == "last_affected" and version > _version(at)):
            inside = False
    return inside


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def found(known: list[dict[str, Any]], versions: dict[str, Version], accepted: set[str]) -> Iterator[str]:
    """What is to be said, one line per package and advisory."""
    for advisory in known:
        names = {advisory["id"], *advisory.get("aliases", ())}
        if advisory.get("withdrawn") or names & accepted:
            continue
        for affected in advisory.get("affected", ()):
            name = canonicalize_name(affected.get("package", {}).get("name", ""))
            if name in versions and concerns(affected, versions[name]):
                yield f"{name} {versions[name]}: {', '.join(sorted(names))}"


def main(file: str, constraints: str, *accepted: str) -> int:
    try:
        known = advisories(Path(file).read_text(encoding="utf-8"))
        packages = {each.get("package", {}).get("ecosystem") for one in known for each in one.get("affected", ())}
    except (OSError, ValueError, AttributeError) as error:
        print(f"{file} cannot be read: {error}", file=sys.stderr)
        return 2
    if "PyPI" not in packages:
        print(f"{file} holds no advisory of PyPI in the form of osv.dev", file=sys.stderr)
        return 2
    versions = pinned(Path(constraints).read_text(encoding="utf-8"))
    lines = sorted(set(found(known, versions, set(accepted))))
    print("\n".join(lines) or f"{len(versions)} packages, {len(known)} advisories: none concerns a pinned version")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
