"""Which allocator gives a process its memory; glibc's makes a long training on a CPU slow and large.

What a step of training allocates differs from part to part, and between it stand blocks that stay, such as what oneDNN
compiles per shape. glibc then searches long for a block that is large enough, and its heap grows; tcmalloc keeps
blocks by size (`benchmarks.allocators`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from ctypes.util import find_library
from pathlib import Path

MAPS = Path("/proc/self/maps")
VARIABLE = "LD_PRELOAD"
LIBRARIES = ("tcmalloc_minimal", "tcmalloc")
HINT = "memory    by glibc, which takes more of it and of time than tcmalloc: docs/training.md, On a CPU"
_OTHER = re.compile(r"/[^/\n]*(?:tcmalloc|jemalloc|mimalloc|tbbmalloc)[^/\n]*\.so")


def is_glibc(maps: Path = MAPS) -> bool:
    """Whether glibc's own allocator serves this process, by the libraries that are in it; False where none can say."""
    try:
        libraries = maps.read_text(errors="replace")
    except OSError:
        return False
    return "/libc.so.6" in libraries and not _OTHER.search(libraries)


def preload(environment: Mapping[str, str]) -> dict[str, str]:
    """The variable by which a process of this environment gets tcmalloc; empty where it names some library already, or
    where the system has no tcmalloc."""
    if VARIABLE in environment or sys.platform != "linux":
        return {}
    libraries = [library for name in LIBRARIES if (library := find_library(name))]
    return {VARIABLE: libraries[0]} if libraries else {}
