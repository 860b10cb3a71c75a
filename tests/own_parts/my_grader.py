"""A grader of one's own."""

from errata import Grade, read_answer


def off_by_one(problem, text):
    """Counts an answer that misses by one as right."""
    answer, span, _ = read_answer("number", text)
    right = answer is not None and abs(float(answer) - float(problem.answer)) <= 1
    return Grade(right, answer, span, "off_by_one")
