"""The shape of a repository's name on a hub, the same for data sets, models and what is sent there."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(f"(?:(?P<owner>{_PART})/)?{_PART}")


def is_repository(name: str, *, owner: bool = True) -> bool:
    """Whether a hub could have a repository of this name: OWNER/NAME, or NAME alone where `owner` is False.

    Each part has at most 96 letters, digits, `_`, `-` and `.`, of which the last two neither begin nor end it and are
    not doubled, and the end is not `.git`, as huggingface_hub's `validate_repo_id` has it.
    """
    match = _REPOSITORY.fullmatch(name)
    allowed = "--" not in name and ".." not in name and not name.endswith(".git")
    return bool(match and (match["owner"] or not owner)) and allowed


def is_hub_id(name: str, *, owner: bool = True, files: tuple[str, ...] = ()) -> bool:
    """Whether a name that is no path here means a repository of the hub.

    Not where its owner is a folder here, for then a file is missing and nobody meant the hub; nor where it is nearly
    the path of something here; nor where it ends like one of `files` (suffixes with their dot).
    """
    if not is_repository(name, owner=owner) or Path(name).suffix.lower() in files:
        return False
    return "/" not in name or not (Path(name).parent.is_dir() or nearly_here(name))


def nearly_here(name: str) -> str | None:
    """The path that a name may be a slip of: `runs/recipe` of `rnus/recipe`, where that is here; else None."""
    folder, _, rest = name.partition("/")
    try:
        folders = [each.name for each in Path().iterdir() if each.is_dir()]
    except OSError:
        return None
    paths = (Path(near) / rest for near in get_close_matches(folder, folders))
    return next((str(path) for path in paths if rest and path.exists()), None)
