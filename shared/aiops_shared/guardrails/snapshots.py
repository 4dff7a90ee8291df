"""Every object as it was before a change, encrypted in the store (D12): what an undo gives back.

Never of Secrets. The database alone does not reveal them: the key lies in the key file. Kept 30 days.
"""

import json
from datetime import timedelta

from sqlalchemy import Connection, delete, select

from aiops_shared.clock import Clock
from aiops_shared.errors import ActionRefusedError, NotFoundError, PlanTamperedError
from aiops_shared.guardrails.canonical import canonical
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.models import Json, ObjectRef
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.guardrails.sealing import BrokenSealError, Sealer
from aiops_shared.state import Keys, StateStore
from aiops_shared.state.schema import snapshots as table

KEPT = timedelta(days=30)
_MOVING = ("managedFields", "resourceVersion", "generation")


def comparable(obj: Json) -> Json:
    """The object without what the cluster moves by itself: status, managedFields, resourceVersion."""
    kept = {key: value for key, value in obj.items() if key != "status"}
    metadata = obj.get("metadata", {})
    kept["metadata"] = {key: value for key, value in metadata.items() if key not in _MOVING}
    return kept


class Snapshots:
    """Takes and opens snapshots."""

    def __init__(self, store: StateStore, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._sealer = Sealer(keys)
        self._clock = clock

    async def take(self, ref: ObjectRef, obj: Json, plan_id: str = "") -> str:
        """Store `obj` encrypted and return the snapshot's id. Raises ActionRefusedError for a Secret."""
        if ref.kind == "Secret" or obj.get("kind") == "Secret":
            raise ActionRefusedError(str(ref), "no snapshot is ever made of a Secret", "change it by hand")
        snapshot_id = new_id("snp_")
        sealed = self._sealer.seal(canonical(obj), snapshot_id)

        def insert(conn: Connection) -> None:
            now = safe_now(conn, self._clock)
            conn.execute(delete(table).where(table.c.created_at < now - KEPT))
            row = {"id": snapshot_id, "plan_id": plan_id, "ref": str(ref)}
            conn.execute(table.insert().values(**row, ciphertext=sealed, created_at=now))

        await self._store.run(insert)
        return snapshot_id

    async def open(self, snapshot_id: str) -> Json:
        """The object as it was. Raises NotFoundError, or PlanTamperedError for an altered one."""
        query = select(table.c.ciphertext).where(table.c.id == snapshot_id)
        sealed: bytes | None = await self._store.read(lambda conn: conn.execute(query).scalar_one_or_none())
        if sealed is None:
            raise NotFoundError(f"snapshot {snapshot_id[:40]}", "none of that id", "they are kept 30 days")
        try:
            return json.loads(self._sealer.open(bytes(sealed), snapshot_id))
        except BrokenSealError as error:
            raise PlanTamperedError(f"snapshot {snapshot_id}", "it was altered in the store") from error
