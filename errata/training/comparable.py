"""Which rationales of a problem a consistency term can compare: those that write their answer in the same tokens.

The answers of a problem's right rationales are equal, by the grader, but may be written as "18", "$18" or "eighteen".
Token by token only those can be compared that are written alike; the others cannot take part, and are counted. No
answer is marked where it is not found, stands in one token with other text, or is said to be written unlike most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from errata.errors import NothingToLearn
from errata.exports.sequences import Kind
from errata.training.encode import Group, Member
from errata.training.group_rows import keeping

NO_ANSWER = "not comparable, no answer marked"
OTHER_TOKENS = "not comparable, answer in other tokens"
ALONE = "not comparable, alone of its problem"


def comparable(groups: Sequence[Group], kinds: Collection[Kind], left_out: Counter[str], *, keep: bool) -> list[Group]:
    """The groups with answers marked only where two or more rationales write theirs in the same tokens.

    Args:
        kinds: whose answers are compared.
        left_out: counts the rationales of these kinds that cannot be compared, by the reason.
        keep: they stay in their groups, for other terms; else they are left out, and groups that have no more.

    Raises NothingToLearn where no two rationales can be compared.
    """
    likeness = [_alike(group, kinds, left_out) for group in groups]
    if not any(likeness):
        counts = ((reason, left_out[reason]) for reason in (NO_ANSWER, OTHER_TOKENS, ALONE))
        reasons = "; ".join(f"{count} {reason}" for reason, count in counts if count)
        raise NothingToLearn(
            f"no two rationales of a problem end in the same tokens: {reasons or 'there is none'}",
            "the consistency term compares the tokens of the answers",
            "set --answer_sentence 'The answer is {answer}.', which closes every rationale alike",
        )
    rest = [
        _unmarked(group, kinds, alike) if keep else keeping(group, _without(group, kinds, alike))
        for group, alike in zip(groups, likeness, strict=True)
    ]
    return [group for group in rest if group is not None]


def _alike(group: Group, kinds: Collection[Kind], left_out: Counter[str]) -> set[int]:
    """Places of the most members that write their answers in the same tokens; none where that is one alone."""
    answers = {
        place: tuple(member["input_ids"][slice(*member["answer"])])
        for place, member in enumerate(group["members"])
        if member["kind"] in kinds
    }
    counts = Counter(answer for answer in answers.values() if answer)
    usual = max(counts, key=lambda answer: counts[answer], default=None)  # of several as often, the first
    alike = {place for place, answer in answers.items() if answer and answer == usual}
    left_out[NO_ANSWER] += sum(not answer for answer in answers.values())
    left_out[OTHER_TOKENS] += counts.total() - len(alike)
    if len(alike) == 1:
        left_out[ALONE] += 1
        return set()
    return alike


def _without(group: Group, kinds: Collection[Kind], alike: set[int]) -> list[int]:
    return [place for place, one in enumerate(group["members"]) if one["kind"] not in kinds or place in alike]


def _unmarked(group: Group, kinds: Collection[Kind], alike: set[int]) -> Group:
    members: list[Member] = [
        {**one, "answer": [0, 0]} if one["kind"] in kinds and place not in alike else one
        for place, one in enumerate(group["members"])
    ]
    return {**group, "members": members}
