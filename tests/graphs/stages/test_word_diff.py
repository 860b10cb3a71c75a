"""Edit ratio and key spans against a slow textbook twin."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from errata.graphs.stages.word_diff import align, edit_ratio

texts = st.lists(st.sampled_from(["a", "b", "c", "12", "+"]), max_size=9).map(" ".join)


def slow_distance(left: list[str], right: list[str]) -> int:
    @cache
    def between(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        same = left[i - 1] == right[j - 1]
        return min(between(i - 1, j) + 1, between(i, j - 1) + 1, between(i - 1, j - 1) + (not same))

    return between(len(left), len(right))


def without(text: str, spans: tuple[tuple[int, int], ...]) -> list[str]:
    kept = [text[start:end] for start, end in spans]
    words = text.split()
    for word in kept:
        assert word in words
    marked = list(text)
    for start, end in spans:
        marked[start:end] = " " * (end - start)
    return "".join(marked).split()


@given(texts, texts)
def test_ratio_is_the_textbook_distance_over_the_longer_length(left: str, right: str) -> None:
    longer = max(len(left.split()), len(right.split()), 1)

    assert edit_ratio(left, right) == slow_distance(left.split(), right.split()) / longer


@given(texts, texts)
def test_what_the_key_spans_leave_is_equal_on_both_sides(left: str, right: str) -> None:
    aligned = align(left, right)

    assert without(left, aligned.left_spans) == without(right, aligned.right_spans)
    longer = max(len(left.split()), len(right.split()), 1)
    assert max(len(aligned.left_spans), len(aligned.right_spans)) <= round(aligned.ratio * longer)


@given(texts)
def test_a_text_and_itself_have_no_distance_and_no_spans(text: str) -> None:
    assert align(text, text.replace(" ", "\n  ")) == (0.0, (), ())


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9), st.data())
def test_one_replaced_word_gives_one_span_on_each_side(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    changed = [*words[:place], "other", *words[place + 1 :]]

    aligned = align(" ".join(words), " ".join(changed))

    assert aligned.ratio == 1 / len(words)
    assert aligned.left_spans == ((2 * place, 2 * place + 1),)
    assert aligned.right_spans == ((2 * place, 2 * place + 5),)


def test_nothing_at_all_is_equal_to_nothing() -> None:
    assert align("", " \n") == (0.0, (), ())
    assert edit_ratio("", "two words") == 1.0
