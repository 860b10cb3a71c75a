from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from errata.errors import UsageError
from errata.models.prompting import example_ids
from errata.records import Message, Span
from errata.training.encode import (
    Encoder,
    Written,
    completion_ids,
    fingerprint,
    make_group,
    refuse_truncation,
    token_span,
)
from tests.training.lab import byte_tokenizer, written


def merging_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with merges that reach across words."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<eos>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    text = ["so the answer is 18", "$18 in all. The answer is $18.", "answer: 18 apples", "is 18. is 18", "=18 =18"]
    tokenizer.train_from_iterator(text * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")


def marking_tokenizer() -> PreTrainedTokenizerFast:
    """Marks the start of every text it is given, as in Llama 2's family."""
    marked = [f"▁{word}" for word in ["so", "it", "is", "7", "12"]]
    vocabulary = {token: i for i, token in enumerate(["<unk>", "<eos>", *marked, "7", "12", "$", "."])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", unk_token="<unk>")


BYTES, MERGED = Encoder(byte_tokenizer()), Encoder(merging_tokenizer())


@given(st.text(min_size=1).filter(str.strip), st.sampled_from([BYTES, MERGED]))
def test_a_completion_is_its_text_and_one_end_token(text: str, encoder: Encoder) -> None:
    ids, span = encoder.completion(text)

    assert ids.count(encoder.end_id) == 1
    assert ids[-1] == encoder.end_id
    assert encoder.tokenizer.decode(ids[:-1]) == text.encode("utf-8", "replace").decode()
    assert span == (0, 0)


@given(st.text("ab =$1", max_size=12), st.text("ab .$1", max_size=12), st.sampled_from([BYTES, MERGED]))
def test_the_marked_tokens_are_the_answer(before: str, after: str, encoder: Encoder) -> None:
    ids, span = encoder.completion(f"{before}18{after}", Span(len(before), len(before) + 2))

    assert encoder.tokenizer.decode(ids[slice(*span)]).lstrip() == "18"
    assert encoder.tokenizer.decode(ids[:-1]) == f"{before}18{after}"


def test_equal_answers_get_equal_tokens_where_joint_tokenization_merges_them() -> None:
    joint = [MERGED.tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("=18", "$18")]
    (first, one), (second, other) = (MERGED.completion(text, Span(1, 3)) for text in ("=18", "$18"))

    assert len(joint[0]) == 1  # the trap: =18 is one token
    assert first[slice(*one)] == second[slice(*other)]


def test_a_tokenizer_that_marks_the_start_of_text_keeps_its_joint_tokens() -> None:
    encoder = Encoder(marking_tokenizer())

    ids, span = encoder.completion("so it is 7", Span(9, 10))

    assert ids[:-1] == encoder.tokenizer("so it is 7", add_special_tokens=False)["input_ids"]
    assert span == (3, 4)


def test_an_answer_within_a_token_is_not_marked() -> None:
    assert Encoder(marking_tokenizer()).completion("so it is 12", Span(10, 11))[1] == (0, 0)


def test_the_space_before_an_answer_is_a_part_of_it_only_within_its_first_token() -> None:
    texts = ("so 18", "so $18")
    apart = [BYTES.completion(text, Span(len(text) - 2, len(text))) for text in texts]
    merged = [MERGED.completion(text, Span(len(text) - 2, len(text))) for text in ("is 18", "$18")]

    assert [BYTES.tokenizer.decode(ids[slice(*span)]) for ids, span in apart] == ["18", "18"]
    assert {MERGED.tokenizer.decode(ids[slice(*span)]) for ids, span in merged} == {" 18", "18"}


def test_a_special_token_named_in_the_text_is_plain_text() -> None:
    ids, _ = BYTES.completion("stop <eos> here")

    assert ids.count(BYTES.end_id) == 1
    assert len(ids) == len("stop <eos> here") + 1


@given(st.lists(st.integers(1, 4), min_size=1, max_size=9), st.data())
def test_token_spans_cover_exactly_the_tokens_that_overlap(widths: list[int], data: st.DataObject) -> None:
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    offsets = [(end - width, end) for end, width in zip(ends, widths, strict=True)]
    start = data.draw(st.integers(0, ends[-1] - 1))
    end = data.draw(st.integers(start + 1, ends[-1]))

    span = token_span(offsets, Span(start, end))

    for i, (low, high) in enumerate(offsets):
        assert (span.start <= i < span.end) == bool(set(range(low, high)) & set(range(start, end)))


def test_a_row_holds_its_members_and_the_key_tokens_of_its_pairs() -> None:
    texts = [("chosen", "3 + 4 = 7"), ("rejected", "3 + 4 = 8")]

    row = make_group("p1", [written(BYTES, kind, "3 and 4?", text) for kind, text in texts], [(0, 1)], BYTES)

    right, wrong = row["members"]
    prompt = len("3 and 4?")
    assert right["prompt"] == wrong["prompt"] == prompt
    assert BYTES.tokenizer.decode(completion_ids(right)) == "3 + 4 = 7<eos>"
    assert row["pairs"] == [
        {"right": 0, "wrong": 1, "right_keys": [prompt + 8], "wrong_keys": [prompt + 8]},
    ]
    assert BYTES.tokenizer.decode(right["input_ids"][slice(*right["answer"])]) == "7"


@pytest.mark.parametrize(
    ("texts", "pairs", "found"),
    [
        ([], [], "an empty group"),
        ([("right", " \n")], [], "an empty completion"),
        ([("right", "a"), ("wrong", "a")], [(0, 1)], "sides are equal"),
        ([("right", "a"), ("right", "b")], [(0, 1)], "kinds right and right"),
        ([("wrong", "a"), ("right", "b")], [(0, 1)], "kinds wrong and right"),
    ],
)
def test_a_bad_group_is_refused_by_name(texts: list, pairs: list, found: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(UsageError, match=f"row p9: .*{found}") as error:
        make_group("p9", [written(BYTES, kind, "q?", text) for kind, text in texts], pairs, BYTES)

    assert error.value.why
    assert error.value.do


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(UsageError, match="an empty prompt"):
        make_group("p9", [Written("right", [], "a")], [], BYTES)


def test_truncation_is_refused_with_the_count() -> None:
    rows = [make_group(str(n), [written(BYTES, "right", "q?", "x" * n)], [], BYTES) for n in (5, 20, 30)]

    refuse_truncation(rows, 33)
    with pytest.raises(UsageError, match=r"2 of 3 sequences are longer than 20 tokens \(the longest: 33\)"):
        refuse_truncation(rows, 20)


def test_completions_are_those_of_the_one_renderer() -> None:
    for tokenizer in (byte_tokenizer(), merging_tokenizer()):
        told = example_ids(tokenizer, [Message(role="user", content="3 and 4?")], "so 3 + 4 is 18.\n")

        assert Encoder(tokenizer).completion("so 3 + 4 is 18.\n")[0] == told.completion


def test_a_tokenizer_without_an_end_token_is_refused() -> None:
    with pytest.raises(UsageError, match="without an end token"):
        Encoder(PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer().backend_tokenizer))


def test_fingerprints_tell_tokenizers_apart() -> None:
    assert fingerprint(byte_tokenizer()) == fingerprint(byte_tokenizer())
    assert fingerprint(byte_tokenizer()) != fingerprint(merging_tokenizer())
