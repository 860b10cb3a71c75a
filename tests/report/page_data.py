"""The data embedded in a page, as a reader of the page gets them."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import orjson


def unpacked(block: str) -> Any:
    return orjson.loads(gzip.decompress(base64.b64decode(block)))
