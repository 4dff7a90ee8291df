"""The freezes and the limits as a run sees them, inside the transaction that writes.

Three kinds of freeze: the kill switch (everything or one cluster), the windows of the settings, and a key
(action, owner) that the executor froze because an undo failed. A person lifts each: `eks-aiops freeze`.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from aiops_shared.clock import Clock
from aiops_shared.guardrails.canonical import sha256_of
from aiops_shared.guardrails.freezing import EVERYTHING, Freeze, switches
from aiops_shared.guardrails.redacting import redact
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.state.schema import freezes

_LONGEST = 256  # of the column `scope`


def key_scope(action: str, cluster: str, owner: str) -> str:
    """The scope of a frozen key; a long one is told apart by its hash."""
    scope = f"{action} on {cluster}/{owner}"
    return scope if len(scope) <= _LONGEST else f"{scope[:180]}… {sha256_of(scope)[:40]}"


@dataclass(frozen=True, slots=True)
class Brakes:
    """Fulfils the port `Brake` over the store."""

    windows: tuple[Freeze, ...]
    clock: Clock

    def reason_in(
        self,
        conn: Connection,
        cluster: str,
        keys: frozenset[tuple[str, str]],
        world_now: datetime,
        kill_only: bool,
    ) -> str:
        """Why nothing may be written now; empty when it may. `kill_only` asks for the kill switch alone."""
        switched = switches(conn)
        held = [one for one in switched if one.scope in {EVERYTHING, cluster}]
        if not kill_only:
            held += [one for one in self.windows if one.until and one.since <= world_now < one.until]
            held += _frozen_keys(switched, cluster, keys)
        return str(held[0]) if held else ""

    def freeze_key_in(self, conn: Connection, cluster: str, key: tuple[str, str], reason: str) -> None:
        """No more of this action on this owner until a person lifts it."""
        if _frozen_keys(switches(conn), cluster, frozenset({key})):
            return
        scope, now = key_scope(key[0], cluster, key[1]), safe_now(conn, self.clock)
        row = {"scope": scope, "reason": redact(reason), "set_by": "eks-aiops", "set_at": now}
        conn.execute(freezes.insert().values(row))


def _frozen_keys(
    switched: tuple[Freeze, ...], cluster: str, keys: frozenset[tuple[str, str]]
) -> list[Freeze]:
    scopes = {key_scope(action, cluster, owner) for action, owner in keys}
    found = [one for one in switched if one.scope in scopes]
    return [one.model_copy(update={"reason": f"{one.scope}, {one.reason}"}) for one in found]
