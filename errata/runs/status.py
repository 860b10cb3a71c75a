"""What became of a run's problems, rationales, calls and dollars: `errata status RUN`.

The log is streamed; of several lines about one problem the last counts. What is meant by the figures:

- problems: `total` = done + rejected + failed + pending: the problems of the recipe under its limit, and any the log
  holds beyond it. A failed problem stays failed until the same command has tried it again.
- rationales: everything written, by teachers, the student and as rewrites; `correct` by the answer grader, `accepted`
  by the panel. `authors` breaks them down by author and role.
- reviews: of the judged rationales (see acceptance), those made, and those saved where votes are adaptive: what all of
  the panel would have made beyond them.
- acceptance: over the *judged* rationales: role teacher, revised or a target of one's own stages, with a verdict.
  `answer` takes the grader as the truth: precision = accepted and right / accepted, recall = accepted and right /
  right. `sound` takes soundness as the truth, over the judged rationales whose soundness is known; the `grader_only`
  figures are those of a panel that accepts what the grader finds right. A share of nothing is null.
- estimated: of problems without a gold answer, which enter neither `correct` nor the shares with the grader as truth:
  `problems`; rationales `written`, `right` (estimated, over 0.5), `open` (no estimate), `accepted`; `precision`, the
  mean estimate of the judged that were accepted; where a person marked some (`errata audit`), `marked` counts those
  `right` and `wrong`, and they count as neither estimated right nor open. Null where all problems have a gold answer.
- first_wrong_step: of the rationales that are `wrong` by a gold answer or a person's mark, those in which the first
  wrong step is `located`, by the stage `locate` or by a mark. Where some have neither, `estimated_wrong` are those that
  are estimated wrong, and `estimated_located` of them located. Null where nobody looked for it.
- set_aside: what exports leave out unless they are asked for: `cut_off`, rationales that end at their length limit, and
  `unjudged`, right ones whose author saw the gold answer and that no panel judged.
- agreement: Krippendorff's alpha (ordinal) over all reviewed rationales with two or more valid scores.
- resumes: how often the run was taken up again, and the calls, tokens and dollars that had been paid by then and were
  not paid again, summed over the resumes.
- replies: those in the log by agent, stage and verb; `unreadable` ones are followed by a fresh try as long as there is
  one left, and `fresh_tokens` and `fresh_usd` are what these tries took; `cut_off` ended at the length limit.
- paid_replies: the same of all replies that this run directory has paid for, problems in flight included, from the
  manifest, which is a few seconds old while a run is on; `seconds` from sending to the reply, added up.
- batches: of a run with agents in batches, those at their providers, their calls and those answered (`done`), from the
  manifest.
- calls, tokens, cost_usd: what this run directory asked for, over all its runs; tokens and dollars of paid calls only,
  null where a price is unknown. `lost` are the paid calls whose reply could not be used; they count as they state, else
  as reserved. `log` holds the same sums over the calls in the log at the price of their first
  payment, whoever paid (another run, where the store is shared).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from errata.llm.reply_counts import Key, ReplyCounts, counts_of, rows_of
from errata.records import Call, Rationale, Transcript
from errata.runs.estimate_counts import EstimateCounts
from errata.runs.marks import marks_in, with_marks
from errata.runs.review_counts import ReviewCounts, further_samples
from errata.runs.run_dir import LogIndex, RunDir, find_run
from errata.runs.status_notes import batches_in, notes
from errata.runs.transcripts import in_file_order, read_transcripts

JUDGED_ROLES = ("teacher", "revised")
SHIPPED_ROLES = ("student", "teacher", "revised", "rectified", "corrupted")
"""In the order in which a lesson writes them."""
SHIPPED_STAGES = ("exam", "rationales", "peer_review", "mistake_explanation", "dual_cot", "locate", "shorten_thinking")
"""By name, for status loads no stage."""
MOST_UNITS = 100_000
"""Rationales that enter the agreement at most; beyond, their score patterns are thinned in proportion."""


def stages_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The stages that ran, with the roles that each writes and their use; empty where the manifest is older."""
    stages = manifest.get("stages")
    named = [each for each in stages if isinstance(each, dict)] if isinstance(stages, list) else []
    roles = [each.get("roles") for each in named]
    return {
        str(each.get("name")): {str(role): str(use) for role, use in (own if isinstance(own, dict) else {}).items()}
        for each, own in zip(named, roles, strict=True)
    }


def own_stages(manifest: Mapping[str, Any]) -> list[str]:
    """The stages of one's own among those that ran, by name."""
    return [name for name in stages_of(manifest) if name not in SHIPPED_STAGES]


