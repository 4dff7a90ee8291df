"""`python -m evals.sop [--write]`: measure every part, print the page, end 1 for a miss."""

import sys

from evals.figures import Evaluation

SOP = Evaluation(
    package="evals.sop",
    title="Evaluation of the sop server",
    introduction="How often `investigate` names the right cause first, over stories and trials of the lab,"
    " asked over MCP of the three servers that facts come from; and whether its confidence means what it"
    " says. The worlds were written by the people who wrote the rules: the figures say that the rules hold on"
    " them, not how often they would be right in your cluster. Time limits are stretched eightfold"
    " (`evals/patience.py`): what a busy machine does to judgements is another question. Made by"
    " `python -m evals.sop --write`; every target that is missed is said so.",
    page="evaluation-sop.md",
    parts={
        "ranks": "Root causes",
        "confidence": "Confidence",
        "backends": "The same cause from other backends",
    },
)

if __name__ == "__main__":
    sys.exit(SOP.run())
