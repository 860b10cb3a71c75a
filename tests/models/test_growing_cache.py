"""A cache that grows in place holds what transformers' own holds, whatever is done with its rows."""

from __future__ import annotations

import torch
from transformers.cache_utils import DynamicCache

from errata.models.growing_cache import SPARE, GrowingLayer
from errata.models.kv_cache import growing, joinable, joined, without_left

LAYERS = 2


def states(rows: int, places: int, seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(rows, 3, places, 4, generator=draw), torch.randn(rows, 3, places, 4, generator=draw))
        for _ in range(LAYERS)
    ]


def filled(rows: int, places: int, seed: int) -> DynamicCache:
    cache = DynamicCache()
    add(cache, states(rows, places, seed))
    return cache


def add(cache: DynamicCache, new: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for number, (keys, values) in enumerate(new):
        cache.update(keys, values, number)


def same(one: DynamicCache, other: DynamicCache) -> bool:
    pairs = zip(one.layers, other.layers, strict=True)
    return all(torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values) for a, b in pairs)


def test_it_holds_what_the_plain_one_holds_while_rows_come_and_go() -> None:
    plain, grown = filled(4, 5, 1), growing(filled(4, 5, 1))
    assert joinable(grown)
    assert all(type(layer) is GrowingLayer for layer in grown.layers)
    for step in range(3 * SPARE):
        rows = plain.layers[0].keys.shape[0]
        new = states(rows, 1, 100 + step)
        for cache in (plain, grown):
            add(cache, new)
        if step % 50 == 20:
            for cache in (plain, grown):
                cache.batch_select_indices(torch.tensor([0, *range(2, rows)]))
        if step % 50 == 30:
            for cache in (plain, grown):
                without_left(cache, 2)
        if step % 50 == 40:
            joined(plain, filled(2, 9, step))
            joined(grown, growing(filled(2, 9, step)))
        assert same(plain, grown), step
        assert grown.get_seq_length() == plain.get_seq_length()


def test_a_token_more_copies_nothing_of_what_is_there() -> None:
    grown = growing(filled(4, 5, 1))
    add(grown, states(4, 1, 2))
    before = [layer.keys.data_ptr() for layer in grown.layers]
    for step in range(SPARE):
        add(grown, states(4, 1, 3 + step))
    assert [layer.keys.data_ptr() for layer in grown.layers] == before
