"""The observability server: is this normal, since when, which part is different, when will it hit the limit.

It only reads. Rooms: `tools` (what a client sees), `clients` (who gathers), `analysis` (pure functions over
numbers), `telemetry` (collector configurations), `charts`, `models` (answers). `server` joins them.
"""
