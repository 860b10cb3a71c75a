"""The HTTP session of errata's own clients."""

from __future__ import annotations

from urllib.request import getproxies

import aiohttp
import httpx

from errata.llm.backends.responses import ACCEPTED_ENCODINGS


def new_session() -> aiohttp.ClientSession:
    """A session without cookies, redirects' memory or limits of its own, whose bodies are unpacked by their readers."""
    return aiohttp.ClientSession(
        # the gateway bounds the calls in flight; certificates are those that the openai client trusts
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ssl=httpx.create_ssl_context()),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # bodies are unpacked under a bound
        headers={"Accept-Encoding": ACCEPTED_ENCODINGS},
        trust_env=bool(getproxies()),  # it looks for them in a thread, at every request
    )
