"""Metrics of any backend in one form: what is asked, who answers, and the series that come back.

`series` is the form, `ports` what a backend is, `directory` which backends a cluster has, `questions` the
catalogue of named questions (the same question has the same answer on each backend), `promql` the guards on
the syntax tree. Only modules of this room speak a backend's protocol. numpy loads with the first of them
that is used (decision D31): import from the modules, not from here.
"""
