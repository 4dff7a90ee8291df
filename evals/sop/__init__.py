"""How often `investigate` names the right cause first, over every story and trial that the lab plays.

`python -m evals.sop [--write]`: docs/evaluation-sop.md. The tests play a few of the same questions.
"""
