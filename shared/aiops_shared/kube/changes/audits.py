"""Audit events (audit.k8s.io/v1) as changes: the one source that names the user.

EKS records ConfigMaps and Secrets without their bodies and most other writes with them; of a body only what
a patch names is told, as the new value, since the old one is not there.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from aiops_shared.aws.audit_log import HPA_USER
from aiops_shared.kube.changes.differences import Redact
from aiops_shared.kube.changes.reading import Obj, leaves, moment, part, short
from aiops_shared.kube.changes.records import Change
from aiops_shared.kube.shapes import mapping, text

MOST = 4
_VERBS = {
    "create": "create",
    "update": "update",
    "patch": "update",
    "delete": "delete",
    "deletecollection": "delete",
}
_NEVER = frozenset({"secrets"})
_SKIPPED = ("metadata.annotations.kubectl.kubernetes.io/last-applied", "metadata.managedFields", "status",
            "apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.resourceVersion",
            "metadata.uid", "metadata.creationTimestamp", "metadata.generation")  # fmt: skip


def audit_changes(records: Iterable[Obj], kinds: dict[str, str], redact: Redact) -> Iterator[Change]:
    """Each record as a change. `kinds` gives the Kind of a plural, as discovery has it."""
    for record in records:
        ref = mapping(record.get("objectRef"))
        at = moment(record.get("requestReceivedTimestamp")) or moment(record.get("stageTimestamp"))
        resource = text(ref.get("resource"))
        if at is None or not resource or _is_dry_run(record):
            continue
        user = text(mapping(record.get("user")).get("username"))
        yield Change(
            at=at,
            verb=_verb(record, ref, user),
            kind=kinds.get(resource, resource),
            name=_name(record, ref),
            namespace=text(ref.get("namespace")),
            what=_what(record, ref, redact),
            user=_acting(record, user),
            client=short(record.get("userAgent") or ""),
            sources=("audit",),
        )


def _is_dry_run(record: Obj) -> bool:
    """A dry run is authorised and logged like the real request; a delete may ask for it in its body."""
    body = mapping(record.get("requestObject"))
    options = mapping(body.get("deleteOptions")) or body
    return "dryRun=All" in text(record.get("requestURI")) or options.get("dryRun") == ["All"]


def _name(record: Obj, ref: Obj) -> str:
    """A create by generateName has its name in the answer only; a collection has none."""
    named = text(ref.get("name")) or text(part(record, "responseObject", "metadata").get("name"))
    return named or ("(all)" if record.get("verb") == "deletecollection" else "")


def _acting(record: Obj, user: str) -> str:
    other = text(mapping(record.get("impersonatedUser")).get("username"))
    return f"{other} (impersonated by {user})" if other else user


def _verb(record: Obj, ref: Obj, user: str) -> str:
    match text(ref.get("subresource")):
        case "eviction":
            return "evict"
        case "binding":
            return "bind"
        case "scale":
            return "autoscale" if user == HPA_USER else "scale"
    body = mapping(record.get("requestObject"))
    if record.get("verb") == "patch" and [path for path, _ in _named(body)] == ["spec.replicas"]:
        return "scale"
    if record.get("verb") == "patch" and "unschedulable" in part(body, "spec"):
        return "cordon" if part(body, "spec").get("unschedulable") else "uncordon"
    return _VERBS.get(text(record.get("verb")), text(record.get("verb")))


def _what(record: Obj, ref: Obj, redact: Redact) -> tuple[str, ...]:
    if text(ref.get("resource")) in _NEVER:
        return ()
    body = mapping(record.get("requestObject"))
    if ref.get("subresource") == "scale":
        return (f"replicas → {short(part(body, 'spec').get('replicas'))}",)
    if ref.get("subresource") == "binding":
        return (f"node {short(part(body, 'target').get('name') or '')}",)
    if record.get("verb") != "patch":
        return ()
    named = [(path, value) for path, value in _named(body) if path]
    return tuple(f"{short(path)} → {_value(path, value, redact)}" for path, value in named[:MOST])


def _named(body: Obj) -> list[tuple[str, Any]]:
    """What a patch names, bookkeeping apart."""
    return [(path, value) for path, value in leaves(body) if not _is_address(path)]


def _is_address(path: str) -> bool:
    """Whether it says which element is meant, and not what becomes of it."""
    return path.startswith(_SKIPPED) or path.endswith("].name") or "$setElementOrder" in path


def _value(path: str, value: Any, redact: Redact) -> str:
    plain = f"{path.rpartition('.')[2]}={value}"
    secret = redact(plain) != plain or (
        path.endswith("].value") and redact(f"{_variable(path)}={value}") != f"{_variable(path)}={value}"
    )
    return "(hidden)" if secret else short(value)


def _variable(path: str) -> str:
    """`spec…env[DB_PASSWORD].value` names a variable."""
    return path.rpartition("[")[2].partition("]")[0]
