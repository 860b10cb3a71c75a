"""A vote of one's own on rationales: a short text is one that its author was sure of."""

from errata.evidence.votes import Verdict, Vote


def short(case):
    for each in case.judged:
        yield Verdict(each.id, "", len(each.text) < 400)


VOTE = Vote("short", short)
