"""Steps tile their text, and break where a reader would break it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.grading.steps import step_at, steps_of

texts = st.text(st.sampled_from("ab1 .\n?!)$\\[]*-"), max_size=40) | st.text(max_size=40)


def parts(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in steps_of(text)]


@given(texts)
def test_spans_tile_the_text_and_none_is_blank(text: str) -> None:
    spans = steps_of(text)

    if not any(letter.isalnum() for letter in text):
        assert spans == ()
        return
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(any(letter.isalnum() for letter in text[start:end]) for start, end in spans)


@given(texts.filter(lambda text: any(letter.isalnum() for letter in text)), st.data())
def test_every_place_lies_in_the_step_that_holds_it(text: str, data: st.DataObject) -> None:
    spans = steps_of(text)
    place = data.draw(st.integers(0, len(text) - 1))

    start, end = spans[step_at(spans, place)]

    assert start <= place < end
    assert step_at(spans, len(text) + 5) == len(spans) - 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dozen = 12 . 3 * 12 = 36 . the answer is 36 .", ["dozen = 12 .", "3 * 12 = 36 .", "the answer is 36 ."]),
        ("We have 3.5 + 1 = 4.5 kg.\nSo 9.", ["We have 3.5 + 1 = 4.5 kg.", "So 9."]),
        ("1. Add them.\n2. Halve them: 4.\n\n", ["1. Add them.", "2. Halve them: 4."]),
        ("**Step 1.** Add.\n\n**Step 2.** Halve.", ["**Step 1.** Add.", "**Step 2.** Halve."]),
        ("Mr. Lee has e.g. 3 dogs. Is it so? Yes!", ["Mr. Lee has e.g. 3 dogs.", "Is it so?", "Yes!"]),
        ("So\n\\[\n2 + 3 = 5.\n\\]\nDone.", ["So", "\\[\n2 + 3 = 5.\n\\]", "Done."]),
        ("It is 5.\n---\nThe answer is 5.", ["It is 5.\n---", "The answer is 5."]),
        ("\n\nA word", ["A word"]),
    ],
)
def test_steps_are_sentences_lines_and_numbered_steps(text: str, expected: list[str]) -> None:
    assert parts(text) == expected


def test_a_text_without_steps_has_no_step_at_a_place() -> None:
    with pytest.raises(ValueError, match="without steps"):
        step_at(steps_of(" \n"), 0)
