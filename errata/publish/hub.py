"""A hub to send files to: what goes there is said first, private unless told, with a key that was named for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from errata.config.hub_ids import is_repository
from errata.errors import ErrataError, UsageError
from errata.publish.files import Upload

Kind = Literal["dataset", "model"]
HUB, TOKEN = "https://huggingface.co", "HF_TOKEN"
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Destination:
    """Where files go: `endpoint` is a hub's address, `token_env` names the variable that holds its key."""

    endpoint: str
    repo: str
    kind: Kind
    token_env: str
    public: bool = False

    def __str__(self) -> str:
        access = "public, anybody can read it" if self.public else "private"
        return f"{self.endpoint} as {self.kind} {self.repo} ({access}), with the key in {self.token_env}"


def destination(
    repo: str, kind: Kind, *, endpoint: str | None = None, token_env: str | None = None, public: bool = False
) -> Destination:
    """Where to, by default to HF_ENDPOINT or the Hugging Face hub with HF_TOKEN.

    Raises UsageError for a name that is no ORG/NAME, for an address that would show the key to the network, and where
    the hub's own key would go to another host without a word.
    """
    address = (endpoint or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    parts = urlsplit(address)
    if not is_repository(repo):
        raise UsageError(f"--to {repo}", "a repository is called ORG/NAME", "name it so, as in --to me/sft-rows")
    if parts.scheme != "https" and parts.hostname not in _HERE:
        raise UsageError(f"the hub {address}", "the key would pass the network in the clear", "name an https address")
    if parts.hostname != urlsplit(HUB).hostname and token_env is None:
        raise UsageError(
            f"the hub {address}",
            f"{TOKEN} is the key of {HUB}, and goes to no other host without a word",
            "name the variable that holds this hub's key: --token-env NAME",
        )
    return Destination(address, repo, kind, token_env or TOKEN, public)


def plan_lines(to: Destination, uploads: Sequence[Upload]) -> list[str]:
    """What would be sent, a line for the whole and one per file."""
    size = sum(each.bytes for each in uploads)
    files = f"{len(uploads)} file{'s' if len(uploads) != 1 else ''}"
    return [f"sends {files}, {_size(size)}, to {to}", *(f"  {each.name}  {_size(each.bytes)}" for each in uploads)]


def _size(size: int) -> str:
    return f"{size:,} bytes" if size < 2**20 else f"{size / 2**20:,.1f} MiB"


def send(to: Destination, uploads: Sequence[Upload], say: Callable[[str], None]) -> str:
    """Says what goes where, sends it as one commit and returns its address.

    Raises UsageError where the variable is not set, or a repository of this name is public and `to` is not; ErrataError
    where the hub refuses or cannot be reached.
    """
    from httpx import HTTPError
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    token = os.environ.get(to.token_env)
    if not token:
        raise UsageError(
            f"{to.token_env} is not set", "the hub takes nothing without its key", "set it, or --token-env"
        )
    for line in plan_lines(to, uploads):
        say(line)
    api = HfApi(endpoint=to.endpoint, token=token, library_name="errata")
    operations = [
        CommitOperationAdd(each.name, each.content if isinstance(each.content, bytes) else str(each.content))
        for each in uploads
    ]
    try:
        _make_room(api, to)
        with _without_xet(to.endpoint != HUB):
            done = api.create_commit(to.repo, operations, commit_message="From errata", repo_type=to.kind)
    except HfHubHTTPError as error:
        raise _refused(to, str(error), token) from error
    except (HTTPError, OSError) as error:  # a host that does not answer, or a file that cannot be read
        raise _refused(to, f"{type(error).__name__}: {error}", token) from error
    return str(done.commit_url)


@contextmanager
def _without_xet(here: bool) -> Iterator[None]:
    """Large files by plain HTTP (Git LFS): the client asks every hub for Xet storage, and waits where there is none."""
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = before or here
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


def _make_room(api: Any, to: Destination) -> None:
    """The repository, made where it is missing. Raises UsageError for one that shows more than was said."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        there = api.repo_info(to.repo, repo_type=to.kind)
    except RepositoryNotFoundError:
        api.create_repo(to.repo, repo_type=to.kind, private=not to.public)
        return
    if there.private is False and not to.public:
        raise UsageError(
            f"{to.repo} is there already and public",
            "what is sent is private unless it is said that anybody may read it",
            "send it with --public, or name another repository",
        )


def _refused(to: Destination, message: str, token: str) -> ErrataError:
    return ErrataError(
        f"{to.endpoint}: {message.replace(token, '***')}"[:600],
        f"nothing or not all was sent to {to.repo}",
        f"see that the key in {to.token_env} may write there, and send it again",
    )
