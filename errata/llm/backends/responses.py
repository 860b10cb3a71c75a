"""What a provider's server may send back: no redirect is followed, and no body is read beyond a bound.

A server that a recipe names, or whoever sits before it, could send key and prompt on to another host, or a few
kilobytes that unpack to gigabytes.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Mapping
from urllib.parse import urljoin, urlsplit

import orjson

from errata.llm.request import ProviderFailure
from errata.llm.stored_reply import token_count

LONGEST_BODY = 16 * 2**20
"""Bytes of a body after it is unpacked: many times what a model can write in one reply."""
ACCEPTED_ENCODINGS = "gzip, deflate"
"""Those that are unpacked piece by piece here, so that the bound holds."""
_ZLIB_OR_GZIP = 47
"""What zlib calls: either of the two, as the header says."""


def refuse_redirect(status: int, headers: Mapping[str, str], url: str) -> None:
    """Raises a fatal ProviderFailure for a redirect: the address is part of every call's key, and keys stay with it."""
    if not 300 <= status < 400:
        return
    host = urlsplit(url).netloc.rpartition("@")[2]
    target = urlsplit(urljoin(url, headers.get("location", "")))
    to = f"{target.scheme}://{target.netloc.rpartition('@')[2]}{target.path}"[:300]
    raise ProviderFailure(
        f"{status}: {host} redirects to {to}; no redirect is followed, for key and prompt would go there: "
        "name that address as api_base if you trust it",
        fatal=True,
    )


async def read_body(chunks: AsyncIterable[bytes], encoding: str = "") -> bytes:
    """The body, unpacked. Raises ProviderFailure where it is longer than LONGEST_BODY or packed in another way."""
    unpack = _unpacker(encoding)
    body = bytearray()
    async for chunk in chunks:
        body += unpack.decompress(chunk, LONGEST_BODY + 1 - len(body)) if unpack else chunk
        if len(body) > LONGEST_BODY:
            raise ProviderFailure(f"the reply is longer than {LONGEST_BODY // 2**20} MiB: it was not read", billed=True)
    return bytes(body)


def billed(failure: ProviderFailure, body: bytes = b"") -> ProviderFailure:
    """The failure of a request that was answered: that may be charged for, as `body` says where it can be read."""
    failure.billed = True
    if not sum(failure.usage):
        failure.usage = _usage_in(body)
    return failure


def _usage_in(body: bytes) -> tuple[int, int]:
    try:
        usage = orjson.loads(body)["usage"]
        return token_count(usage["prompt_tokens"]), token_count(usage["completion_tokens"])
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return 0, 0


def _unpacker(encoding: str) -> zlib._Decompress | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return zlib.decompressobj(_ZLIB_OR_GZIP)
    raise ProviderFailure(
        f"the reply is packed as {encoding[:40]!r}, which was not asked for: it was not read", billed=True
    )
