"""Attacks on the whole suite from what it says of itself: schemas, formats of inputs, places of secrets.

`python -m fuzz` (`make fuzz`) plays them and writes docs/fuzzing.md. Not shipped.
"""
