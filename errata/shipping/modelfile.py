"""Ollama's Modelfile: which GGUF file, its chat template in Go's template language, and what ends an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from errata.shipping.chat_turns import Around, Turns, inexpressible

MODELFILE = "Modelfile"


def modelfile(gguf: str, turns: Turns, ends: Sequence[str], *, adds_bos: bool) -> str:
    """The text of a Modelfile.

    Args:
        gguf: the file's name, beside the Modelfile.
        ends: the texts of the tokens after which an answer is over.
        adds_bos: the GGUF file has the BOS added, so that the template leaves it out.

    Raises UsageError where a text of the template cannot stand in a Modelfile.
    """
    lines = [f"FROM ./{gguf}", f'TEMPLATE """{_template(turns, adds_bos)}"""']
    if turns.unasked is not None:
        lines.append(f'SYSTEM """{_literal(turns.unasked)}"""')
    lines += [f"PARAMETER stop {json.dumps(end, ensure_ascii=False)}" for end in ends]
    return "\n".join(lines) + "\n"


def _template(turns: Turns, adds_bos: bool) -> str:
    roles = {"system": turns.system, "user": turns.user, "assistant": turns.assistant}
    written = [_turn(role, around) for role, around in roles.items() if around]
    begin = "" if adds_bos else _literal(turns.begin)
    return f"{begin}{{{{ range .Messages }}}}{''.join(written)}{{{{ end }}}}{_literal(turns.answer)}"


def _turn(role: str, around: Around) -> str:
    written = f"{_literal(around.before)}{{{{ .Content }}}}{_literal(around.behind)}"
    return f'{{{{ if eq .Role "{role}" }}}}{written}{{{{ end }}}}'


def _literal(text: str) -> str:
    if "{{" in text or '"""' in text:
        raise inexpressible("writes braces or quotes that a Modelfile would read as its own")
    return text
