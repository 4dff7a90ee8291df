"""Where a story's fault is, so that the right code at the wrong object is not counted as right."""

from aiops_lab.scenarios import SCENARIOS
from aiops_lab.scenarios.names import Names
from evals.sop.questions import QUESTIONS


def places(story: str, names: Names) -> frozenset[str]:
    """Names of the object that the story expects; empty where the question has an answer of its own."""
    asked = QUESTIONS.get(story)
    if asked is not None and asked.code is not None:
        return frozenset()
    return frozenset(one.name for one in SCENARIOS[story].expect(names))
