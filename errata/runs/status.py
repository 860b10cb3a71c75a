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

from collections import Counter
from pathlib import Path
from typing import Any

from errata.llm.reply_counts import counts_of, rows_of
from errata.runs.agreement import alpha
from errata.runs.funnel import Funnel, funnel_of, share
from errata.runs.ran_stages import stages_of
from errata.runs.run_dir import LogIndex, RunDir, find_run
from errata.runs.status_notes import batches_in, notes


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
