"""A terminal to write to: a text buffer that says it is one."""

from __future__ import annotations

import io


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
