"""Of a wrong rationale only what its first wrong step begins is a target: from the row's text to the gradient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast

from errata.errors import UsageError
from errata.exports.formats import format_of
from errata.exports.sequences import KINDS, LabeledSequence, SourceRow
from errata.exports.thinking import CLOSE, OPEN
from errata.training.align import key_tokens
from errata.training.collate import Collator, Reading
from errata.training.encode import Encoder, Group, Written, completion_ids, make_group, target_start
from errata.training.group_rows import Groups
from errata.training.load_rows import LoadedRow
from errata.training.methods.nat import negative_trainer
from errata.training.objective import Objective
from errata.training.trainer import build_trainer
from errata.training.trl_rows import labeled_rows, preference_rows
from tests.training.lab import (
    byte_tokenizer,
    dataset,
    edit,
    mix,
    negative_training,
    one_step,
    relative_error,
    step_gradients,
    tiny_llama,
    unlikelihood,
)
from tests.training.methods.nat_students import LORA

BYTES = Encoder(byte_tokenizer())
STORIES = [
    ("3 and 4?", "3 + 4 = 7", "3 + 4 = 8", 8),
    ("2 of 3?", "2 * 3 = 6", "2 * 3 = 5, so 5", 8),
    ("9 - 5?", "9 - 5 = 4", "5 + 9 = 14", 6),
]


def group(number: int, *, located: bool = True) -> Group:
    question, right, wrong, place = STORIES[number]
    ids = BYTES.tokenizer(question, add_special_tokens=False)["input_ids"]
    written = [Written("right", ids, right), Written("wrong", ids, wrong, wrong_from=place if located else None)]
    return make_group(f"p{number}", written, [(0, 1)], BYTES)


ROWS = [group(number) for number in range(3)]


# ---- the row ---------------------------------------------------------------------------------------------------------


def row(**meta: Any) -> SourceRow:
    return SourceRow("x.jsonl, line 1", {"prompt": "3 and 4?", "completion": "3 + 4 = 8", "label": False, "meta": meta})


def wrong_of(source: SourceRow) -> LabeledSequence:
    sequences = format_of("nat").sequences
    assert sequences is not None
    (one,) = sequences(source)
    return one


def test_a_row_says_it_in_its_meta() -> None:
    assert wrong_of(row(wrong_from=8)).wrong_from == 8
    assert wrong_of(row(wrong_from=0)).wrong_from == 0
    assert wrong_of(row()).wrong_from is None
    right = SourceRow("x", {**row(wrong_from=8).data, "label": True})
    assert wrong_of(right).wrong_from is None


@pytest.mark.parametrize("place", [-1, 9, 2.0, "8", True])
def test_a_place_that_is_no_character_of_the_text_is_refused(place: Any) -> None:
    with pytest.raises(UsageError, match=r"meta\.wrong_from") as raised:
        wrong_of(row(wrong_from=place))
    assert "line 1" in raised.value.found


def test_thinking_is_taken_off_before_it_is_counted() -> None:
    before = f"{OPEN}hm{CLOSE}"
    source = SourceRow("x", {**row(wrong_from=len(before) + 8).data, "completion": f"{before}3 + 4 = 8"})
    one = wrong_of(source).parted
    assert (one.text, one.wrong_from) == ("3 + 4 = 8", 8)


# ---- tokens ----------------------------------------------------------------------------------------------------------


def merging() -> PreTrainedTokenizerFast:
    """Merges that reach across words and into characters of several bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=["<pad>", "<eos>"], initial_alphabet=letters)
    tokenizer.train_from_iterator(["so 3 + 4 = 8", "é = ü", "so it is 8.\nThen 8 * 2"] * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")


ENCODERS = [BYTES, Encoder(merging())]
texts = st.text(st.sampled_from("so 348+=.\né漢"), min_size=1, max_size=24).filter(str.strip)


@given(texts, st.data(), st.sampled_from(ENCODERS), st.sampled_from([None, "hm, é"]))
def test_the_first_token_learned_is_the_one_that_holds_the_character(
    text: str, data: st.DataObject, encoder: Encoder, reasoning: str | None
) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    (member,) = make_group("p", [Written("wrong", [5], text, None, reasoning, place)], [], encoder)["members"]

    ids, begin = completion_ids(member), target_start(member) - member["prompt"]
    gap = len(encoder.tokenizer.decode(ids[:-1]).encode()) - len(text.encode())
    widths = [len(encoder.tokenizer.convert_ids_to_tokens(token)) for token in ids[:-1]]  # a letter a byte
    ends = [sum(widths[: number + 1]) for number in range(len(widths))]
    first = next(number for number, end in enumerate(ends) if end > gap + len(text[:place].encode()))
    assert begin == first
    assert begin >= member.get("think", 0)


def test_groups_of_rows_keep_the_place_and_a_shard_of_others_has_none() -> None:
    groups = Groups()
    groups.add([LoadedRow(row(wrong_from=8), format_of("nat")), LoadedRow(row(problem_id="q"), format_of("nat"))])
    first, second = groups.encoded(byte_tokenizer())
    prompt = first["members"][0]["prompt"]
    assert target_start(first["members"][0]) == prompt + 8
    assert "begin" not in second["members"][0]
    stored = dataset([first, second])  # a column that is not in every row is None in the others
    assert [target_start(each["members"][0]) for each in stored] == [prompt + 8, prompt]


@pytest.mark.parametrize("side", ["right", "left"])
def test_what_stands_before_is_read_as_the_prompt_is(side: Any) -> None:
    batch = Collator(0, Reading(frozenset(KINDS), pairs=True), side=side)(ROWS)
    members = [member for each in ROWS for member in each["members"]]
    for b, member in enumerate(members):
        here, start = batch["attention_mask"][b].bool(), target_start(member)
        assert batch["input_ids"][b][here].tolist() == member["input_ids"]
        assert batch["labels"][b][here].tolist() == [-100] * start + member["input_ids"][start:]
        assert not batch["key"][b][here][: start if member["kind"] == "wrong" else 0].any()


# ---- losses ----------------------------------------------------------------------------------------------------------


def logps(model: Any, question: str, text: str, start: int) -> torch.Tensor:
    """log p of the bytes of `text` from `start` on, and of the end, one forward pass."""
    tokenizer = byte_tokenizer()
    before, after = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (question, text))
    ids = [*before, *after, tokenizer.eos_token_id]
    table = F.log_softmax(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double(), -1)
    return torch.stack([table[place - 1, ids[place]] for place in range(len(before) + start, len(ids))])


