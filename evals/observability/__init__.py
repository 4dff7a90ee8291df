"""How good the analyses of the observability server are, counted on data that no test shares.

`python -m evals.observability [--write]`. A part is a module of this room with `rows(seed) -> list[Row]`,
listed in `__main__`; `series` makes the data, `evals.figures` prints the page.
"""
