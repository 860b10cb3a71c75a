"""The weights of long sequences: as those of all their logits at once, of which only a few are ever held."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from errata.training.encode import Group, Member
from errata.training.sequence_weights import own_weights
from errata.training.terms import CHUNK

WIDTH, VOCABULARY, PROMPT = 8, 50, 7
VIEWS = ("negative", "mixed")


class Views:
    """Two fixed random views of a sequence; remembers how many positions' logits were asked for at once."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(1)
        self.head = torch.randn(WIDTH, VOCABULARY, generator=draw)
        self.seen = {"mixed": torch.randn(2000, WIDTH, generator=draw)}
        self.seen["negative"] = self.seen["mixed"] + 0.3 * torch.randn(2000, WIDTH, generator=draw)
        self.at_once: list[int] = []

    def hidden(self, view: str, batch: dict[str, Any]) -> torch.Tensor:
        return self.seen[view][None, : batch["input_ids"].shape[1]]

    def project(self, hidden_ND: torch.Tensor) -> torch.Tensor:
        self.at_once.append(len(hidden_ND))
        return hidden_ND @ self.head

    def given_weights(self, batch: dict[str, Any]) -> torch.Tensor:
        raise NotImplementedError


def group_of(length: int) -> Group:
    ids = [token % VOCABULARY for token in range(length)]
    member = Member(kind="right", input_ids=ids, prompt=PROMPT, answer=[0, 0])
    return Group(id="g", tokenizer="t", members=[member], pairs=[])


@pytest.mark.parametrize("length", [PROMPT + 1, PROMPT + CHUNK, PROMPT + CHUNK + 1, 1500])
def test_few_tokens_logits_are_held_at_once_and_nothing_changes(length: int) -> None:
    views = Views()

    (found,) = own_weights(views, [group_of(length)], ("right",)).values()

    negative, mixed = ((views.seen[view][PROMPT - 1 : length - 1] @ views.head).log_softmax(-1) for view in VIEWS)
    beta = (negative.exp() * (negative - mixed)).sum(-1).mean().tanh()
    assert found.weight == pytest.approx(0.5 + float(beta), abs=1e-6)
    assert found.tokens == length - PROMPT
    assert max(views.at_once) <= CHUNK
    assert sum(views.at_once) == 2 * (length - PROMPT)
