"""The faculty asked to shorten thinking: over both transports, with the answer that the thinking ends in."""

from errata.agents.parse_reply import read_solution
from errata.classroom.check_steps import judge
from errata.classroom.grammar import parse
from errata.classroom.solve import work, write
from errata.llm.backends.simulated.faculty import reply
from errata.llm.backends.simulated.recognize import NamedPrompt
from tests.llm.backends.simulated.asking import ask, lesson, messages

ASIDE = "\nhmm , let me look at that once more before i go on .\n"


def test_facts_steps_and_the_answer_stay_and_the_rest_goes() -> None:
    for problem in lesson(20):
        puzzle = parse(problem.question)
        assert puzzle is not None
        thought = ASIDE + write(puzzle, work(puzzle), voice=1).replace(" . ", " ." + ASIDE) + ASIDE
        shown = {"reasoning": thought, "max_words": "9"}

        short = ask("ada", "teacher/shorten_thinking", problem, **shown)
        sent = messages("teacher/shorten_thinking", problem, **shown)
        named = NamedPrompt("teacher/shorten_thinking", {"question": problem.question, **shown})
        before, after = judge(puzzle, thought), judge(puzzle, short)

        assert len(short.split()) < len(thought.split())
        assert "hmm" not in short
        assert after.flaw is None
        assert [one.result for one in after.steps] == [one.result for one in before.steps]
        assert read_solution(problem, short).endswith(f"the answer is {problem.answer} .")
        assert reply("ada", sent, {"temperature": 0.7}, 1, named).text == short


def test_thinking_of_another_world_comes_back_as_it_is() -> None:
    elsewhere = NamedPrompt("teacher/shorten_thinking", {"question": "What is 2 + 2?", "reasoning": "It is 4."})

    assert reply("ada", [("user", "shorter")], {}, 1, elsewhere).text == "It is 4."
