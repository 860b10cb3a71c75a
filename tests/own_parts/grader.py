from dataclasses import replace

from errata.graphs.studio import faculty_team

from errata.grading.grader import Grade, read_answer
from errata.graphs.pipeline import GraphSettings, build_graph


class OffByOne:
    """Counts an answer that misses by one as right."""

    async def grade(self, problem, text):
        answer, span, _ = read_answer("number", text)
        right = answer is not None and abs(float(answer) - float(problem.answer)) <= 1
        return Grade(right, answer, span, "off_by_one")


lenient = build_graph("lesson", GraphSettings(), replace(faculty_team(), grader=OffByOne()))
