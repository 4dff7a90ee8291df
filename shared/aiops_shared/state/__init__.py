"""Where plans, actions, approvals and the audit live: one SQL schema, one way to open it, one key file.

Used by the guardrails and the command line. Nothing heavy is imported here; SQLAlchemy loads when a store
is opened.
"""

from aiops_shared.state.keys import Keys
from aiops_shared.state.store import StateStore

__all__ = ["Keys", "StateStore"]
