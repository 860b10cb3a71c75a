"""One sequence while it grows: where it is over, and what is shown of it."""

from __future__ import annotations

from errata.models.generate import generate
from errata.models.load import Checkpoint
from errata.models.row import Row
from errata.models.sampling import Decoding, Job
from tests.models.tiny import jobs


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

    ran_on = Row(checkpoint, Job([1], Decoding(), 0, settled)).whole(tokens)
    cut_off = Row(checkpoint, Job([1], Decoding(), 0, settled)).whole(tokens[:8])

    assert (ran_on.text, ran_on.finish_reason, len(ran_on.tokens)) == ("that is it. ", "stop", len(tokens))
    assert cut_off.finish_reason == "length"
