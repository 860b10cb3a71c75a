"""The tiny student's school: what is taught, the cache, the exam that admits."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from errata.agents.prompts import load_prompts
from errata.agents.student import explain_messages, student_messages
from errata.classroom.check_steps import judge
from errata.classroom.grammar import WITHHELD, parse
from errata.classroom.problems import problems
from errata.classroom.soundness import sound
from errata.errors import ErrataError, UsageError
from errata.llm.backends.simulated.faculty import reply
from errata.llm.backends.simulated.persona import COMMITTEE
from errata.models.files import find
from errata.models.load import load
from errata.models.prompting import Example, example_ids
from errata.training.classroom_student import loop as schooling
from errata.training.classroom_student import model as tiny
from errata.training.classroom_student import pretrain as school
from errata.training.classroom_student.pretrain import Pretraining, pretrain

PROMPTS = load_prompts()
BRIEF = Pretraining(problems=64, explained=0.3, batch=16, examined=4, admitted=0.0)


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the student of BRIEF."""
    made = tmp_path_factory.mktemp("school")
    pretrain(made, BRIEF, quiet)
    return made


def test_only_small_models_are_kept_to_one_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with schooling.threads_for(torch.nn.Linear(10, 10)):
            assert torch.get_num_threads() == 1
        with schooling.threads_for(torch.nn.Linear(2000, 1000)):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_every_problem_gives_one_row_in_one_of_two_modes() -> None:
    settings = Pretraining(problems=400)
    taught = school.rows(settings, PROMPTS)
    explaining = [row for row in taught if "### Mistakes" in row.messages[-1].content]

    assert len(taught) == 400
    assert len(explaining) == pytest.approx(0.08 * 400, abs=15)
    assert school.rows(settings, PROMPTS) == taught
    assert school.rows(settings.model_copy(update={"seed": 1}), PROMPTS) != taught


def test_solutions_are_sound_and_the_mistakes_pointed_out_are_there() -> None:
    sources = problems({"split": "school", "count": 200})
    for problem, row in zip(sources, school.rows(Pretraining(problems=200), PROMPTS), strict=True):
        prompt = row.messages[-1].content
        if "### Mistakes" not in prompt:
            assert sound(problem.question, row.completion)
            continue
        puzzle = parse(problem.question)
        flawed = prompt.split("### Student's answer\n")[1].split("\n\n###")[0]
        assert puzzle
        assert judge(puzzle, flawed).flaw
        assert "the right step is" in row.completion or "the steps lead to" in row.completion


def test_withheld_words_are_known_but_never_read(folder: Path) -> None:
    read = {
        word
        for row in school.rows(Pretraining(problems=1000), PROMPTS)
        for text in (row.messages[-1].content, row.completion)
        for word in text.split()
    }

    assert not read & WITHHELD
    (path,) = folder.glob("tiny-*")
    assert set(load(str(path), "cpu").tokenizer.get_vocab()) >= WITHHELD


def test_no_held_out_problem_has_the_numbers_of_a_taught_one() -> None:
    settings = Pretraining(problems=300, examined=20)
    taught = {row.signature for row in school.rows(settings, PROMPTS)}
    asked = school.held_out(settings, taught)

    assert len(asked) == 20
    assert not taught & {problem.meta["signature"] for problem in asked}
    assert not {word for problem in asked for word in problem.question.split()} & WITHHELD


def test_an_epoch_reads_every_row_once_and_pads_little() -> None:
    lengths = [30 + place * 7 % 60 for place in range(1000)]
    found = schooling.batches(lengths, 32, 0)

    assert sorted(place for batch in found for place in batch) == list(range(1000))
    width = sum(len(batch) * max(lengths[place] for place in batch) for batch in found)
    assert width < 1.15 * sum(lengths)
    assert found == schooling.batches(lengths, 32, 0)
    assert found != schooling.batches(lengths, 32, 1)


