"""An export format of one's own: instruction and output, the shortest right rationale of each problem."""

from errata import Format, LabeledSequence, LeftOut, likeness, row_meta, unfit_to_teach

LONGEST = 60


def rows(view):
    """instruction, output: the shortest right rationale of a problem, where it is short."""
    fit = [each for each in view.targets() if not unfit_to_teach(each, view)]
    short = min(fit, key=lambda each: len(each.text), default=None)
    if short is None:
        return
    if len(short.text) > LONGEST * 10:
        yield LeftOut("long")
    else:
        yield {"instruction": view.prompt, "output": short.text, "meta": row_meta(view, short)}


def sequences(row):
    prompt = type(row)(row.place, {"prompt": row.data["instruction"]}, row.system).prompt
    yield LabeledSequence("right", prompt, row.text("output"), row.answer)


def like(row):
    return likeness("output")({**row, "prompt": row["instruction"]})


FORMAT = Format(
    name="alpaca",
    rows=rows,
    takes="the shortest right rationale of each problem",
    columns={"instruction": "what the student is asked", "output": "a rationale"},
    needs=(("target",),),
    sequences=sequences,
    reads=("instruction", "output"),
    likeness=like,
)
NOT_A_FORMAT = 3
