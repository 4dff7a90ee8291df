"""`python -m evals.cost [--write]`: measure every part, print the page, end 1 for a miss."""

import os
import sys

from evals.figures import Evaluation

COST = Evaluation(
    package="evals.cost",
    title="Evaluation of the cost server",
    introduction="How good the judgements of the cost server are: causes of bills that moved (stories of the"
    " lab, asked through an MCP client), and fleets against an independent packing. Amounts are exact by test"
    " (`tests/cost`). Made by `python -m evals.cost --write`; every target that is missed is said so.",
    page="evaluation-cost.md",
    processes=os.cpu_count() or 1,
    parts={
        "causes": "Why a bill moved",
        "fleets": "Proposed fleets",
    },
)

if __name__ == "__main__":
    sys.exit(COST.run())
