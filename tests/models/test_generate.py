"""Batched decoding gives what each sequence would give alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from errata.models import generate as generate_module
from errata.models.generate import ContextOverflow, Generated, _Row, generate, stream
from errata.models.load import Checkpoint
from errata.models.sampling import Decoding, Job, sample
from tests.models import tiny

TEXTS = ["a", "the quick brown fox", "7 * 8 =", "x" * 90, "How many apples are left?", "zz top", "ha " * 20]


def jobs(checkpoint: Checkpoint, decoding: Decoding) -> list[Job]:
    return [Job(checkpoint.tokenizer(text).input_ids, decoding, seed) for seed, text in enumerate(TEXTS)]


@pytest.mark.parametrize("decoding", [Decoding(max_tokens=40), Decoding(max_tokens=40, temperature=1.2, top_p=0.9)])
def test_a_batch_gives_what_each_row_gives_alone(checkpoint: Checkpoint, decoding: Decoding) -> None:
    asked = jobs(checkpoint, decoding)

    together = generate(checkpoint, asked)
    by_threes = generate(checkpoint, asked, rows=3)
    alone = [generate(checkpoint, [job])[0] for job in asked]

    assert together == alone == by_threes


def test_greedy_decoding_equals_a_plain_loop_without_cache_or_padding(checkpoint: Checkpoint) -> None:
    asked = jobs(checkpoint, Decoding(max_tokens=25))

    def slowly(prompt: list[int]) -> tuple[int, ...]:
        ids = list(prompt)
        for _ in range(25):
            with torch.inference_mode():
                ids.append(int(checkpoint.model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in checkpoint.ends:
                break
        return tuple(ids[len(prompt) :])

    assert [row.tokens for row in generate(checkpoint, asked)] == [slowly(list(job.prompt)) for job in asked]


def test_seed_and_prompt_decide_a_draw(checkpoint: Checkpoint) -> None:
    hot = Decoding(max_tokens=30, temperature=1.5)
    prompt = checkpoint.tokenizer("once upon").input_ids

    first, again, other = generate(checkpoint, [Job(prompt, hot, 1), Job(prompt, hot, 1), Job(prompt, hot, 2)])

    assert first == again
    assert first != other


def test_rows_keep_their_own_settings(checkpoint: Checkpoint) -> None:
    prompt = checkpoint.tokenizer("once upon").input_ids
    settings = [Decoding(max_tokens=n, temperature=t) for n, t in ((3, 0), (9, 0), (5, 2.0), (1, 0))]

    rows = generate(checkpoint, [Job(prompt, each, 4) for each in settings])

    assert rows[1].tokens[:3] == rows[0].tokens
    assert rows[0].tokens[:1] == rows[3].tokens
    assert [len(row.tokens) for row in rows] == [3, 9, 5, 1]


def test_an_end_token_stops_a_row_and_is_counted_but_not_shown(checkpoint: Checkpoint) -> None:
    rows = generate(checkpoint, jobs(checkpoint, Decoding(max_tokens=150, temperature=2.0)))
    ended = [row for row in rows if row.finish_reason == "stop"]

    assert ended
    for row in ended:
        assert row.tokens[-1] in checkpoint.ends
        assert not set(row.tokens[:-1]) & checkpoint.ends
        assert row.text == checkpoint.tokenizer.decode(list(row.tokens[:-1]))


def test_a_stop_text_ends_the_row_and_is_cut_off(checkpoint: Checkpoint) -> None:
    prompt = checkpoint.tokenizer("once upon").input_ids
    hot = Decoding(max_tokens=40, temperature=1.0)
    whole = next(
        row for row in generate(checkpoint, [Job(prompt, hot, seed) for seed in range(9)]) if len(row.tokens) > 15
    )
    seed = [row.text for row in generate(checkpoint, [Job(prompt, hot, seed) for seed in range(9)])].index(whole.text)
    at = next(place for place in range(4, len(whole.text) - 1) if "\ufffd" not in whole.text[place : place + 2])
    stop = whole.text[at : at + 2]

    cut = generate(checkpoint, [Job(prompt, hot.model_copy(update={"stop": ("no such text", stop)}), seed)])[0]

    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.tokens == whole.tokens[: len(cut.tokens)]
    assert len(cut.tokens) < len(whole.tokens)


def test_a_row_ends_where_it_is_settled_and_is_asked_only_where_something_closes(checkpoint: Checkpoint) -> None:
    prompt = checkpoint.tokenizer("once upon").input_ids
    hot = Decoding(max_tokens=60, temperature=1.0)
    rows = generate(checkpoint, [Job(prompt, hot, seed) for seed in range(40)])
    seed = next(seed for seed, row in enumerate(rows) if "." in row.text[:-4] or ":" in row.text[:-4])
    whole, asked = rows[seed], list[str]()

    def settled(text: str) -> int | None:
        asked.append(text)
        return 2 if len(asked) == 1 else None

    [cut] = generate(checkpoint, [Job(prompt, hot, seed, settled)])

    assert cut.text == whole.text[:2]
    assert cut.finish_reason == "stop"
    assert cut.tokens == whole.tokens[: len(cut.tokens)]
    assert asked[0].endswith((".", ":", "\n"))
    assert not set(asked[0][:-1]) & set(".:\n")


def test_tokens_decoded_elsewhere_are_cut_where_they_are_settled(checkpoint: Checkpoint) -> None:
    tokens = checkpoint.tokenizer("that is it. User: and", add_special_tokens=False).input_ids

    def settled(text: str) -> int | None:
        found = text.find("User:")
        return found if found >= 0 else None

    ran_on = _Row(checkpoint, Job([1], Decoding(), 0, settled)).whole(tokens)
    cut_off = _Row(checkpoint, Job([1], Decoding(), 0, settled)).whole(tokens[:8])

    assert (ran_on.text, ran_on.finish_reason, len(ran_on.tokens)) == ("that is it. ", "stop", len(tokens))
    assert cut_off.finish_reason == "length"


def test_the_context_bounds_prompt_and_completion(checkpoint: Checkpoint) -> None:
    roomy = Decoding(max_tokens=10_000)
    nearly = Job([70] * (tiny.CONTEXT - 3), roomy)

    assert len(generate(checkpoint, [nearly])[0].tokens) <= 3
    with pytest.raises(ContextOverflow, match=f"{tiny.CONTEXT} tokens, the model's context {tiny.CONTEXT}"):
        generate(checkpoint, [nearly, Job([70] * tiny.CONTEXT, roomy)])
    with pytest.raises(ValueError, match="no tokens"):
        generate(checkpoint, [Job([], roomy)])


def test_rows_come_as_they_finish_and_unwanted_ones_not_at_all(checkpoint: Checkpoint) -> None:
    prompt = checkpoint.tokenizer("once upon").input_ids
    lengths = [20, 4, 12, 8]
    asked = [Job(prompt, Decoding(max_tokens=length)) for length in lengths]
    steps = 0

    def unwanted(place: int) -> bool:
        nonlocal steps
        steps += 1
        return place == 0

    came: list[tuple[int, Generated]] = list(stream(checkpoint, asked, unwanted=unwanted))

    whole = generate(checkpoint, asked)
    assert sorted(place for place, _ in came) == [1, 2, 3]
    assert all(row == whole[place] for place, row in came)
    assert steps < 4 * 12  # those that left are asked about no more
    counts = [len(row.tokens) for _, row in came]
    assert counts == sorted(counts)


@pytest.fixture
def sizes(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each forward pass has."""
    seen: list[int] = []
    forward = checkpoint.model.forward

    def counted(**inputs: Any) -> Any:
        seen.append(len(inputs["input_ids"]))
        return forward(**inputs)

    monkeypatch.setattr(checkpoint.model, "forward", counted)
    return seen


