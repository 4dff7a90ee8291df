"""Judgement: facts in, ranked findings out.

Pure: no requests, no clock, no await. `clients/facts.py` gathers the facts, `tools/diagnose.py` asks the
question, `docs/causes.md` is generated from the rules in here.
"""
