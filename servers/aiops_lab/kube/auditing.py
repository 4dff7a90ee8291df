"""The control plane's audit log of the simulated cluster: who wrote what, when, with which program.

Fed by the API's request log (`requests.RequestLog`) and by what a story says that somebody did
(`World.delete_at`); read by CloudWatch Logs (`aws/logs.py`) when the account's logging has `audit`. The
records have the shape of audit.k8s.io/v1 Event and EKS's levels: ConfigMaps and Secrets without bodies, other
writes with them (staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go).
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from aiops_lab.kube.bodies import decode_object
from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.requests import LoggedRequest

MOST = 20_000
PROTOBUF, MAGIC = "application/vnd.kubernetes.protobuf", b"k8s\x00"
BODILESS = frozenset({"configmaps", "secrets", "serviceaccounts", "tokenreviews"})
_WITH_BODY = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One audit event: when it was received, and its JSON as the log group holds it."""

    at: datetime
    event: Mapping[str, Any]

    @property
    def message(self) -> str:
        """The line in the log stream."""
        return json.dumps(self.event, separators=(",", ":"))


@dataclass(slots=True)
class AuditLog:
    """The last records, oldest first; an area of the lab's AWS account."""

    records: deque[AuditRecord] = field(default_factory=lambda: deque(maxlen=MOST))

    def take(self, entry: LoggedRequest, body: bytes, group: str) -> None:
        """Note a request that may have changed something."""
        if not entry.mutating:
            return
        sent = _sent(entry, body)
        told = {
            "user": entry.impersonator or entry.user,
            "agent": entry.user_agent,
            "verb": entry.verb,
            "status": entry.status,
            "uri": entry.path,
            "body": None if entry.resource in BODILESS else sent,
            "impersonated": entry.user if entry.impersonator else "",
        }
        ref = {
            "resource": entry.resource,
            "namespace": entry.namespace,
            "name": entry.name or _name(sent),
            "apiGroup": group,
            "subresource": entry.subresource,
        }
        self.add(entry.at, ref, told)

    def add(self, at: datetime, ref: Mapping[str, str], told: Mapping[str, Any]) -> None:
        """Note one write. `told` has user, verb, agent, and where known status, uri, body, groups."""
        serial = f"{at.isoformat()}/{len(self.records)}/{sorted(ref.items())}"
        event = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "RequestResponse" if told.get("body") else "Metadata",
            "auditID": str(uuid5(NAMESPACE_URL, serial)),
            "stage": "ResponseComplete",
            "requestURI": told.get("uri") or _uri(ref),
            "verb": told["verb"],
            "user": {"username": told["user"], "groups": told.get("groups") or ["system:authenticated"]},
            "sourceIPs": ["192.0.2.10"],
            "userAgent": told.get("agent", ""),
            "objectRef": {key: value for key, value in ref.items() if value} | {"apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": told.get("status", 200)},
            "requestReceivedTimestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "stageTimestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        if told.get("impersonated"):
            event["impersonatedUser"] = {"username": told["impersonated"]}
        if told.get("body"):
            event["requestObject"] = told["body"]
        self.records.append(AuditRecord(at, event))


def _sent(entry: LoggedRequest, body: bytes) -> Any:
    """The object in the request. A dry run is logged too."""
    if entry.verb not in _WITH_BODY or not body:
        return None
    kind = PROTOBUF if body.startswith(MAGIC) else "application/json"
    try:
        found = decode_object(body, kind, entry.resource)
    except ApiError:  # a JSON patch, YAML of an apply
        return None
    return found


def _name(sent: Any) -> str:
    """The reference is completed from the object, at every level (apiserver pkg/audit/request.go)."""
    meta = (sent or {}).get("metadata")
    return str(meta.get("name") or "") if isinstance(meta, dict) else ""


def _uri(ref: Mapping[str, str]) -> str:
    group = ref.get("apiGroup", "")
    root = f"/apis/{group}/v1" if group else "/api/v1"
    home = f"/namespaces/{ref['namespace']}" if ref.get("namespace") else ""
    return f"{root}{home}/{ref['resource']}" + (f"/{ref['name']}" if ref.get("name") else "")
