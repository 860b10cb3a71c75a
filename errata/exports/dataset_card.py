"""The data-set card: Markdown with the front matter of the Hugging Face hub. Its bytes depend on the logs alone."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
import yaml

from errata.data.contamination import WORDS
from errata.errors import escaped
from errata.exports.compile import ExportCounts, Selection
from errata.exports.dedup import MAX_SIMILARITY, NGRAM
from errata.exports.format import Format
from errata.exports.formats import own_code
from errata.exports.logs import Log
from errata.exports.thinking import Reasoning
from errata.exports.transcript_view import ALL, Options
from errata.runs.acceptance import Acceptance
from errata.runs.funnel import funnel_of
from errata.runs.status import problems

LICENCES = [
    *("apache-2.0", "mit", "openrail", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0"),
    *("cc", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-3.0"),
    *("cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-4.0", "cdla-permissive-2.0", "cdla-sharing-1.0"),
    *("odc-by", "odbl", "pddl", "unlicense", "unknown", "other"),
]
"""Identifiers the hub knows, those that data sets have; anything else is `other` with its name."""

MOST_LETTERS = 300
"""Letters of a text in the example row."""

_META = (
    "where the row comes from: run, problem, gold answer, how the student's exam went; each rationale with author, "
    "role, grade, the panel's verdict and scores; ids of the calls, prompts with hashes, models, price of the first "
    "payment in US dollars"
)


def card_text(file: str, logs: Sequence[Log], form: Format, selection: Selection, counts: ExportCounts) -> str:
    """The card of the data set in `file`, a name without folder."""
    name = cell(form.name)
    names = list(dict.fromkeys(cell(log.source.recipe.name) for log in logs))
    licences = sorted({log.source.recipe.licence or "not stated" for log in logs})
    head = yaml.safe_dump(_front_matter(file, licences, counts), sort_keys=False, allow_unicode=True, width=10_000)
    lines = [
        "---",
        head.rstrip("\n"),
        "---",
        f"# {cell(file.removesuffix('.jsonl'))}: {name} from {', '.join(names)}",
        "",
        f"{counts.rows} rows of format `{name}`: {form.takes}.{_of_options(selection.options)}",
        f"Licence as the recipe states it: {', '.join(map(cell, licences))}.",
        *(
            f"Its rows are made by code of one's own, `{cell(part.file)}`, sha256 {part.sha256 or 'unknown'}."
            for part in own_code(form).values()
        ),
        "",
        "| column | what it is |",
        "|---|---|",
        *(f"| `{column}` | {meaning} |" for column, meaning in {**form.columns, "meta": _META}.items()),
        "",
        *_use(file, logs, form, selection, counts),
        *_counts(counts, selection),
        *_overlap(counts, selection),
        "",
        "| author | role | rationales in rows |",
        "|---|---|---|",
        *(f"| {cell(author)} | {role} | {number} |" for (author, role), number in sorted(counts.authors.items())),
    ]
    for log in logs:
        lines += ["", *_of_run(log)]
    return "\n".join(lines) + "\n"


def _use(file: str, logs: Sequence[Log], form: Format, selection: Selection, counts: ExportCounts) -> list[str]:
    """A row to look at, how the file is loaded, and what made it."""
    row = orjson.dumps(_shortened(counts.example), option=orjson.OPT_INDENT_2).decode() if counts.example else ""
    example = ["The first row, long texts cut:", "", "```json", escaped(row), "```", ""] if row else []
    load = f'rows = load_dataset("json", data_files="{file}", split="train")'
    return [
        *example,
        "To load the file beside this card:",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        load,
        "```",
        "",
        "Made by errata, from runs that each hold the recipe they were made by:",
        "",
        "```bash",
        command(file, logs, form, selection),
        "```",
        "",
    ]


def _shortened(value: Any) -> Any:
    """Texts of at most MOST_LETTERS letters, lists of at most two entries, and `meta` by its keys alone."""
    if isinstance(value, str):
        return value if len(value) <= MOST_LETTERS else f"{value[:MOST_LETTERS]}…"
    if isinstance(value, list):
        return [_shortened(each) for each in value[:2]]
    if isinstance(value, dict):
        return {key: "…" if key == "meta" else _shortened(each) for key, each in value.items()}
    return value


def command(file: str, logs: Sequence[Log], form: Format, selection: Selection) -> str:
    """The command that writes the data set, its runs by their folders' names."""
    own = [f"{part.file}:FORMAT" for part in own_code(form).values()]  # whatever the value is called there
    words = [*(f"runs/{log.run.path.name}" for log in logs), "--format", *(own or [form.name]), "--out", file]
    options = selection.options
    for key, default in asdict(ALL).items():
        value, flag = getattr(options, key), f"--{key.replace('_', '-')}"
        if value == default:
            continue
        several = value if isinstance(value, tuple) else [value]
        words += [flag] if value is True else [word for each in several for word in (flag, str(each))]
    words += ["--exclude-overlap"] if selection.exclude_overlap else []
    words += ["--keep-duplicates"] if selection.keep_duplicates else []
    if rule := next((log.acceptance for log in logs if log.acceptance), None):
        words += ["--accept", rule.rule]
        words += ["--precision", f"{rule.precision:g}"] if rule.rule == "reliability" else []
    return " ".join(["errata", "export", *map(shlex.quote, words)])


