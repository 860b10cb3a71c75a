"""What stands in the page: every word of the log but the messages, each once, in blocks that hold no markup."""

from __future__ import annotations

import base64
import gzip
import io
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.records import Transcript
from errata.report.embedded_data import Archive, Index, compact, joined, packed, utf16
from tests.report.page_data import unpacked

Json = dict[str, Any]


def test_a_compact_transcript_keeps_every_word_and_verdict(log: list[Json]) -> None:
    for line in log:
        entry = compact(Transcript.model_validate(line))

        assert [each["text"] for each in entry["rationales"]] == [each["text"] for each in line["rationales"]]
        for ours, theirs in zip(entry["rationales"], line["rationales"], strict=True):
            assert (ours["by"], ours["role"]) == (theirs["author"], theirs["role"])
            assert ours.get("correct") == theirs["correct"]
            assert ours.get("accepted") == theirs["accepted"]
            assert [(r["by"], r.get("score"), r["text"]) for r in ours.get("reviews", [])] == [
                (r["reviewer"], r["score"], r["text"]) for r in theirs["reviews"]
            ]
            if theirs["parent_id"]:
                assert line["rationales"][ours["parent"]]["id"] == theirs["parent_id"]
        assert [each["text"] for each in entry.get("explanations", [])] == [e["text"] for e in line["explanations"]]
        assert len(entry["calls"]) == len(line["calls"])
        assert entry["outcome"]["status"] == line["outcome"]["status"]


def test_a_reply_stands_at_its_call_only_where_it_became_nothing(log: list[Json]) -> None:
    line = orjson.loads(orjson.dumps(log[0]))
    lost = next(call for call in line["calls"] if call["verb"] == "solve")
    lost["reply"] = "mumbling that nobody could read"

    entry = compact(Transcript.model_validate(line))["calls"]

    replies = [call["reply"] for call in entry if "reply" in call]
    assert "mumbling that nobody could read" in replies
    assert all(call["verb"] in ("solve", "classify") for call in entry if "reply" in call)
    assert "messages" not in str(entry)


def test_key_spans_mark_the_words_that_the_log_names(log: list[Json]) -> None:
    pairs = 0
    for line in log:
        entry = compact(Transcript.model_validate(line))
        texts = {each["id"]: each["text"] for each in line["rationales"]}
        for ours, theirs in zip(entry.get("pairs", []), line["pairs"], strict=True):
            pairs += 1
            marked = [texts[theirs["wrong"]][start:end] for start, end in ours.get("wrong_spans", [])]
            words = [texts[theirs["wrong"]][start:end] for start, end in theirs["wrong_spans"]]
            assert " ".join(marked).split() == words
    assert pairs > 20


@given(st.text(), st.data())
def test_offsets_count_utf16_units(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    [[from_unit, to_unit]] = utf16(text, [[start, end]])

    units = text.encode("utf-16-le", "surrogatepass")
    assert units[2 * from_unit : 2 * to_unit].decode("utf-16-le", "surrogatepass") == text[start:end]


def test_spans_apart_by_white_space_alone_become_one() -> None:
    assert joined("so 2 + 3 = 5", [[3, 4], [5, 6], [11, 12]]) == [[3, 6], [11, 12]]


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(), max_size=3), max_size=30), st.integers(1, 400))
def test_blocks_give_back_the_entries_in_order(entries: list[dict[str, str]], block: int) -> None:
    archive = Archive(io.BytesIO(), block=block)
    for entry in entries:
        assert archive.add(entry)
    archive.close()

    blocks = [unpacked(result) for result in archive.read()]

    assert [entry for result in blocks for entry in result] == entries
    assert archive.blocks == [sum(map(len, blocks[:place])) for place in range(len(blocks))]


def test_a_full_page_leaves_out_the_rest_and_counts_it() -> None:
    archive = Archive(io.BytesIO(), most_bytes=2_000, block=100)

    taken = [archive.add({"id": n, "text": gzip.compress(bytes([n] * 99)).hex()}) for n in range(100)]
    archive.close()

    assert 0 < archive.entries < 100
    assert archive.left_out == 100 - archive.entries
    assert taken == [True] * archive.entries + [False] * archive.left_out
    assert sum(map(len, archive.read())) < 3_000


def test_packed_data_holds_no_markup_and_is_the_same_every_time() -> None:
    hostile = b"</script><script>alert(1)</script>\xe2\x80\xa8&amp;"

    entry = packed(hostile)

    assert entry == packed(hostile)
    assert not set(b"<>&\"' ") & set(entry)
    assert gzip.decompress(base64.b64decode(entry)) == hostile


def test_the_index_finds_by_facet_what_a_count_finds(log: list[Json]) -> None:
    index = Index()
    for line in log:
        index.add(Transcript.model_validate(line))

    entry = index.columns()

    def ids_with(name: str, value: str) -> list[str]:
        at, ids = 0, []
        for gap in entry["facets"][name].get(value, []):
            at += gap
            ids.append(entry["ids"][at])
        return ids

    def with_rationale(test: Any) -> list[str]:
        return [line["problem"]["id"] for line in log if any(test(each) for each in line["rationales"])]

    assert ids_with("accepted from", "ada") == with_rationale(
        lambda r: r["author"] == "ada" and r["accepted"] and r["role"] in ("teacher", "revised")
    )
    assert ids_with("panel", "rejected though right") == with_rationale(
        lambda r: r["role"] in ("teacher", "revised") and r["accepted"] is False and r["correct"]
    )
    assert ids_with("student", "wrong") == with_rationale(lambda r: r["role"] == "student" and not r["correct"])
    assert len(entry["pairs"]) == sum(len(line["pairs"]) for line in log)


@pytest.mark.parametrize("name", ["ids", "questions", "counts"])
def test_the_index_has_a_row_for_every_transcript(log: list[Json], name: str) -> None:
    index = Index()
    for line in log:
        index.add(Transcript.model_validate(line))

    assert len(index.columns()[name]) == len(log)
