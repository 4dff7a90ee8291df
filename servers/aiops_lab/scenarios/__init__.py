"""What the lab can play: every scenario by its name (its SOP or symptom, variants by suffix).

The world loads them; `eks-aiops lab list` prints them; tests and graders read what each expects.
"""

from aiops_lab.scenarios import crashloop, memory, quiet
from aiops_lab.scenarios.base import Expected, Scenario

__all__ = ["SCENARIOS", "Expected", "Scenario", "names"]

SCENARIOS: dict[str, Scenario] = {
    each.name: each for each in (*quiet.SCENARIOS, *crashloop.SCENARIOS, *memory.SCENARIOS)
}


def names() -> list[str]:
    """The names that `load` and `inject` take, sorted."""
    return sorted(SCENARIOS)