def _front_matter(file: str, licences: Sequence[str], counts: ExportCounts) -> dict[str, Any]:
    licence = licences[0].casefold() if len(licences) == 1 else ""
    if licence in LICENCES:
        stated: dict[str, str] = {"license": licence}
    elif list(licences) == ["not stated"]:
        stated = {"license": "unknown"}
    else:
        stated = {"license": "other", "license_name": "; ".join(map(cell, licences))}
    return {
        **stated,
        "task_categories": ["text-generation"],
        "tags": ["errata", "synthetic", "reasoning"],
        "size_categories": [_size(counts.rows)],
        "configs": [{"config_name": "default", "data_files": file}],
    }


_OF_REASONING: dict[Reasoning, str] = {
    "drop": "",
    "keep": " What authors thought stands before their texts in <think> tags.",
    "short": " What authors thought stands before their texts in <think> tags, in their own shorter words where it was "
    "long; rationales with long thinking that was not shortened are left out.",
}


def _of_options(options: Options) -> str:
    sentences = [
        f" Only the roles {', '.join(options.roles)}." if options.roles else "",
        f" Only what {', '.join(map(cell, options.authors))} wrote." if options.authors else "",
        " Right is what the answer grader finds right, whatever the panel says." if options.grader_only else "",
        f" Only pairs of edit ratio {options.max_edit_ratio:g} or less." if options.max_edit_ratio is not None else "",
        " Only pairs whose right side the panel accepted, or that is known to be sound." if options.sound_only else "",
        " Chosen is what the panel scores at least a point higher, whatever the grade." if options.by_scores else "",
        " Texts that end at their length limit are taken too." if options.cut_off else "",
        _OF_REASONING[options.reasoning],
        " Texts whose author saw the gold answer are taken unjudged." if options.unjudged else "",
        _of_steps(options),
    ]
    return "".join(sentences)


def _of_steps(options: Options) -> str:
    """What the options say of first wrong steps."""
    least = f"its probability is {options.min_step_probability:g} or more"
    if options.wrong_from == "first_wrong_step":
        return (
            " In `meta.wrong_from` stands the character at which the first wrong step of a wrong rationale begins; "
            f"trainings read nothing as wrong before it. One is taken where that step is known and {least}."
        )
    return (
        f" A first wrong step is known where {least}."
        if options.min_step_probability != ALL.min_step_probability
        else ""
    )


def _counts(counts: ExportCounts, selection: Selection) -> list[str]:
    fate, repeats = "kept" if selection.keep_duplicates else "left out", counts.repeated
    near_duplicates = (
        f"{counts.duplicates} rows repeat an earlier one and are {fate}: {repeats['same']} have "
        f"its prompt and texts, letter case and white space ignored; {repeats['like']} more, of the same problem "
        f"in the same run, have its prompt, label and answers and texts whose word {NGRAM}-grams overlap by "
        f"{MAX_SIMILARITY:g} or more (Jaccard)"
    )
    return [
        f"- near-duplicates: {near_duplicates if counts.duplicates else 'none'}",
        f"- left out: {_reasons(counts.left_out)}",
        f"- problems without a row: {_reasons(counts.skipped)}",
        *([f"- rows by kind: {_reasons(counts.kinds)}"] if counts.kinds else []),
    ]


def _overlap(counts: ExportCounts, selection: Selection) -> list[str]:
    if not counts.overlap:
        return ["- overlap with evaluation sets: none was named"]
    fate = "left out" if selection.exclude_overlap else "in the file"
    lines = [
        f"- overlap with {cell(name)} ({met['size']} questions): none"
        if not met["question"] + met["ngram"]
        else f"- overlap with {cell(name)} ({met['size']} questions): {met['question'] + met['ngram']} problems; "
        f"{met['question']} ask a question of it, {met['ngram']} more share {WORDS} words in a row with one (a shorter "
        f"question counts as a whole); {met['rows']} rows of them are {fate}"
        for name, met in counts.overlap.items()
    ]
    return [*lines, *([f"- problems left out for overlap: {counts.excluded}"] if selection.exclude_overlap else [])]


