"""How good `diagnose` is, counted: every trial of every cause, in the lab and on a real API server.

`make eval` runs it and prints the table of `docs/evaluation.md`.
"""
