"""The books of a process: its store, its keys and the audit over them; all that a server needs to read.

Made by the facade with the first call that is written down. The rest of the guardrails (policy, gate, hands)
is wired over the same books with the first question about a change.
"""

from dataclasses import dataclass

from aiops_shared.clock import Clock
from aiops_shared.guardrails.audit import Audit
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys, StateStore


@dataclass(frozen=True)
class Books:
    """Where everything is written down."""

    store: StateStore
    keys: Keys
    audit: Audit

    @classmethod
    def of(cls, settings: StateSettings, clock: Clock) -> "Books":
        """Opens no connection yet."""
        store, keys = StateStore(settings), Keys(settings)
        return cls(store, keys, Audit(store, keys, clock))