def test_the_rate_rises_to_one_and_falls_to_its_floor() -> None:
    rates = [schooling.rate(step, 100) for step in range(100)]

    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_a_step_is_the_gradient_of_the_mean_over_completion_tokens() -> None:
    tokenizer = tiny.make_tokenizer(["1 2 3"], ["4"])
    model = tiny.make_model(tokenizer)
    examples = [Example([1, 2, 3], [4, 5]), Example([2], [6]), Example([7, 8], [9, 10, 11])]
    ((_, loss),) = schooling.train(model, examples, 0, batch=3, learning_rate=1e-3, seed=0)

    untouched = tiny.make_model(tokenizer).eval()
    total, count = 0.0, 0
    for prompt, completion in examples:
        with torch.no_grad():
            logits = untouched(torch.tensor([[*prompt, *completion]])).logits[0].log_softmax(-1)
        for place, token in enumerate(completion, len(prompt)):
            total, count = total - float(logits[place - 1, token]), count + 1
    assert loss == pytest.approx(total / count, rel=1e-5)
    assert not torch.equal(model.lm_head.weight, untouched.lm_head.weight)


def test_the_same_settings_give_the_same_bytes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(school, "_SILENT_S", 0)
    again = pretrain(tmp_path, BRIEF, told.append)

    kinds = ("makes 64 rows", "64 of 64 rows", "64 rows in tokens", "step 1/4", "step 4/4", "sits its exam", "solves")
    places = [next(at for at, line in enumerate(told) if kind in line) for kind in kinds]
    assert places == sorted(places)  # no part of it is silent
    (first,) = folder.glob("tiny-*")
    assert again.path.name == first.name
    assert find(str(again.path)).fingerprint() == find(str(first)).fingerprint()


def test_a_student_is_schooled_once(folder: Path) -> None:
    told: list[str] = []
    (path,) = folder.glob("tiny-*")
    before = path.stat().st_mtime_ns, sorted(path.iterdir())
    found = pretrain(folder, BRIEF, told.append)

    assert (found.path, told) == (path, [])
    assert (path.stat().st_mtime_ns, sorted(path.iterdir())) == before
    assert school.recipe_hash(BRIEF) != school.recipe_hash(BRIEF.model_copy(update={"seed": 2}))


def test_one_that_fails_its_exam_is_not_admitted(tmp_path: Path) -> None:
    with pytest.raises(ErrataError, match=r"solves 0\.0% of 4 held-out school problems") as raised:
        pretrain(tmp_path, BRIEF.model_copy(update={"admitted": 0.85}), quiet)

    assert "85%" in raised.value.why
    assert raised.value.do
    assert not [each for each in tmp_path.iterdir() if each.is_dir()]


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    path = tmp_path / f"tiny-{school.recipe_hash(BRIEF)}"
    path.mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        pretrain(tmp_path, BRIEF, quiet)


def _school_slowly(folder: Path) -> None:
    def stall(*args: Any) -> None:
        time.sleep(60)

    school.exam = stall  # the weights are written, the exam not over
    pretrain(folder, BRIEF, quiet)


def test_killed_before_the_end_it_leaves_nothing_that_is_taken_for_a_student(tmp_path: Path, folder: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_school_slowly, args=(tmp_path,))
    process.start()
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".*.part/model.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()

    assert not list(tmp_path.glob("tiny-*"))
    again = pretrain(tmp_path, BRIEF, quiet)
    assert not list(tmp_path.glob(".*.part"))
    assert find(str(again.path)).fingerprint() == find(str(next(folder.glob("tiny-*")))).fingerprint()


def test_all_that_the_faculty_says_of_a_lesson_is_in_its_words(folder: Path) -> None:
    tokenizer = load(str(next(folder.glob("tiny-*"))), "cpu").tokenizer
    for problem in problems({"split": "lesson", "count": 30}):
        asked = [(each.role, each.content) for each in student_messages(PROMPTS, problem)]
        solution = reply("simulated/pupil", asked, {}, 1).text
        inputs = {"question": problem.question, "options": "", "rationale": solution, "answer": problem.answer}
        about = [(each.role, each.content) for each in PROMPTS["teacher/explain"].messages(None, inputs)]
        for teacher in COMMITTEE:
            remark = reply(f"simulated/{teacher}", about, {}, 1).text
            taught = example_ids(tokenizer, explain_messages(PROMPTS, problem, solution), remark)
            assert tokenizer.unk_token_id not in [*taught.prompt, *taught.completion]


@pytest.mark.slow
def test_the_full_school_admits_its_student(tmp_path: Path) -> None:
    told: list[str] = []
    student = pretrain(tmp_path, Pretraining(), told.append)

    assert student.solved >= 0.85
    assert any("held-out" in line for line in told)
