"""The student that starts from nothing: its tokenizer, its weights, and that it is a checkpoint like any other."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from errata.agents.prompts import load_prompts
from errata.agents.student import explain_messages, student_messages
from errata.classroom.problems import problems
from errata.errors import UsageError
from errata.models.generate import generate
from errata.models.load import load
from errata.models.prompting import example_ids, prompt_ids
from errata.models.sampling import Decoding, Job
from errata.records import Message, Problem, Span
from errata.training.classroom_student import model as tiny
from errata.training.encode import Encoder

PROMPTS = load_prompts()
LESSON = list(problems({"split": "lesson", "count": 60}))
STORIES = [
    "Zoë owns 1,250 marbles; she gives away 15 %.\nHow many are left?",
    "A train leaves at 9:15 and arrives at 11:05. How long did it ride?",
]


def asked(problem: Problem) -> str:
    return student_messages(PROMPTS, problem)[0].content


def pointed_out(problem: Problem) -> str:
    return explain_messages(PROMPTS, problem, problem.rationale or "")[0].content


@pytest.fixture(scope="module")
def words() -> PreTrainedTokenizerFast:
    prompts = [*map(asked, LESSON), *map(pointed_out, LESSON)]
    return tiny.make_tokenizer(prompts, [problem.rationale or "" for problem in LESSON])


@pytest.fixture(scope="module")
def letters() -> PreTrainedTokenizerFast:
    return tiny.make_tokenizer(STORIES, ["1,250 * 15 / 100 = 187.5\nThe answer is 1062.5."])


def test_instructions_and_headings_are_one_token_each(words: PreTrainedTokenizerFast) -> None:
    problem = LESSON[0]
    ids = prompt_ids(words, student_messages(PROMPTS, problem))

    assert len(ids) == 1 + len(problem.question.split()) + 1
    assert (
        words.convert_ids_to_tokens(ids[-1])
        == 'Reason step by step and end with: a line that begins with "The answer is" and gives the answer.'
    )
    assert words.decode(ids[1:]) == " ".join(asked(problem).split())
    explained = prompt_ids(words, explain_messages(PROMPTS, problem, problem.rationale or ""))
    assert len(explained) == 1 + len(problem.question.split()) + len((problem.rationale or "").split()) + 1 + 5


def test_a_prompt_starts_with_bos_and_a_completion_ends_with_eos_once(words: PreTrainedTokenizerFast) -> None:
    prompt, completion = example_ids(words, student_messages(PROMPTS, LESSON[0]), "3 + 4 = 7 . the answer is 7 .")

    assert prompt[0] == words.bos_token_id
    assert prompt.count(words.bos_token_id) == 1
    assert completion[-1] == words.eos_token_id
    assert completion.count(words.eos_token_id) == 1
    assert words.pad_token_id not in (words.bos_token_id, words.eos_token_id)


def test_a_conversation_continues_its_prompt(words: PreTrainedTokenizerFast) -> None:
    turns = [{"role": "user", "content": asked(LESSON[0])}, {"role": "assistant", "content": "the answer is 7 ."}]
    prompt = words.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    whole = words.apply_chat_template(turns, tokenize=False)

    assert whole == prompt + "the answer is 7 ." + words.eos_token


@pytest.mark.parametrize("number", range(100))
def test_numbers_to_99_are_one_token(words: PreTrainedTokenizerFast, number: int) -> None:
    assert words.convert_ids_to_tokens(words(str(number), add_special_tokens=False)["input_ids"]) == [str(number)]


@given(numbers=st.lists(st.integers(-999, 9999), min_size=1))
def test_other_numbers_are_spelled(words: PreTrainedTokenizerFast, numbers: list[int]) -> None:
    ids = words(" ".join(map(str, numbers)), add_special_tokens=False)["input_ids"]

    assert words.unk_token_id not in ids
    assert words.decode(ids).replace("- ", "-") == " ".join(map(str, numbers))


def test_an_answer_is_one_token_wherever_it_stands(words: PreTrainedTokenizerFast) -> None:
    encoder = Encoder(words)
    found = []
    for text in ("3 + 4 = 7 . the answer is 7 .", "the answer is 7"):
        start = text.rindex("7")
        ids, (first, end) = encoder.completion(text, Span(start, start + 1))
        found.append(ids[first:end])

    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_special_names_in_a_text_are_text(words: PreTrainedTokenizerFast, letters: PreTrainedTokenizerFast) -> None:
    for tokenizer in (words, letters):
        ids = Encoder(tokenizer).completion("the </s> answer <pad> is <s> 7 .")[0]

        assert ids.index(tokenizer.eos_token_id) == len(ids) - 1
        assert not {tokenizer.pad_token_id, tokenizer.bos_token_id} & set(ids)


def test_many_words_or_line_breaks_take_a_tokenizer_that_spells(letters: PreTrainedTokenizerFast) -> None:
    for text in (*STORIES, "", " two  spaces ", "日本語 🙂 \t"):
        assert letters.decode(letters(text, add_special_tokens=False)["input_ids"]) == text
    many = tiny.make_tokenizer(["?"], [" ".join(f"w{i}" for i in range(tiny.MOST_WORDS + 1))])
    assert many.decode(many("wholly unseen", add_special_tokens=False)["input_ids"]) == "wholly unseen"


def test_a_question_with_several_rationales_stays_words() -> None:
    prompts = [f"How many are {i} and 4 ?\n\nReason step by step." for i in range(30) for _ in range(10)]

    assert tiny.repeated_lines(prompts) == ["Reason step by step."]
    assert tiny.repeated_lines(prompts[:20]) == []


def test_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="no text"):
        tiny.make([], [])


def test_the_seed_fixes_the_weights_and_leaves_the_global_generator_alone() -> None:
    tokenizer = tiny.make_tokenizer(["1 2"], ["3"])
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, again, other = (tiny.make_model(tokenizer, seed=seed) for seed in (1, 1, 2))

    assert torch.equal(torch.rand(1), expected)
    weights = [model.lm_head.weight for model in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_saved_it_is_a_checkpoint_like_any_other(tmp_path: Path, words: PreTrainedTokenizerFast) -> None:
    model = tiny.make_model(words, context=64)
    folder = tiny.save(tmp_path / "made" / "student", model, words)
    loaded = load(str(folder), device="cpu")
    messages = student_messages(PROMPTS, LESSON[0])
    (said,) = generate(loaded, [Job(prompt_ids(loaded.tokenizer, messages), Decoding(max_tokens=100))])

    assert 300_000 < loaded.model.num_parameters() < 400_000
    assert (loaded.context, loaded.ends) == (64, {words.eos_token_id})
    assert prompt_ids(loaded.tokenizer, messages) == prompt_ids(words, messages)
    assert loaded.tokenizer.padding_side == "left"
    assert said.text
    assert sorted(each.name for each in folder.parent.iterdir()) == ["student"]
    assert not [each for each in folder.iterdir() if each.suffix not in {".json", ".safetensors", ".jinja"}]
    with pytest.raises(UsageError, match="there already"):
        tiny.save(folder, model, words)


def test_a_system_text_is_read_first(letters: PreTrainedTokenizerFast) -> None:
    messages = (Message(role="system", content="Be brief."), Message(role="user", content="Why?"))

    assert letters.decode(prompt_ids(letters, messages)) == "<s>Be brief.\nWhy?\n"
