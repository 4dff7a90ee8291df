"""The log groups of the lab's account as one list: what scenarios write, and the control plane's audit log.

The records of `/aws/eks/<cluster>/cluster` are the API simulator's own (`kube/auditing.py`), there while the
cluster's logging has `audit`; every other group is in the world's telemetry. Read by `logs`, `log_events` and
whoever says how many bytes a group took (`incoming_bytes`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.insights_expressions import Row, stamp
from aiops_lab.kube.auditing import AuditLog, AuditRecord
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.log_groups import LogGroup, LogRecord

AUDIT_STREAM = "kube-apiserver-audit-0a1b2c3d4e5f60718293a4b5c6d7e8f9"
MOST_FIELDS = 200  # Insights finds so many fields in a JSON message


def audit_group(account: Account) -> str:
    """The log group of the cluster's control plane."""
    return f"/aws/eks/{account.cluster}/cluster"


def arn_of(name: str) -> str:
    """A log group's ARN."""
    return f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{name}"


def names(account: Account) -> list[str]:
    """Every group's name, sorted."""
    found = set(account.area(Telemetry).logs.by_name)
    return sorted(found | ({audit_group(account)} if account.logging else set()))


def group(account: Account, name: str) -> LogGroup:
    """One group, by name or ARN. Raises AwsError ResourceNotFoundException."""
    name = name.removeprefix(arn_of("")).removesuffix(":*")
    if name not in names(account):
        raise not_found(f"Log group '{name}' does not exist for account ID '{ACCOUNT_ID}'")
    told = account.area(Telemetry).logs.by_name.get(name)
    if name != audit_group(account):
        assert told is not None  # noqa: S101  # it is one of the names
        return told
    found = LogGroup(name, created_s=account.created_at.timestamp())
    audited = account.in_world(lambda: list(account.area(AuditLog).records)) if _audits(account) else []
    found.write([*(told.records if told else ()), *(_record(one) for one in audited)])
    return found


def _audits(account: Account) -> bool:
    return "audit" in account.logging


def _record(record: AuditRecord) -> LogRecord:
    return LogRecord(record.at.timestamp(), AUDIT_STREAM, record.message)


def incoming_bytes(account: Account, name: str, since_s: float, until_s: float) -> float:
    """`IncomingBytes` of namespace AWS/Logs, summed over [since, until): what a group took in."""
    try:
        found = group(account, name)
    except AwsError:
        return 0.0
    return float(found.bytes_between(since_s, min(until_s, account.now().timestamp()) - 1e-3))


@dataclass(slots=True)
class Rows:
    """Lines as Insights sees them, read once while a group's records are the same."""

    kept: dict[str, tuple[list[LogRecord], dict[int, Row]]] = field(default_factory=dict)

    def of(self, found: LogGroup, first: int, last: int) -> list[Row]:
        """A row for each of a group's records from one place to another."""
        known = self.kept.get(found.name)
        if known is None or known[0] is not found.records:
            known = self.kept[found.name] = (found.records, {})
        read = known[1]
        for at in range(first, last):
            if at not in read:
                read[at] = _row(found.name, found.records[at])
        return [read[at] for at in range(first, last)]


def _row(name: str, record: LogRecord) -> Row:
    """The record with Insights' own fields and those that it finds in the JSON."""
    found: dict[str, Any] = {
        "@timestamp": stamp(record.at_s),
        "@message": record.message,
        "@logStream": record.stream,
        "@log": f"{ACCOUNT_ID}:{name}",
    }
    if not record.message.startswith("{"):
        return found
    try:
        inner = orjson.loads(record.message)
    except orjson.JSONDecodeError:
        return found
    if isinstance(inner, dict):
        for path, value in _flat(inner, ""):
            if len(found) >= MOST_FIELDS:
                break
            found.setdefault(path, value)
    return found


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _flat(each, f"{path}.{at}")
    else:
        yield path, value
