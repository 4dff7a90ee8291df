"""The engine: interprets one pinned SOP step by step, over ports. It knows no SDK, no store and no clock of
its own.

Called by `clients/durable.py`, which makes every step of a run one durable step. Whatever a step does is
noted before and after in the ledger, under a fence, so that any process may go on where another one stopped.
"""
