"""Idempotency keys: the same key of the same caller means the same call (D22, R12)."""

from sqlalchemy import Connection, select

from aiops_shared.clock import Clock
from aiops_shared.guardrails.canonical import sha256_of
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.state.schema import idempotency as table


def bind_in(conn: Connection, key: str, caller: str, args: object, clock: Clock) -> bool:
    """Bind a key to its arguments; False when it is bound to others already."""
    digest = sha256_of(args)
    query = select(table.c.args_digest).where(table.c.key == key, table.c.caller == caller)
    found: str | None = conn.execute(query).scalar_one_or_none()
    if found is not None:
        return found == digest
    row = {"key": key, "caller": caller, "args_digest": digest, "created_at": safe_now(conn, clock)}
    conn.execute(table.insert().values(row))
    return True
