"""Prompts are checked when they are loaded; what is filled in is data."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from benchmarks import cacheable
from errata.agents.demonstration import Demonstration
from errata.agents.prompts import load_prompts
from errata.agents.student import student_messages
from errata.errors import UsageError
from tests.helpers import apples

NAMES = {
    "reviewer/score",
    "reviewer/first_wrong_step",
    "student/solve",
    "student/explain",
    "teacher/continue",
    "teacher/shorten_thinking",
    *(f"teacher/{verb}" for verb in ("solve", "explain", "classify", "rectify", "corrupt", "revise")),
}
INPUTS = {
    "question": "Q?",
    "options": "",
    "answer_form": "F",
    "rationale": "R",
    "answer": "",
    "explanation": "",
    "demonstrations": (),
    "critiques": ("C",),
    "reasoning": "T",
    "max_words": "9",
}


def override(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(folder)


def test_every_shipped_prompt_loads_with_a_version_and_a_hash() -> None:
    prompts = load_prompts()

    assert set(prompts) == NAMES
    assert set(prompts.hashes()) == {f"{name}@{prompt.version}" for name, prompt in prompts.items()}
    assert len(set(prompts.hashes().values())) == len(NAMES)
    assert prompts.hashes() == load_prompts().hashes()


def test_shipped_prompts_are_parsed_once_and_no_override_stays() -> None:
    first = load_prompts()
    first["teacher/solve"] = first["teacher/explain"]

    assert load_prompts()["teacher/solve"] is load_prompts()["teacher/solve"] is not first["teacher/solve"]


def test_first_lines_are_distinct_so_that_a_verb_can_be_told_from_its_prompt() -> None:
    first = [prompt.messages(None, INPUTS)[0].content.partition("\n")[0] for prompt in load_prompts().values()]

    assert len(set(first)) == len(NAMES)


def test_what_is_the_same_for_every_problem_stands_first() -> None:
    """So that a provider's cache can keep it; the student's prompt is the question alone."""
    assert cacheable.main()


def test_optional_parts_leave_no_gap() -> None:
    (message,) = load_prompts()["teacher/solve"].messages(None, INPUTS | {"answer_form": "The answer is X."})

    assert message.content.endswith("The answer is X.\n\n### Problem\nQ?\n\n### Solution")


def test_demonstrations_and_options_are_shown() -> None:
    example = Demonstration(question="Q1?", rationale="right", wrong="wrong")
    inputs = INPUTS | {"demonstrations": (example,), "options": "A. one\nB. two"}

    (message,) = load_prompts()["teacher/rectify"].messages(None, inputs)

    assert "### Example problem\nQ1?\n\n### Example wrong solution\nwrong\n\n" in message.content
    assert "### Problem\nQ?\n\n### Options\nA. one\nB. two\n\n### Wrong solution\nR\n\n" in message.content


def test_a_blind_review_shows_no_answer() -> None:
    score = load_prompts()["reviewer/score"]

    assert "### Correct answer\n7" in score.messages(None, INPUTS | {"answer": "7"})[0].content
    assert "Correct answer" not in score.messages(None, INPUTS)[0].content


def test_the_system_line_comes_first() -> None:
    messages = load_prompts()["student/solve"].messages("Be brief.", INPUTS)

    assert messages[0].content == "Be brief."
    assert [each.role for each in messages] == ["system", "user"]


@given(st.text())
def test_what_is_filled_in_is_never_a_template(text: str) -> None:
    (message,) = load_prompts_once()["teacher/explain"].messages(None, INPUTS | {"rationale": text})

    assert f"### Student's answer\n{text}\n" in message.content


def test_markup_in_data_stays_as_it_is() -> None:
    hostile = "{{ answer }} {% for x in y %} <b>&amp;</b> \\frac{1}{2} {# no #}"

    (message,) = student_messages(load_prompts_once(), apples(question=hostile))

    assert message.content.startswith(hostile + "\n")


_loaded = load_prompts()


def load_prompts_once():  # type: ignore[no-untyped-def]
    return _loaded


def test_an_override_replaces_the_prompt_of_its_name(tmp_path: Path) -> None:
    folder = override(tmp_path, "student/solve.md", "---\nversion: 7\ninputs: [question]\n---\nQ: {{ question }}\nA:")

    prompts = load_prompts(folder)

    assert prompts["student/solve"].id == "student/solve@7"
    assert prompts["student/solve"].messages(None, INPUTS)[0].content == "Q: Q?\nA:"
    assert prompts["teacher/solve"].hash == load_prompts()["teacher/solve"].hash


def test_a_changed_text_has_another_hash_whatever_its_version(tmp_path: Path) -> None:
    folder = override(tmp_path, "student/solve.md", "---\nversion: 1\ninputs: [question]\n---\n{{ question }}")

    assert load_prompts(folder)["student/solve"].hash != load_prompts()["student/solve"].hash


def test_a_limit_of_replies_stands_in_the_front_matter_and_is_inherited(tmp_path: Path) -> None:
    shipped = load_prompts()
    assert {name: prompt.max_tokens for name, prompt in shipped.items()} == {
        "reviewer/score": 512,
        "reviewer/first_wrong_step": 512,
        "teacher/continue": 2048,
        "teacher/shorten_thinking": 4096,
        "teacher/classify": 256,
        "teacher/explain": 1024,
        "teacher/rectify": 2048,
        "teacher/corrupt": 2048,
        "teacher/revise": 2048,
        "teacher/solve": None,
        "student/solve": None,
        "student/explain": None,
    }
    override(tmp_path, "reviewer/score.md", "---\nversion: 9\ninputs: [rationale]\n---\n{{ rationale }}")
    own = "---\nversion: 1\nmax_tokens: 64\ninputs: [rationale]\n---\n{{ rationale }}"
    loaded = load_prompts(str(override(tmp_path, "teacher/classify.md", own)))
    assert (loaded["reviewer/score"].max_tokens, loaded["teacher/classify"].max_tokens) == (512, 64)


HEAD = "---\nversion: 1\ninputs: [question]\n---\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "student/solve.md",
            HEAD + "{{ question }} {{ quesion }}",
            ["uses quesion", "nearest declared one is question"],
        ),
        ("student/solve.md", HEAD + "Answer.", ["declares question and does not use it"]),
        (
            "student/solve.md",
            HEAD.replace("question", "question, hint") + "{{ question }}{{ hint }}",
            ["asks for hint"],
        ),
        ("student/solv.md", HEAD + "{{ question }}", ["replaces no prompt", "nearest is student/solve.md"]),
        ("solve.md", HEAD + "{{ question }}", ["replaces no prompt"]),
        ("student/solve.txt", HEAD + "{{ question }}", ["replaces no prompt"]),
        ("student/solve.md", "{{ question }}", ["no front matter"]),
        ("student/solve.md", "", ["no front matter"]),
        ("student/solve.md", "---\nversion: [\n---\n{{ question }}", ["no YAML"]),
        ("student/solve.md", "---\nversion: 1\n---\nhello", ["front matter holds version"]),
        ("student/solve.md", "---\nversion: 1\ninputs: []\nmax_tokens: all\n---\nhello", ["max_tokens 'all'"]),
        ("student/solve.md", "---\nversion: 1\ninputs: []\nmax_tokens: 0\n---\nhello", ["max_tokens 0"]),
        ("student/solve.md", "---\nversion: 1\ninputs: []\nlimit: 9\n---\nhello", ["front matter holds", "limit"]),
        ("student/solve.md", "---\nversion: one\ninputs: []\n---\nhello", ["version 'one'"]),
        ("student/solve.md", "---\nversion: 1\ninputs: question\n---\n{{ question }}", ["inputs 'question'"]),
        ("student/solve.md", HEAD + "{{ question", ["line 1"]),
        ("student/solve.md", HEAD + "{% include 'x' %}{{ question }}", ["{% include %}"]),
        ("student/solve.md", HEAD + "{{ question.__class__.__mro__ }}", ["cannot be filled in"]),
        ("student/solve.md", HEAD + "{{ question | nosuchfilter }}", ["nosuchfilter"]),
        (
            "teacher/corrupt.md",
            "---\nversion: 1\ninputs: [demonstrations]\n---\n{% for d in demonstrations %}{{ d.wrnog }}{% endfor %}",
            ["cannot be filled in", "wrnog"],
        ),
    ],
)
def test_a_bad_override_is_refused_with_its_file_and_fault(
    tmp_path: Path, name: str, text: str, words: list[str]
) -> None:
    folder = override(tmp_path, name, text)

    with pytest.raises(UsageError) as error:
        load_prompts(folder)

    assert str(tmp_path / name) in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "student").mkdir()
    (tmp_path / "student/solve.md").write_bytes(b"---\n\xff\xfe")

    with pytest.raises(UsageError, match="cannot be read"):
        load_prompts(str(tmp_path))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    override(tmp_path / "elsewhere", "solve.md", HEAD + "{{ question }}")
    (tmp_path / "mine/student").mkdir(parents=True)
    (tmp_path / "mine/student/solve.md").symlink_to(tmp_path / "elsewhere/solve.md")

    with pytest.raises(UsageError, match="leads out of"):
        load_prompts(str(tmp_path / "mine"))


def test_a_missing_folder_is_refused_and_hidden_files_are_not_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        load_prompts(str(tmp_path / "nowhere"))
    (tmp_path / ".notes").write_text("mine")

    assert load_prompts(str(tmp_path)).hashes() == load_prompts().hashes()


def test_a_missing_input_is_an_error_not_a_blank() -> None:
    with pytest.raises((UndefinedError, KeyError)):
        load_prompts()["student/solve"].messages(None, {"question": "Q?"})