def own_targets(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Roles of rationales that a student may learn from and that stages of one's own write."""
    roles = [pair for each in stages_of(manifest).values() for pair in each.items()]
    return tuple(dict.fromkeys(role for role, use in roles if use == "target" and role not in SHIPPED_ROLES))


def judged_roles(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Roles of the rationales whose panel verdicts enter the acceptance: drafts, revisions, one's own targets."""
    return (*JUDGED_ROLES, *own_targets(manifest))


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


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _was_read(rationale: Rationale) -> bool:
    """Whether it has a text to judge: a blank one is rejected unread."""
    return bool(rationale.reviews or rationale.text.strip())


def alpha(patterns: Counter[tuple[int, ...]]) -> float | None:
    """Krippendorff's ordinal alpha of score patterns (counts of the scores 1 to 5); None where it is undefined."""
    used = [score for score in range(5) if any(pattern[score] for pattern in patterns)]
    if len(used) < 2:
        return None  # no two different scores: chance agreement is complete and alpha is 0/0
    import krippendorff

    thin = max(1.0, sum(patterns.values()) / MOST_UNITS)
    rows = np.array([[pattern[score] for score in used] for pattern in sorted(patterns)])
    times = np.array([max(1, round(patterns[pattern] / thin)) for pattern in sorted(patterns)])
    value_counts, domain = np.repeat(rows, times, axis=0), [score + 1 for score in used]
    return float(krippendorff.alpha(value_counts=value_counts, value_domain=domain, level_of_measurement="ordinal"))


def funnel_of(run: RunDir, index: LogIndex) -> Funnel:
    """The sums over the last lines of a log, read in file order."""
    funnel = Funnel(judged_roles(run.manifest()))
    for transcript in with_marks(read_transcripts(run.log, in_file_order(index)), marks_in(run)):
        funnel.add(transcript)
    return funnel


def problems(index: LogIndex, total: int | None) -> dict[str, Any]:
    """Problems by ending; `total` as the manifest has it, None where it is unknown."""
    counts: dict[str, Counter[str]] = {"done": Counter(), "rejected": Counter(), "failed": Counter()}
    for outcome, number in index.counts():
        counts[outcome.status][outcome.reason or "unknown"] += number
    total = max(total or 0, len(index))
    return {
        "total": total,
        "done": counts["done"].total(),
        "rejected": dict(counts["rejected"].most_common()),
        "failed": dict(counts["failed"].most_common()),
        "pending": total - len(index),
    }


def status(run_dir: str | Path) -> dict[str, Any]:
    """The figures of one run directory as JSON-able values; UsageError where there is none."""
    run = find_run(run_dir)
    index = run.index()
    return figures(run, index, funnel_of(run, index))


def figures(run: RunDir, index: LogIndex, funnel: Funnel) -> dict[str, Any]:
    """What `status` shows, of a log that has been read."""
    manifest = run.manifest()
    spent = manifest.get("spent", {}).get("all_runs", {})
    rationales, usd = funnel.rationales(), spent.get("usd", 0.0 if spent else None)
    return {
        "run": str(run.path),
        "graph": manifest.get("graph"),
        "stages": list(stages_of(manifest)),
        "problems": problems(index, manifest.get("problems", {}).get("total")),
        "rationales": rationales,
        "acceptance": funnel.acceptance(),
        "estimated": funnel.estimates.figures(),
        "calls": {key: spent.get(key, 0) for key in ("paid", "cached", "failed", "lost")},
        "tokens": {"prompt": spent.get("prompt_tokens", 0), "completion": spent.get("completion_tokens", 0)},
        "cost_usd": usd,
        "cost_per_accepted_usd": None if usd is None else share(usd, rationales["accepted"]),
        "reviews": funnel.reviews.figures(),
        "authors": funnel.by_author(),
        "reviewers": funnel.by_reviewer(),
        "agreement": {"alpha": alpha(funnel.patterns), "units": funnel.patterns.total()},
        "student": funnel.student(),
        "first_wrong_step": funnel.located(stages_of(manifest)),
        "dropped": dict(funnel.dropped),
        "set_aside": funnel.set_aside(),
        "pairs": {origin: dict(counted) for origin, counted in sorted(funnel.pairs.items())},
        "explanations": {"written": funnel.explanations.total(), "kinds": dict(funnel.kinds.most_common())},
        "agents": funnel.by_agent(),
        "replies": funnel.by_reply(),
        "paid_replies": rows_of(counts_of(manifest.get("replies"))),
        "input": manifest.get("input", {}),
        "this_run": manifest.get("spent", {}).get("this_run", {}),
        "resumes": manifest.get("resumes", {}),
        "fallbacks": {agent: dict(counted) for agent, counted in sorted(funnel.fallbacks.items())},
        **({"batches": batches_in(manifest)} if "batches" in manifest else {}),
        "log": funnel.logged(),
        "notes": notes(
            run,
            index,
            manifest,
            replies=funnel.replies,
            fallbacks=funnel.fallbacks,
            unpriced=[agent for agent, counted in funnel.agents.items() if counted["unpriced"]],
        ),
    }
