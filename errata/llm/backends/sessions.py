"""The HTTP session of errata's own clients."""

from __future__ import annotations

import ssl
from functools import cache
from urllib.request import getproxies

import aiohttp
import httpx

from errata.llm.backends.responses import ACCEPTED_ENCODINGS


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that the openai client trusts, read once per process: they take a tenth of a second."""
    return httpx.create_ssl_context()


def new_session() -> aiohttp.ClientSession:
    """A session without cookies, redirects' memory or limits of its own, whose bodies are unpacked by their readers."""
    return aiohttp.ClientSession(
        # the gateway bounds the calls in flight
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ssl=trusted()),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # bodies are unpacked under a bound
        headers={"Accept-Encoding": ACCEPTED_ENCODINGS},
        trust_env=bool(getproxies()),  # it looks for them in a thread, at every request
    )
