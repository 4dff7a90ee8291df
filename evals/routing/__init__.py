"""Whether a plain reader of names and descriptions finds the right tool for an everyday sentence (S5).

`python -m evals.routing [--write]`: docs/evaluation-routing.md. The ranker is BM25: it knows words and not
their meaning, so a right tool in the first place says that the description's words are an engineer's own.
"""
