"""A stage of one's own: an editor writes the right rationales again in as few words as it can."""

from pathlib import Path

from errata import (
    CallEstimate,
    PromptCall,
    Sampling,
    Settings,
    Stage,
    add_rationales,
    chain,
    grade_all,
    rationales_of,
    read_prose,
    to_rationale,
    together,
)


class ShortenSettings(Settings):
    sampling: Sampling = Sampling(temperature=0)


def build(team, settings, pipeline):
    editor = team.other("editor")

    async def short(problem, long):
        call = PromptCall("editor/shorten", {"question": problem.question, "rationale": long.text}, about=long)
        reply = await editor.ask(call, problem, settings.sampling, read_prose)  # asks afresh what cannot be read
        return to_rationale(reply, problem, editor.name, "shortened", sample=long.sample, parent=long)

    async def shorten(state):
        right = [each for each in rationales_of(state, "teacher") if each.correct]
        return add_rationales(await together(short(state["problem"], each) for each in right))

    async def grade(state):
        return await grade_all(team, state)

    return chain(shorten=shorten, grade=grade)


def expected(counts, settings, rates):
    editor, calls = counts.agents.other("editor"), counts.right_of_all()
    counts.others.append((editor, calls))  # for the panel to review
    yield CallEstimate("editor/shorten", editor, calls, tokens=80)


SHORTEN = Stage(
    name="shorten",
    settings=ShortenSettings,
    build=build,
    expected=expected,
    needs=("rationales",),
    agents=("editor",),
    roles={"shortened": "target"},
    prompts={"editor/shorten": Path(__file__).with_name("shorten.md")},
)
