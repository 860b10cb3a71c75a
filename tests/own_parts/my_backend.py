"""A backend of one's own: a service in the house that takes one text and gives one back."""

import asyncio
import json
from urllib.error import URLError
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from errata import Backend, ProviderFailure, Reply


class House(Backend):
    """Asks `api_base` of the agent with `{"text": ..., "seed": ...}`; replies are stored, so each is asked for once."""

    async def complete(self, request, seed):
        text = "\n\n".join(message.content for message in request.messages)
        said = await asyncio.to_thread(self._post, request.spec.api_base, {"text": text, "seed": seed})
        return Reply(said["text"], prompt_tokens=said["read"], completion_tokens=said["written"])

    def _post(self, address, body):
        try:
            with urlopen(HttpRequest(address, json.dumps(body).encode()), timeout=30) as response:
                return json.load(response)
        except URLError as error:
            raise ProviderFailure(str(error), transient=True) from error
