"""JSON schemas of replies: whom a schema is sent to, and what is done where a provider refuses one.

a request with a schema -> the agent wants it, its backend takes it: sent, shown in the message, part of the key
                        -> else dropped: the reply is read in the form that the prompt asks for
400 that names it       -> the same call without it, as all later ones of this agent; and that is said
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from errata.llm.request import Backend, ProviderFailure, Request
from errata.records import digest

_NAMES_IT = re.compile(
    r"response_?(?:format|schema)|json_?schema|structured[ _]output|output_(?:config|format)|grammar"
)


IN_WORDS = "\n\nWrite it as one JSON object and nothing else, with the members "
"""What begins the line about a schema at the end of a message, for a model that is shown none."""


class SchemaRefused(ProviderFailure):
    """The provider takes no JSON schema, or not this one; without it the call may do."""


def names_schema(message: str) -> bool:
    """Whether a refusal of a request is one of its JSON schema, by the provider's words."""
    return bool(_NAMES_IT.search(message.casefold()))


def response_format(request: Request) -> dict[str, Any]:
    """The request's schema as OpenAI's API and litellm take it, by name; empty where it has none."""
    if request.schema is None:
        return {}
    schema = {"name": _name(request), "strict": True, "schema": request.schema}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def logged_format(request: Request) -> dict[str, str]:
    """What the log says of it: the schema's name and hash."""
    return {} if request.schema is None else {"response_format": f"{_name(request)} {digest(request.schema)}"}


def _name(request: Request) -> str:
    """The verb, in the letters that providers take."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", request.verb)[:64]


class Schemas:
    """Who is sent schemas. `refused` holds, by agent, in which words its provider refused one, also in earlier runs."""

    def __init__(self, refused: Mapping[str, str]) -> None:
        self.refused = dict(refused)

    def settled(self, request: Request, backend: Backend) -> Request:
        """The request as it is sent: with its schema and a line about it in the last message, or without."""
        spec = request.spec
        wanted = request.schema is not None and spec.structured == "auto" and spec.name not in self.refused
        if not wanted or "response_format" in request.parameters or not backend.takes_schema(spec):
            return request if request.schema is None else replace(request, schema=None)
        *before, last = request.messages
        text = last.content + in_words(request.schema or {})
        return replace(request, messages=(*before, last.model_copy(update={"content": text})))


def schema_notes(refused: Mapping[str, str]) -> list[str]:
    """What to say of providers that took no schema, by agent."""
    return [
        f"the provider of {agent} takes no JSON schema, so its replies are read by their closing lines: {words}"
        for agent, words in sorted(refused.items())
    ]


def in_words(schema: Mapping[str, Any]) -> str:
    """The line about a schema: the names of its members alone. Small models repeat a description in place of words."""
    return f"{IN_WORDS}{', '.join(schema.get('properties', ()))}."
