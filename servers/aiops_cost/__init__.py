"""The cost server: why the bill moved, what a workload costs, what to change and what it saves.

It only reads. Rooms: `tools` (what a client sees), `clients` (who gathers), `analysis` (pure functions over
amounts, fleets and prices), `charts`, `models` (answers). `server` joins them.
"""
