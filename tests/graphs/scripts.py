"""What scripted models say in the tests of stages and pipeline."""

from errata.llm.request import Request
from tests.helpers import Line

RIGHT, WRONG = "2 + 3 = 5\nThe answer is 5.", "2 * 3 = 6\nThe answer is 6."


def helpful(request: Request) -> Line:
    """A class in which the student is wrong and everybody else right."""
    if request.verb == "solve":
        return WRONG if request.spec.name == "sam" else RIGHT
    return {
        "score": "All steps hold.\nScore: 5",
        "explain": "It multiplies where it should add.",
        "classify": "Kinds: [logical]",
        "rectify": RIGHT,
        "corrupt": WRONG,
        "revise": RIGHT,
    }[request.verb]


def except_for(verb: str, line: Line, agent: str | None = None):  # type: ignore[no-untyped-def]
    def answer(request: Request) -> Line:
        return line if request.verb == verb and agent in (None, request.spec.name) else helpful(request)

    return answer