@pytest.mark.parametrize("heat", [0.0, 1.3])
def test_waiting_rows_take_the_places_of_those_that_have_ended(
    heat: float, checkpoint: Checkpoint, sizes: list[int]
) -> None:
    lengths = [3, 40, 5, 60, 4, 30, 2, 50, 6, 20, 7, 45]
    asked = [
        Job(checkpoint.tokenizer(TEXTS[seed % 7]).input_ids, Decoding(max_tokens=length, temperature=heat), seed)
        for seed, length in enumerate(lengths)
    ]

    together = generate(checkpoint, asked, rows=4)

    passes = len(sizes)
    assert max(sizes) == 4
    assert together == [generate(checkpoint, [job])[0] for job in asked]
    batches = [sorted(len(row.tokens) for row in together)[start : start + 4][-1] for start in (0, 4, 8)]
    assert passes < sum(batches) + 20  # three batches of the best composition, and a pass per admission


def test_jobs_that_come_later_join_the_running_batch(checkpoint: Checkpoint, sizes: list[int]) -> None:
    asked = jobs(checkpoint, Decoding(max_tokens=30))
    later = [[asked[2]], [], asked[3:]]

    came = dict(stream(checkpoint, asked[:2], 8, arrivals=lambda: later.pop(0) if later else ()))

    passes = len(sizes)
    assert [came[place] for place in range(7)] == generate(checkpoint, asked)
    assert passes < 45


def test_a_cache_that_cannot_be_joined_waits_for_its_batch(
    checkpoint: Checkpoint, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = jobs(checkpoint, Decoding(max_tokens=12))
    expected = generate(checkpoint, asked)
    monkeypatch.setattr(generate_module, "joinable", lambda _: False)
    sizes.clear()

    assert generate(checkpoint, asked, rows=4) == expected
    assert sizes == sorted(sizes[:12], reverse=True) + sorted(sizes[12:], reverse=True)


@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=12), st.floats(0.05, 1), st.floats(0, 0.999))
def test_a_draw_falls_in_the_nucleus(logits: list[float], top_p: float, uniform: float) -> None:
    probs = torch.tensor(logits).softmax(-1).tolist()

    token = sample(torch.tensor([logits]), [1.0], [top_p], [uniform])[0]

    likelier = sum(each for each in probs if each > probs[token])
    assert likelier < top_p + 1e-5


def test_draws_follow_the_probabilities() -> None:
    probs = torch.tensor([0.5, 0.3, 0.15, 0.05])
    uniforms = [(place + 0.5) / 1000 for place in range(1000)]
    logits_BV = probs.log().expand(1000, -1)

    plain = torch.tensor(sample(logits_BV, [1.0] * 1000, [1.0] * 1000, uniforms)).bincount(minlength=4)
    nucleus = torch.tensor(sample(logits_BV, [1.0] * 1000, [0.75] * 1000, uniforms)).bincount(minlength=4)
    cold = torch.tensor(sample(logits_BV, [0.5] * 1000, [1.0] * 1000, uniforms)).bincount(minlength=4)

    assert plain.tolist() == [500, 300, 150, 50]
    assert nucleus.tolist() == [625, 375, 0, 0]
    assert cold.tolist() == pytest.approx((1000 * probs**2 / (probs**2).sum()).tolist(), abs=1)


def test_a_nucleus_beyond_the_most_likely_tokens_is_found() -> None:
    flat_BV = torch.zeros(1, 5000)

    assert sample(flat_BV, [1.0], [0.9], [0.999])[0] > 4000
