"""Log-probabilities of learned tokens: against slow ones, against TRL's head, and that nothing else is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from errata.training import hidden_states, token_scores, trainer
from errata.training.token_scores import score
from tests.training.gradient_checks import METHODS, ROWS, trained, with_lora
from tests.training.lab import relative_error, step_gradients, tiny_llama

WIDTH = 211


def case(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(3)
    hidden, weight, bias = (torch.randn(*shape, dtype=dtype) for shape in ((50, 16), (WIDTH, 16), (WIDTH,)))
    return (*(each.requires_grad_() for each in (hidden, weight, bias)), torch.randint(0, WIDTH, (50,)))


@pytest.mark.parametrize("kept", [1 << 30, 0], ids=["kept", "computed anew"])
@pytest.mark.parametrize("tokens", [1000, 7])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_scores_and_gradients_are_those_of_a_softmax_over_all_logits(
    kept: int, tokens: int, dtype: torch.dtype, close: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_scores, "KEPT_BYTES", kept)
    monkeypatch.setattr(token_scores, "CHUNK_BYTES", 4 * WIDTH * tokens)
    hidden, weight, bias, labels = case(dtype)
    factors = torch.randn(50)

    scores = score(hidden, weight, bias, labels)
    (factors * scores.logp_N).sum().backward()

    exact = [each.detach().double().requires_grad_() for each in (hidden, weight, bias)]
    logp = (exact[0] @ exact[1].T + exact[2]).log_softmax(-1)
    picked = logp[torch.arange(50), labels]
    (factors * picked).sum().backward()
    assert float(((scores.logp_N - picked).norm() / picked.norm()).detach()) < close
    assert torch.allclose(scores.entropy_N.double(), -(logp.exp() * logp).sum(-1), rtol=close * 10, atol=close * 10)
    if dtype == torch.float32:
        assert torch.equal(scores.is_top_N, logp.argmax(-1) == labels)
    for found, expected in zip((hidden, weight, bias), exact, strict=True):
        assert found.grad is not None
        assert float((found.grad - expected.grad).norm() / expected.grad.norm()) < close  # type: ignore[union-attr]


def test_a_frozen_head_gets_no_gradient_and_no_label_gives_none() -> None:
    hidden, weight, _, labels = case()

    score(hidden, weight.detach(), None, labels).logp_N.sum().backward()
    score(hidden[:0], weight, None, labels[:0]).logp_N.sum().backward()

    assert hidden.grad is not None
    assert weight.grad is None or not weight.grad.any()


def test_in_autocast_products_are_taken_in_its_dtype() -> None:
    hidden, weight, _, labels = case()
    half = score(hidden.bfloat16(), weight.bfloat16(), None, labels)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = score(hidden, weight, None, labels)

    assert torch.equal(mixed.logp_N, half.logp_N)
    assert mixed.logp_N.dtype == torch.float32


def test_prompts_and_padding_are_not_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[int] = []

    def counted(hidden: torch.Tensor, *more: Any) -> Any:
        scored.append(len(hidden))
        return score(hidden, *more)

    monkeypatch.setattr(hidden_states, "score", counted)
    trained(METHODS["sft"][0], tmp_path).train()

    members = [member for row in ROWS for member in row["members"] if member["kind"] == "right"]
    assert sum(scored) == sum(len(member["input_ids"]) - member["prompt"] for member in members)


@pytest.mark.parametrize("adapted", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize(("bf16", "close"), [(False, 1e-6), (True, 1e-3)], ids=["fp32", "bf16"])
@pytest.mark.parametrize("name", ["combined", "sft"])
def test_a_step_is_that_of_trls_fused_head(
    name: str, adapted: bool, bf16: bool, close: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for fused in (False, True):
        monkeypatch.setattr(trainer, "takes_fused_head", lambda *_, fused=fused: fused)
        model = with_lora(tiny_llama()) if adapted else tiny_llama()
        each = trained(METHODS[name][0], tmp_path, model=model, bf16=bf16)
        gradients = step_gradients(each)
        found.append((gradients, each.state.log_history[0]))

    (ours, logged), (theirs, expected) = found
    assert relative_error(ours, theirs) < (1e-5 if close < 1e-4 else 2e-2)
    assert set(logged) == set(expected)
    for key in (key for key in expected if key.startswith(("loss", "logp", "entropy", "mean_token"))):
        assert logged[key] == pytest.approx(expected[key], rel=close, abs=1e-7), key


def test_a_student_with_factors_or_a_cap_on_its_logits_is_scored_by_trls_head() -> None:
    model, cpu = tiny_llama(), torch.device("cpu")
    assert not hidden_states.takes_fused_head(model, cpu)

    model.config.final_logit_softcapping = 30.0
    assert hidden_states.takes_fused_head(model, cpu)

    model.config.final_logit_softcapping = None
    model.config.logits_scaling = 8.0
    assert hidden_states.takes_fused_head(model, cpu)