def _rule(acceptance: Acceptance) -> str:
    precision = f", estimated precision {acceptance.precision:g} or more" if acceptance.rule == "reliability" else ""
    return f"by the rule {acceptance.rule}{precision}, in place of the panel's verdicts"


def _of_run(log: Log) -> list[str]:
    recipe, funnel = log.source.recipe, funnel_of(log.run, log.index)
    manifest = log.run.manifest()
    ended = problems(log.index, manifest.get("problems", {}).get("total"))
    rationales, logged, acceptance = funnel.rationales(), funnel.logged(), funnel.acceptance()
    set_aside, estimated = funnel.set_aside(), funnel.estimates.figures()
    by_gold = " by a gold answer" if estimated else ""
    usd = "unknown" if logged["usd"] is None else f"${logged['usd']:.4f}"
    used = sorted({f"{spec.name}: {spec.model}" for spec in recipe.agents.everyone})
    hashes = manifest.get("prompts", {})
    prompts = [log.source.prompts[each] for each in ("student/solve", "student/explain")]
    return [
        f"## Run {cell(recipe.name)}",
        "",
        f"Graph `{recipe.graph}`, seed {recipe.seed}, problems from `{cell(recipe.problems.source)}`"
        f" (licence: {cell(recipe.licence or 'not stated')}).",
        "",
        f"- problems: {ended['total']}, done {ended['done']}, rejected {_reasons(ended['rejected'])}, "
        f"failed {_reasons(ended['failed'])}, pending {ended['pending']}",
        f"- rationales: {rationales['written']} written, {rationales['correct']} right{by_gold}, "
        f"{rationales['accepted']} accepted; accepted though wrong: {acceptance['disagreements']['accepted_wrong']}",
        *([f"- accepted in the rows: {_rule(log.acceptance)}"] if log.acceptance else []),
        f"- set aside unless asked for: {set_aside['cut_off']} rationales cut off at their length limit, "
        f"{set_aside['unjudged']} right ones whose author saw the gold answer and that no panel judged",
        f"- calls: {logged['calls']}, {logged['prompt_tokens']} prompt and {logged['completion_tokens']} completion "
        f"tokens, {usd} at first payment",
        *_estimated(estimated),
        *_unread(funnel.by_reply()),
        *(f"- agent {cell(each)}" for each in used),
        *(
            f"- {number} replies of {cell(agent)} were given by {cell(fallback)}, its fallback: another run may differ"
            for agent, replies in sorted(funnel.fallbacks.items())
            for fallback, number in sorted(replies.items())
        ),
        *(f"- prompt `{cell(name)}` {hashes[name]}" for name in sorted(hashes)),
        f"- prompts of the rows: {', '.join(f'`{prompt.id}` {prompt.hash}' for prompt in prompts)}",
    ]


def _estimated(estimates: dict[str, Any] | None) -> list[str]:
    """What rests on no gold answer, and how to tell its rows."""
    if estimates is None:
        return []
    return [
        f"- estimated, not graded: {estimates['problems']} problems have no gold answer. Of their "
        f"{estimates['written']} rationales {estimates['right']} are estimated right (a probability over 0.5, by "
        f"agreement of answers, reviews and arithmetic), {estimates['accepted']} accepted. In their rows "
        "`meta.answer_by` and `meta.rationales.right_by` are `estimate`, and what stands as right or as a label is one"
    ]


def _unread(replies: Sequence[dict[str, Any]]) -> list[str]:
    """Lines on the replies that could not be read or were cut off, by agent and verb."""
    lines = []
    for row in replies:
        if row["unreadable"] or row["cut_off"]:
            whose = f"{cell(row['agent'])}, {cell(row['verb'])}"
            usd = "price unknown" if row["fresh_usd"] is None else f"${row['fresh_usd']:.4f}"
            lines.append(
                f"- {whose}: of {row['replies']} replies {row['unreadable']} could not be read, {row['cut_off']} were "
                f"cut off; fresh tries: {row['fresh_tries']}, {row['fresh_tokens']} tokens, {usd}"
            )
    return lines


def _reasons(reasons: dict[str, int] | Counter[str]) -> str:
    if not reasons:
        return "0"
    return f"{sum(reasons.values())} ({', '.join(f'{n} {cell(reason)}' for reason, n in sorted(reasons.items()))})"


def cell(text: str) -> str:
    """Text that came from elsewhere, as one harmless line of Markdown."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _size(rows: int) -> str:
    for limit, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")):
        if rows < limit:
            return name
    return "1M<n<10M"
