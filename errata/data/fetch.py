"""`errata data fetch NAME`: a public data set onto this machine, each file only where it is the one that was meant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from errata.config.files import write_whole
from errata.data.public_sets import SETS, PublicFile, PublicSet
from errata.errors import ErrataError, UsageError, did_you_mean

SECONDS = 60.0
"""That a host may take to answer, or between two parts of a file."""


def set_named(name: str, sets: Sequence[PublicSet] = SETS) -> PublicSet:
    """Raises UsageError for a name that is not known, with the nearest one."""
    for each in sets:
        if each.name == name:
            return each
    names = [each.name for each in sets]
    raise UsageError(
        f"no public data set {name}", f"known are {', '.join(names)}", did_you_mean(name, names, "name one of them")
    )


def fetch(chosen: PublicSet, folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Downloads what is not there yet; the files' places.

    Each file is read to its stated size at most, held against its hash and only then put in place, so that a stopped
    download leaves none and the same command goes on with the files that are missing. No redirect is followed.

    Raises:
        UsageError: a file of another content stands in a place.
        ErrataError: the host does not answer, answers with an error or a redirect, or sends something else.
    """
    say(f"{chosen.name}: {chosen.about}")
    say(f"licence: {chosen.licence}")
    places = [folder / each.place for each in chosen.files]
    with httpx.Client(follow_redirects=False, timeout=SECONDS) as client:
        for each, place in zip(chosen.files, places, strict=True):
            if _is_there(each, place):
                say(f"there    {place}")
                continue
            say(f"fetches  {each.address}, {each.bytes:,} bytes, sha256 {each.sha256}")
            content = _download(client, each)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, content)
    return places


def _is_there(file: PublicFile, place: Path) -> bool:
    if not place.exists():
        return False
    if place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == file.sha256:
        return True
    raise UsageError(
        f"{place} is there, and is another file than {file.address}",
        "nothing is written over",
        "move it away, or fetch into another folder: --into FOLDER",
    )


def _download(client: httpx.Client, file: PublicFile) -> bytes:
    try:
        with client.stream("GET", file.address, headers={"Accept-Encoding": "identity"}) as reply:
            if reply.status_code != httpx.codes.OK:
                raise _unfetched(file, f"answers {reply.status_code}{_elsewhere(reply)}")
            content = b"".join(_bounded(reply, file))
    except httpx.HTTPError as error:
        raise _unfetched(file, f"{type(error).__name__}: {error}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise _unfetched(file, f"sends {len(content):,} bytes of sha256 {digest}, not {file.sha256}")
    return content


def _bounded(reply: httpx.Response, file: PublicFile) -> Iterator[bytes]:
    read = 0
    for part in reply.iter_raw():
        read += len(part)
        if read > file.bytes:
            raise _unfetched(file, f"sends more than the {file.bytes:,} bytes of the file")
        yield part


def _elsewhere(reply: httpx.Response) -> str:
    return f", to {reply.headers['location']}" if reply.is_redirect else ""


def _unfetched(file: PublicFile, fault: str) -> ErrataError:
    return ErrataError(
        f"{urlsplit(file.address).hostname} {fault}",
        f"{file.place} is not what recipes mean, and was not written",
        f"try again later, or put the file of sha256 {file.sha256} there by hand",
    )
