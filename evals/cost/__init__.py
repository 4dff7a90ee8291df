"""How good the cost server's judgements are: causes of a moved bill, fleets. `python -m evals.cost`.

A part is a module of this room with `rows(seed) -> list[Row]`, listed in `__main__`; `evals.figures` prints
the page.
"""
