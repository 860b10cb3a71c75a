from langgraph.graph import END, START, StateGraph

from errata.graphs.nodes import grade_all, together, written_by
from errata.graphs.stages.rationales import build_rationales
from errata.graphs.state import State, rationales_of


def build_short(team, settings, editor):
    """START -> rationales -> shorten -> grade -> END"""

    async def shorten(state: State) -> State:
        right = [each for each in rationales_of(state, "teacher") if each.correct]
        return written_by(await together(editor.shorten(state["problem"], each) for each in right))

    async def grade(state: State) -> State:
        return await grade_all(team, state)

    graph = StateGraph(State)
    graph.add_node("rationales", build_rationales(team, settings))
    graph.add_node("shorten", shorten)
    graph.add_node("grade", grade)
    graph.add_edge(START, "rationales")
    graph.add_edge("rationales", "shorten")
    graph.add_edge("shorten", "grade")
    graph.add_edge("grade", END)
    return graph.compile()
