"""Prompts of one's own before the faculty: recognised by what they ask, or counted as unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.agents.ask import PromptCall, PromptedModel
from errata.agents.parse_reply import read_prose
from errata.agents.prompts import Prompts, load_prompt, load_prompts
from errata.agents.reviewer import Reviewer
from errata.agents.teacher import Teacher
from errata.classroom.check_steps import judge
from errata.classroom.grammar import parse
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.solve import VOICES, lucky, work, write, wrong
from errata.classroom.soundness import sound
from errata.grading.extract import read_answer
from errata.llm.backends.simulated.faculty import reply
from errata.llm.backends.simulated.recognize import NamedPrompt, task_of
from errata.llm.gateway import Gateway
from errata.llm.spec import AgentSpec, Sampling
from errata.records import Call, Problem, Rationale
from errata.runs.counters import unknown_prompts
from tests.llm.backends.simulated.asking import lesson, messages, prompts
from tests.llm.provider import gateway

OWN = Path(__file__).parents[3] / "own_parts"
PERFECT = "simulated/eve?misconceptions=0&slips=0&lucky=0&sensitivity=1&specificity=1"
SAMPLING = Sampling(temperature=0.5)


def prompt_file(folder: Path, name: str, inputs: str, body: str) -> Path:
    path = folder / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\nversion: 3\ninputs: [{inputs}]\n---\n{body}\n")
    return path


def model(ask: Gateway, spec: AgentSpec, texts: Prompts) -> PromptedModel:
    return PromptedModel(spec, ask, texts)


def rationale(problem: Problem, text: str) -> Rationale:
    return Rationale(id="r", problem_id=problem.id, author="bob", role="teacher", text=text)


async def test_a_shipped_prompt_in_own_words_is_answered_like_the_shipped_one(tmp_path: Path) -> None:
    prompt_file(tmp_path / "own", "teacher/solve", "question", "Rechne bitte: {{ question }}")
    texts = {
        "teacher/revise": ("question, rationale, critiques", "Do better: {{ rationale }} {{ critiques|join(' ') }}"),
        "reviewer/score": ("question, rationale", "Marks out of five for {{ rationale }}?"),
    }
    for name, (inputs, body) in texts.items():
        prompt_file(tmp_path / "own", name, inputs, f"{body} {{{{ question }}}}")
    prompt_file(
        tmp_path / "own",
        "reviewer/score",
        "question, rationale",
        "Marks out of five for {{ rationale }}? {{ question }}",
    )
    spec = AgentSpec(name="eve", model=PERFECT)
    async with gateway(tmp_path, spec) as ask:
        own = model(ask, spec, load_prompts(str(tmp_path / "own")))
        for problem in lesson()[:20]:
            solved = await Teacher(own).solve(problem, SAMPLING)
            assert solved.value
            assert sound(problem.question, solved.value.text) is True
            false = rationale(problem, mistaken(problem))
            low = await Reviewer(own).score(problem, false, SAMPLING)
            high = await Reviewer(own).score(problem, solved.value, SAMPLING)
            assert low.value
            assert high.value
            assert (low.value.score or 9) <= 2
            assert (high.value.score or 0) >= 4
            criticised = false.model_copy(update={"reviews": (low.value,)})
            revised = await Teacher(own).revise(problem, criticised, SAMPLING)
            assert revised.value
            assert sound(problem.question, revised.value.text) is True
        assert ask.notes == ()


def mistaken(problem: Problem) -> str:
    puzzle = parse(problem.question)
    assert puzzle
    return write(puzzle, work(puzzle, wrong(puzzle, HashedRandom(problem.id))), 0)


async def test_an_agent_of_ones_own_is_recognised_by_the_end_of_its_prompt_s_name(tmp_path: Path) -> None:
    file = prompt_file(tmp_path, "solve", "riddle", "A riddle for you: {{ riddle }}")
    spec = AgentSpec(name="ed", model=PERFECT)
    async with gateway(tmp_path, spec) as ask:
        ed = model(ask, spec, Prompts({"editor/solve": load_prompt(file, "editor/solve")}))
        problem = lesson()[0]
        answer = await ed.ask(PromptCall("editor/solve", {"riddle": problem.question}), problem, SAMPLING, read_prose)
        assert sound(problem.question, answer.text) is True
        assert not ask.spent.unknown_prompts


def solutions(problem: Problem) -> list[str]:
    """Right, wrong, and right by a lucky end, in each voice."""
    puzzle = parse(problem.question)
    assert puzzle
    rng = HashedRandom("solutions", problem.id)
    works = (work(puzzle), work(puzzle, wrong(puzzle, rng)), lucky(puzzle, rng))
    return [write(puzzle, lines, voice) for lines in works for voice in range(len(VOICES))]


@pytest.mark.parametrize("voice", VOICES)
def test_an_unknown_prompt_retells_the_rationale_as_right_or_wrong_as_it_was(voice: str) -> None:
    for problem in lesson()[:20]:
        for before in solutions(problem):
            after = shortened(problem, before, f"ed?voice={voice}")
            puzzle = parse(problem.question)
            assert puzzle
            assert read_answer("number", after).answer == read_answer("number", before).answer
            assert sound(problem.question, after) == sound(problem.question, before)
            assert judge(puzzle, after).voice in (VOICES.index(voice), 0)  # a product has no words of its own in two
            assert shortened(problem, before, f"ed?voice={voice}") == after


SHORTEN = load_prompt(OWN / "shorten.md", "editor/shorten")


def shortened(problem: Problem, text: str, name: str) -> str:
    inputs = {"question": problem.question, "rationale": text}
    sent = [(each.role, each.content) for each in SHORTEN.messages(None, inputs)]
    answer = reply(name, sent, {}, 1, NamedPrompt("editor/shorten", inputs))
    assert answer.unknown_prompt
    return answer.text


def test_an_unknown_prompt_without_a_rationale_gets_a_solution() -> None:
    problem = lesson()[0]
    sent, prompt = (
        [("user", f"Psst! {problem.question}")],
        NamedPrompt("editor/whisper", {"question": problem.question}),
    )
    assert sound(problem.question, reply(PERFECT, sent, {}, 1, prompt).text) is True
    assert reply(PERFECT, sent, {}, 1, prompt).unknown_prompt
    assert reply(PERFECT, sent, {}, 1).unknown_prompt  # as over HTTP
    elsewhere = NamedPrompt("editor/shorten", {"question": "What is 2 + 2?", "rationale": "It is 4."})
    assert reply(PERFECT, [("user", "Shorten: It is 4.")], {}, 1, elsewhere).text == "It is 4."


def test_shipped_prompts_are_read_alike_with_and_without_their_name() -> None:
    problem = lesson()[0]
    inputs: dict[str, Any] = {
        "question": problem.question, "options": "", "rationale": mistaken(problem), "answer": problem.answer,
        "explanation": "", "demonstrations": (), "answer_form": "The answer is X.", "critiques": ("no", "never"),
        "reasoning": mistaken(problem), "max_words": "9",
    }  # fmt: skip
    for name in set(prompts()) - {"student/explain"}:  # which nobody asks of the faculty
        ((_, text),) = messages(name, problem, **inputs)
        inputs_shown = {key: inputs[key] for key in prompts()[name].inputs}
        assert task_of(text, NamedPrompt(name, inputs_shown)) == task_of(text)
        own = task_of("Other words.", NamedPrompt(name, inputs_shown))
        read = task_of(text)
        assert (own.verb, own.form) == (name, read.form or own.form)
        assert {key: own.parts[key] for key in read.parts} == read.parts


async def test_unknown_prompts_are_counted_once_per_reply_and_said(tmp_path: Path) -> None:
    spec = AgentSpec(name="ed", model="simulated/ed")
    texts = Prompts({"editor/shorten": load_prompt(OWN / "shorten.md", "editor/shorten")})
    calls: list[Call] = []
    for _ in range(2):  # the second time every reply comes from the store
        async with gateway(tmp_path, spec) as ask:
            for problem in lesson()[:3]:
                call = PromptCall("editor/shorten", {"question": problem.question, "rationale": mistaken(problem)})
                calls += (await model(ask, spec, texts).ask(call, problem, SAMPLING, read_prose)).calls
            counted, notes = dict(ask.spent.unknown_prompts), ask.notes
            if len(calls) == 3:
                assert counted == unknown_prompts(ask.spent, {}) == {"editor/shorten@1": 3}
                assert unknown_prompts(ask.spent, {"a/b@1": 1, "editor/shorten@1": 2}) == {
                    "a/b@1": 1,
                    "editor/shorten@1": 5,
                }
                assert "does not know what the prompt editor/shorten@1 asks for: its 3 replies" in notes[0]
    assert (counted, notes) == ({}, ())
    assert calls[:3] == calls[3:]


async def test_the_name_and_the_inputs_are_not_sent_to_a_server(tmp_path: Path) -> None:
    from tests.llm.provider import Provider

    file = prompt_file(tmp_path, "hush", "question", "{{ question }}")
    async with Provider() as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            quiet = model(ask, spec, Prompts({"secret/hush": load_prompt(file, "secret/hush")}))
            problem = lesson()[0].model_copy(update={"question": "6 times 7?"})
            await quiet.ask(PromptCall("secret/hush", {"question": "6 times 7?"}), problem, SAMPLING, read_prose)
    assert "hush" not in provider.raw[0].decode()
    assert provider.bodies[0].keys() == {"model", "stream", "temperature", "seed", "messages"}
