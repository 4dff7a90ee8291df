"""`make faults`: what runs survive. Processes are killed, stopped, cut off; the simulator counts effects.

Not part of `make test`: it plays some hundred runs on SQLite and on PostgreSQL, and writes docs/faults.md.
"""
