"""What changed in a cluster, by whom and with what client: one timeline from several sources (D24, D25).

`timeline.read_changes` asks every source at the same time; what a source cannot say is a gap with the way to
get it. Other servers use it too, so nothing here decides what a change means. This module imports nothing:
ports name `records` alone (D31).
"""
