"""The objectives once more, slowly: one sequence at a time, no padding, full logits, loops over tokens and pairs."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from errata.records import draw
from errata.training.collate import draw_pairs
from errata.training.encode import Group


def logits_of(model: Any, member: Any) -> Tensor:
    return model(input_ids=torch.tensor([member["input_ids"]]), use_cache=False).logits[0]


def token_logps(model: Any, member: Any) -> Tensor:
    """log p of each completion token, in order."""
    logits = logits_of(model, member)
    return torch.stack(
        [
            F.log_softmax(logits[t - 1].double(), -1)[member["input_ids"][t]]
            for t in range(member["prompt"], len(member["input_ids"]))
        ]
    )


def likelihood(
    model: Any,
    rows: list[Group],
    kinds: tuple[str, ...],
    per_item: bool = False,
    push: bool = False,
    per_sequence: bool = False,
) -> Any:
    total, tokens = 0.0, 0.0
    for row in rows:
        for member in row["members"]:
            if member["kind"] in kinds:
                alike = sum(other["kind"] == member["kind"] for other in row["members"])
                logp = token_logps(model, member)
                share = (1 / alike if per_item else 1.0) / (len(logp) if per_sequence else 1)
                total = total + share * (-torch.log(1 - logp.exp()) if push else -logp).sum()
                tokens += share * len(logp)
    return total / tokens


def mapd(model: Any, rows: list[Group], alpha: float = 0.5) -> Any:
    right, mistake = (likelihood(model, rows, (kind,), per_item=True) for kind in ("right", "mistake"))
    return (1 - alpha) * right + alpha * mistake


def edit(
    model: Any,
    rows: list[Group],
    alpha: float = 1.0,
    beta: float = 0.025,
    gamma: float = 0.0,
    bounded: bool = False,
) -> Any:
    total, pairs = 0.0, 0
    for row in rows:
        for pair in row["pairs"]:
            right, wrong = row["members"][pair["right"]], row["members"][pair["wrong"]]
            logp = token_logps(model, right)
            for t in range(len(logp)):
                weight = alpha if right["prompt"] + t in pair["right_keys"] else gamma
                total = total - weight * logp[t] / len(logp)
            logp = token_logps(model, wrong)
            for t in range(len(logp)):
                if wrong["prompt"] + t in pair["wrong_keys"]:
                    push = -torch.log(1 - logp[t].exp()) if bounded else logp[t]
                    total = total + beta * push / len(logp)
            pairs += 1
    return total / pairs


def consistency(
    model: Any, rows: list[Group], drawn: list[list[tuple[int, int]]], temperature: float = 1.0, shift: int = 1
) -> Any:
    """`shift=0` is the unshifted span, wrong on purpose."""
    total, pairs = 0.0, 0
    for row, chosen in zip(rows, drawn, strict=True):
        for i, j in chosen:
            one, other = row["members"][i], row["members"][j]
            length = one["answer"][1] - one["answer"][0]
            for k in range(length):
                p = logits_of(model, one)[one["answer"][0] + k - shift].double() / temperature
                q = logits_of(model, other)[other["answer"][0] + k - shift].double() / temperature
                p, q = F.log_softmax(p, -1), F.log_softmax(q, -1)
                both = F.kl_div(q, p, log_target=True, reduction="sum") + F.kl_div(
                    p, q, log_target=True, reduction="sum"
                )
                total = total + 0.5 * temperature**2 * both / length
            pairs += 1
    return total / pairs


def drawn_pairs(
    rows: list[Group], count: int | None, epoch: int = 0, kinds: tuple[str, ...] = ("right",)
) -> list[list[tuple[int, int]]]:
    candidates = [[i for i, one in enumerate(row["members"]) if one["kind"] in kinds] for row in rows]
    return [
        list(combinations(some, 2)) if count is None else draw_pairs(0, epoch, row["id"], some, count)
        for row, some in zip(rows, candidates, strict=True)
    ]


def only_drawn(rows: list[Group], drawn: list[list[tuple[int, int]]]) -> list[Group]:
    """The rows without the right rationales that this step does not see (those of a pair stay)."""
    kept: list[Group] = []
    for row, pairs in zip(rows, drawn, strict=True):
        seen = {place for pair in pairs for place in pair} | {pair["right"] for pair in row["pairs"]}
        members = [m for i, m in enumerate(row["members"]) if m["kind"] != "right" or i in seen or not pairs]
        kept.append({**row, "members": members, "pairs": []})
    return kept


def calibrated(
    model: Any, rows: list[Group], mixed: Any, negative: Any, temperature: float = 1.0, calibrate: str = "own"
) -> Any:
    members = [member for row in rows for member in row["members"] if member["kind"] == "right"]
    total, tokens = 0.0, 0
    for member, weight in zip(members, weights_of(members, mixed, negative, calibrate), strict=True):
        places = range(member["prompt"] - 1, len(member["input_ids"]) - 1)
        student, teacher = (logits_of(one, member).double()[list(places)] for one in (model, mixed))
        target = F.softmax(teacher.detach() / temperature, -1)
        total = total - weight * temperature**2 * (target * F.log_softmax(student / temperature, -1)).sum()
        tokens += len(places)
    return total / tokens


def weights_of(members: list[Any], mixed: Any, negative: Any, calibrate: str, seed: int = 0) -> list[float]:
    """NCE's weight of each sequence, or what a control puts in its place."""
    own, of_token = [], []
    for member in members:
        places = list(range(member["prompt"] - 1, len(member["input_ids"]) - 1))
        p, n = (F.softmax(logits_of(one, member).double()[places].detach(), -1) for one in (mixed, negative))
        own.append(0.5 + float(torch.tanh((n * (n / p).log()).sum() / len(places))))
        of_token += [own[-1]] * len(places)
    if calibrate == "mean":
        return [sum(of_token) / len(of_token)] * len(own)
    if calibrate == "shuffled":
        givers = sorted(range(len(own)), key=lambda i: draw(seed, "weights_shuffled", members[i]["input_ids"]))
        takers = sorted(range(len(own)), key=lambda i: members[i]["input_ids"])
        return [own[givers[takers.index(i)]] for i in range(len(own))]
    return own if calibrate == "own" else [1.0] * len(own)


def gradients(model: Any, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
