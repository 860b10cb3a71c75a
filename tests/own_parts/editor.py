from dataclasses import dataclass

from errata.agents.ask import PromptCall, PromptedModel, written
from errata.agents.parse_reply import read_prose
from errata.agents.prompts import Prompts, load_prompt
from errata.llm.spec import Sampling


@dataclass(frozen=True)
class Editor:
    """Shortens a solution. An unreadable reply is a fresh try, and every try is logged."""

    voice: PromptedModel

    async def shorten(self, problem, long):
        inputs = {"question": problem.question, "rationale": long.text}
        call = PromptCall("revise", "rationales", "editor/shorten", inputs, about=long)
        said = await self.voice.say(call, problem, Sampling(temperature=0), read_prose)
        return written(said, problem, self.voice.name, "revised", sample=long.sample, parent=long)


def editor(spec, ask, prompt_file):
    return Editor(PromptedModel(spec, ask, Prompts({"editor/shorten": load_prompt(prompt_file, "editor/shorten")})))
