"""The time that plans, approvals and leases live by: the database's where it has one, else this machine's.

Never virtual (D19). Machines on one PostgreSQL must agree on one clock; on SQLite there is one machine, whose
clock is injected.
"""

from datetime import datetime

from sqlalchemy import Connection

from aiops_shared.clock import Clock
from aiops_shared.state.times import database_now


def safe_now(conn: Connection, clock: Clock) -> datetime:
    """Safety time within a transaction, UTC."""
    return database_now(conn) if conn.dialect.name == "postgresql" else clock.safe_now()
