"""`python -m evals.observability [--write]`: measure every part, print the page, end 1 for a miss."""

import os
import sys

from evals.figures import Evaluation

OBSERVABILITY = Evaluation(
    package="evals.observability",
    title="Evaluation of the observability server",
    introduction="How good the analyses of the observability server are, on data made by a seeded generator"
    " (`evals/observability/series.py`) that the tests do not share. Made by"
    " `python -m evals.observability --write`; every target that is missed is said so.",
    page="evaluation-observability.md",
    processes=os.cpu_count() or 1,
    parts={
        "anomalies": "Anomalies",
        "leaks": "Leaks",
        "change_points": "Change points",
        "forecasts": "Forecasts: four weeks of hours, the week after",
        "templates": "Log templates: five systems, one configuration",
        "alerts": "Alert grouping: forty weeks of storms on a service graph",
    },
)

if __name__ == "__main__":
    sys.exit(OBSERVABILITY.run())