def mean(parts: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat(parts).mean()


def sides(model: Any, masked: bool) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    right = [logps(model, question, text, 0) for question, text, _, _ in STORIES]
    wrong = [logps(model, question, text, place if masked else 0) for question, _, text, place in STORIES]
    return right, wrong


def twin_nt(model: Any, masked: bool) -> torch.Tensor:
    right, wrong = sides(model, masked)
    return -mean(right) + 0.5 * mean(wrong)


def twin_ul(model: Any, masked: bool) -> torch.Tensor:
    right, wrong = sides(model, masked)
    return -mean(right) - 50 * mean([torch.log(1 - each.exp()) for each in wrong])


def twin_mix(model: Any, masked: bool) -> torch.Tensor:
    right, wrong = sides(model, masked)
    return -mean([*right, *wrong])


def twin_edit(model: Any, masked: bool) -> torch.Tensor:
    """Key bytes are those that no edit path matches; of the wrong side's only those from the place on."""
    total = torch.zeros((), dtype=torch.float64)
    for question, good, bad, place in STORIES:
        keys, start = key_tokens(list(good.encode()), list(bad.encode())), place if masked else 0
        up, down = logps(model, question, good, 0), logps(model, question, bad, start)
        total = total - up[keys.right].sum() / len(up)
        total = total + 0.5 * down[[key - start for key in keys.wrong if key >= start]].sum() / len(down)
    return total / len(STORIES)


def gradient(loss: torch.Tensor, model: Any) -> dict[str, torch.Tensor]:
    loss.backward()
    return {name: each.grad for name, each in model.named_parameters() if each.grad is not None}


METHODS: dict[str, tuple[Any, Callable[[Any, bool], torch.Tensor]]] = {
    "nt": (negative_training(0.5), twin_nt),
    "ul": (unlikelihood(50.0), twin_ul),
    "mix": (mix(), twin_mix),
    "edit": (edit(beta=0.5), twin_edit),
}


@pytest.mark.parametrize("name", METHODS)
def test_each_method_has_its_twins_gradient_and_not_that_of_the_whole_text(name: str, tmp_path: Path) -> None:
    terms, twin = METHODS[name]
    args = one_step(tmp_path, per_device_train_batch_size=3, gradient_accumulation_steps=1)
    trainer = build_trainer(tiny_llama(), args, dataset(ROWS), byte_tokenizer(), Objective(terms))
    found = step_gradients(trainer)

    errors = []
    for masked in (True, False):
        model = tiny_llama()
        errors.append(relative_error(found, gradient(twin(model, masked), model)))
    assert errors[0] < 1e-5
    assert errors[1] > 1e-2


def test_nats_negative_adapter_learns_what_is_wrong_alone(tmp_path: Path) -> None:
    args = one_step(tmp_path, per_device_train_batch_size=3, gradient_accumulation_steps=1)
    trainer = negative_trainer(tiny_llama(), args, dataset(ROWS), byte_tokenizer(), LoraConfig(**LORA))
    trainer.train()

    late, whole = (-mean(sides(tiny_llama(), masked)[1]).item() for masked in (True, False))
    assert float(trainer.state.log_history[0]["loss"]) == pytest.approx(late, rel=1e-4)
    assert abs(late - whole) > 0.01


def test_trls_trainers_which_weigh_wholes_refuse_such_rows() -> None:
    for rows in (preference_rows, labeled_rows):
        with pytest.raises(UsageError, match="from their first wrong step on"):
            list(rows(ROWS))
        assert list(rows([group(0, located=False)]))
