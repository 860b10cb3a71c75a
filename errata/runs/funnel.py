"""Sums over the transcripts of a log, from which status, report, cards and pilots take their figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any

from errata.llm.reply_counts import Key, ReplyCounts
from errata.records import Call, Rationale, Transcript
from errata.runs.estimate_counts import EstimateCounts
from errata.runs.marks import marks_in, with_marks
from errata.runs.ran_stages import JUDGED_ROLES, judged_roles
from errata.runs.review_counts import ReviewCounts, further_samples
from errata.runs.run_dir import LogIndex, RunDir
from errata.runs.transcripts import in_file_order, read_transcripts


class Funnel:
    """Sums over transcripts, given one at a time.

    Args:
        judged_roles: roles of the rationales whose panel verdicts enter the acceptance.
    """

    def __init__(self, judged_roles: Collection[str] = JUDGED_ROLES) -> None:
        self._judged_roles = judged_roles
        self.authors: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.judged: Counter[tuple[bool, bool | None, bool | None]] = Counter()
        """By (accepted, correct, sound); correct is None without a gold answer."""
        self.estimates = EstimateCounts(judged_roles)
        self.reviews = ReviewCounts()
        self.patterns: Counter[tuple[int, ...]] = Counter()
        """How many reviewed rationales got n1 ones, n2 twos, ... n5 fives."""
        self.reviewers: dict[str, Counter[str]] = defaultdict(Counter)
        self.first_wrong_steps: Counter[str] = Counter()
        """Wrong rationales, by gold or by a person's mark, and those in which the first wrong step is known."""
        self.dropped: Counter[str] = Counter()
        self.pairs: dict[str, Counter[str]] = defaultdict(Counter)
        self.explanations: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.agents: dict[str, Counter[str]] = defaultdict(Counter)
        self.usd: dict[str, float] = defaultdict(float)
        self.replies: dict[Key, ReplyCounts] = defaultdict(ReplyCounts)
        """By agent, stage (empty in old logs) and verb."""
        self.fallbacks: dict[str, Counter[str]] = defaultdict(Counter)
        """Calls that another agent answered in the asked one's place, by who was asked and who spoke."""

    def add(self, transcript: Transcript) -> None:
        self.estimates.add(transcript)
        for rationale in transcript.rationales:
            self._rationale(rationale)
        self._votes(transcript)
        for pair in transcript.pairs:
            self.pairs[pair.origin].update(written=1, in_band=int(pair.in_band))
        for explanation in transcript.explanations:
            self.explanations[explanation.author] += 1
            self.kinds.update(explanation.kinds)
        for call in transcript.calls:
            self._call(call)

    def _rationale(self, rationale: Rationale) -> None:
        accepted, correct, sound = rationale.accepted, bool(rationale.correct), rationale.sound
        _add(
            self.authors[rationale.author, rationale.role],
            written=1,
            correct=int(correct),
            accepted=int(accepted is True),
            reviewed=int(bool(rationale.reviews)),
            open=int(bool(rationale.reviews) and accepted is None),
            sound=int(sound is True),
            soundness_known=int(sound is not None),
            unreadable=int(rationale.answer is None),
            truncated=int(rationale.truncated),
            unjudged=int(
                bool(rationale.is_right) and rationale.saw_answer and accepted is None and not rationale.reviews
            ),
        )
        if rationale.is_right is False:
            known = rationale.correct is not None or rationale.marked is not None
            self._wrong_step("" if known else "estimated_", located=rationale.wrong_step is not None)
        if rationale.dropped:
            self.dropped[rationale.dropped] += 1
        if rationale.role in self._judged_roles and accepted is not None and _was_read(rationale):
            self.judged[accepted, rationale.correct, sound] += 1
        scores = [review.score for review in rationale.reviews if review.valid]
        if len(scores) > 1:
            self.patterns[tuple(scores.count(score) for score in range(1, 6))] += 1
        for review in rationale.reviews:
            _add(
                self.reviewers[review.reviewer],
                asked=1,
                valid=int(review.valid),
                lost=int(review.lost),
                points=review.score or 0,
            )

    def _call(self, call: Call) -> None:
        agent = call.agent
        _add(
            self.agents[agent],
            calls=1,
            failed=int(call.failure is not None),
            prompt_tokens=call.prompt_tokens,
            completion_tokens=call.completion_tokens,
            unpriced=int(call.price_usd is None),
        )
        self.usd[agent] += call.price_usd or 0.0
        if call.failure is None:
            self.replies[agent, call.stage or "", call.verb].add(
                attempt=call.attempt,
                unreadable=call.unreadable is not None,
                cut_off=call.finish_reason == "length",
                tokens=(call.prompt_tokens, call.completion_tokens),
                usd=call.price_usd,
            )
        if call.fallback:
            self.fallbacks[agent][call.fallback] += 1

    # ---- figures

    def _count(self, **wanted: bool) -> int:
        names = ("accepted", "correct", "sound")
        return sum(
            number
            for key, number in self.judged.items()
            if all(dict(zip(names, key, strict=True))[name] is value for name, value in wanted.items())
        )

    def acceptance(self) -> dict[str, Any]:
        right, both = self._count(correct=True), self._count(accepted=True, correct=True)
        accepted = both + self._count(accepted=True, correct=False)
        known = {value: self._count(sound=value) for value in (True, False)}
        sound = None
        if sum(known.values()):
            accepted_known = sum(self._count(accepted=True, sound=value) for value in known)
            right_known = sum(self._count(correct=True, sound=value) for value in known)
            accepted_sound, right_sound = self._count(accepted=True, sound=True), self._count(correct=True, sound=True)
            sound = {
                "precision": share(accepted_sound, accepted_known),
                "recall": share(accepted_sound, known[True]),
                "grader_only_precision": share(right_sound, right_known),
                "grader_only_recall": share(right_sound, right_sound + self._count(correct=False, sound=True)),
            }
        return {
            "judged": sum(self.judged.values()),
            "answer": {"precision": share(both, accepted), "recall": share(both, right)},
            "sound": sound,
            "disagreements": {"accepted_wrong": accepted - both, "rejected_right": right - both},
        }

    def _votes(self, transcript: Transcript) -> None:
        further = further_samples(transcript)
        for each in transcript.rationales:
            if each.id in further:
                self.reviews.add_sample()
            elif each.role in self._judged_roles and each.accepted is not None and _was_read(each):
                self.reviews.add(each.author, (review.reviewer for review in each.reviews))

    def _wrong_step(self, kind: str, *, located: bool) -> None:
        _add(self.first_wrong_steps, **{f"{kind}wrong": 1, f"{kind}located": int(located)})

    def rationales(self) -> dict[str, int]:
        totals: Counter[str] = sum(self.authors.values(), Counter())
        return {key: totals[key] for key in ("written", "correct", "accepted")}

    def set_aside(self) -> dict[str, int]:
        """Rationales that exports leave out unless they are asked for, by the option's name."""
        totals: Counter[str] = sum(self.authors.values(), Counter())
        return {"cut_off": totals["truncated"], "unjudged": totals["unjudged"]}

    def located(self, stages: Collection[str]) -> dict[str, int] | None:
        """In how many wrong rationales the first wrong step is known; None where nobody looked for it."""
        counted, estimated = self.first_wrong_steps, ("estimated_located", "estimated_wrong")
        if "locate" not in stages and not counted["located"] + counted["estimated_located"]:
            return None
        names = ("located", "wrong", *(estimated if counted["estimated_wrong"] else ()))
        return {name: counted[name] for name in names}

    def by_author(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for (author, role), counted in sorted(self.authors.items()):
            sound = counted["sound"] if counted["soundness_known"] else None
            estimated = self.estimates.of_author(author, role)
            rows.append({"author": author, "role": role, **counted, "sound": sound, **estimated})
        return rows

    def by_agent(self) -> dict[str, dict[str, Any]]:
        return {
            agent: {key: counted[key] for key in ("calls", "failed", "prompt_tokens", "completion_tokens")}
            | {"usd": None if counted["unpriced"] else round(self.usd[agent], 8)}
            for agent, counted in sorted(self.agents.items())
        }

    def by_reviewer(self) -> dict[str, dict[str, Any]]:
        return {
            name: {key: counted[key] for key in ("asked", "valid", "lost")}
            | {"mean": share(counted["points"], counted["valid"])}
            for name, counted in sorted(self.reviewers.items())
        }

    def student(self) -> dict[str, int]:
        counted = sum((c for (_, role), c in self.authors.items() if role == "student"), Counter[str]())
        figures = {"answers": counted["written"], "correct": counted["correct"]}
        return figures | self.estimates.of_role("student")

    def by_reply(self) -> list[dict[str, Any]]:
        """Replies by agent, stage and verb. Of an old log, which says of none why it was unreadable, those count that
        a fresh try followed."""
        rows = []
        for (agent, stage, verb), counted in sorted(self.replies.items()):
            row = {"agent": agent, "stage": stage or None, "verb": verb} | counted.figures()
            row["unreadable"] = max(counted.unreadable, counted.fresh_tries)
            rows.append({name: value for name, value in row.items() if name != "seconds"})
        return rows

    def logged(self) -> dict[str, Any]:
        """Tokens and price of the calls in the log."""
        totals: Counter[str] = sum(self.agents.values(), Counter())
        usd = None if totals["unpriced"] else round(sum(self.usd.values()), 8)
        return {key: totals[key] for key in ("calls", "failed", "prompt_tokens", "completion_tokens")} | {"usd": usd}


def _add(counter: Counter[str], **numbers: int) -> None:
    """As Counter.update, which takes three times as long."""
    for key, number in numbers.items():
        counter[key] += number


def _was_read(rationale: Rationale) -> bool:
    """Whether it has a text to judge: a blank one is rejected unread."""
    return bool(rationale.reviews or rationale.text.strip())


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def funnel_of(run: RunDir, index: LogIndex) -> Funnel:
    """The sums over the last lines of a log, read in file order."""
    funnel = Funnel(judged_roles(run.manifest()))
    for transcript in with_marks(read_transcripts(run.log, in_file_order(index)), marks_in(run)):
        funnel.add(transcript)
    return funnel
