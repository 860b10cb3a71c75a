"""The character map that lets llama.cpp's unigram tokenizer split at every white space, not at blanks alone.

It is written as the key `tokenizer.ggml.precompiled_charsmap`: the length in bytes of a double array of uint32, the
array, and the texts that its leaves point to, each closed by a zero byte. Of a cell the bits are those of Darts-clone
(Yata, https://github.com/s-yata/darts-clone): label in bits 0-7, leaf flag in bit 8, offset in bits 10-30; a leaf's
value in bits 0-30 with bit 31 set.
"""

from __future__ import annotations

import struct

WHITE_SPACE = b"\t\n\x0b\x0c\r"
_HAS_LEAF, _IS_LEAF, _OFFSET_AT = 1 << 8, 1 << 31, 10
_CHILDREN, _LEAVES = 256, 512
"""Where the children of the root begin, and where the leaves lie: both free of each other for any label."""


def whitespace_map() -> bytes:
    """The map of tab, line feed, vertical tab, form feed and carriage return to one blank each."""
    cells = [0] * (_LEAVES + 256)
    cells[0] = _CHILDREN << _OFFSET_AT
    for label in WHITE_SPACE:
        at = _CHILDREN ^ label
        leaf = _LEAVES ^ label
        cells[at] = label | _HAS_LEAF | ((at ^ leaf) << _OFFSET_AT)
        cells[leaf] = _IS_LEAF  # its value is 0: the first text
    array = struct.pack(f"<{len(cells)}I", *cells)
    return struct.pack("<I", len(array)) + array + b" \0"
