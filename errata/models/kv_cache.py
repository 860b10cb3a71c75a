"""Key-value caches of two batches as one, so that new rows may take the places of those that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def joinable(cache: Any) -> bool:
    """Whether every layer holds all of its past; sliding windows and states of other kinds are left alone."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    from errata.models.growing_cache import GrowingLayer

    plain = DynamicLayer, GrowingLayer
    return type(cache) is DynamicCache and all(type(layer) in plain for layer in cache.layers)


def growing(cache: Any) -> Any:
    """The cache of a first step, made to grow in place where every layer holds all of its past."""
    from errata.models.growing_cache import GrowingLayer

    if joinable(cache):
        cache.layers = [GrowingLayer.of(layer) for layer in cache.layers]
    return cache


def joined(one: Any, other: Any) -> Any:
    """`one` with the rows of `other` behind its own, the shorter padded on the left."""
    import torch

    for left, right in zip(one.layers, other.layers, strict=True):
        width = max(left.keys.shape[-2], right.keys.shape[-2])
        left.keys = torch.cat([padded(left.keys, width, -2), padded(right.keys, width, -2)])
        left.values = torch.cat([padded(left.values, width, -2), padded(right.values, width, -2)])
    return one


def without_left(cache: Any, count: int) -> None:
    """Drops the first `count` places of every row."""
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys[..., count:, :], layer.values[..., count:, :]


def padded(tensor: Tensor, width: int, axis: int) -> Tensor:
    """Zeros before what is there, up to `width` along an axis."""
    import torch

    shape = list(tensor.shape)
    shape[axis] = width - shape[axis]
    return torch.cat([tensor.new_zeros(shape), tensor], dim=axis) if shape[axis] else tensor
