"""How nodes, namespaces, events, storage and the cluster's own objects are printed."""

from datetime import datetime

from aiops_lab.kube.columns.printer import (
    NONE,
    UNKNOWN,
    UNSET,
    Cells,
    Column,
    Printer,
    age,
    columns,
    since,
)
from aiops_lab.kube.wire import Obj, dig, name_of

_ROLE_LABEL = "node-role.kubernetes.io/"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _node(obj: Obj, now: datetime) -> Cells:
    labels, info = dig(obj, "metadata", "labels", default={}), dig(obj, "status", "nodeInfo", default={})
    roles = sorted(label.removeprefix(_ROLE_LABEL) for label in labels if label.startswith(_ROLE_LABEL))
    return [
        name_of(obj),
        _node_status(obj),
        ",".join(filter(None, roles)) or NONE,
        age(obj, now),
        info.get("kubeletVersion", ""),
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _node_status(obj: Obj) -> str:
    ready = [c for c in dig(obj, "status", "conditions", default=[]) if c.get("type") == "Ready"]
    words = [("Ready" if c.get("status") == "True" else "NotReady") for c in ready] or ["Unknown"]
    return ",".join(words + (["SchedulingDisabled"] if dig(obj, "spec", "unschedulable") else []))


def _address(obj: Obj, kind: str) -> str:
    found = [
        a.get("address", "") for a in dig(obj, "status", "addresses", default=[]) if a.get("type") == kind
    ]
    return str(found[0]) if found else NONE


def _event(obj: Obj, now: datetime) -> Cells:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
    last = (
        dig(obj, "series", "lastObservedTime")
        or obj.get("lastTimestamp")
        or obj.get("deprecatedLastTimestamp")
    )
    count = dig(obj, "series", "count") or obj.get("count") or obj.get("deprecatedCount") or 1
    where = [source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""]
    return [
        since(last or first, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        ", ".join(filter(None, [*where, source.get("host", "")])),
        str(obj.get("message") or obj.get("note") or "").strip(),
        since(first, now),
        count,
        name_of(obj),
    ]


_EVENT_COLUMNS = (
    Column("Last Seen"),
    Column("Type"),
    Column("Reason"),
    Column("Object"),
    Column("Subobject", priority=1),
    Column("Source", priority=1),
    Column("Message"),
    Column("First Seen", priority=1),
    Column("Count", priority=1),
    Column("Name", format="name", priority=1),
)


def _namespace(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), dig(obj, "status", "phase", default=""), age(obj, now)]


def _modes(modes: list[str] | None) -> str:
    return ",".join(_MODES.get(mode, mode) for mode in modes or [])


def _claim(obj: Obj, now: datetime) -> Cells:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    phase = "Terminating" if "deletionTimestamp" in obj["metadata"] else status.get("phase", "")
    bound = bool(spec.get("volumeName"))
    return [
        name_of(obj),
        phase,
        spec.get("volumeName", ""),
        dig(status, "capacity", "storage", default="") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName", UNSET),
        age(obj, now),
        spec.get("volumeMode", UNSET),
    ]


def _volume(obj: Obj, now: datetime) -> Cells:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    claim = spec.get("claimRef") or {}
    phase = "Terminating" if "deletionTimestamp" in obj["metadata"] else status.get("phase", "")
    return [
        name_of(obj),
        dig(spec, "capacity", "storage", default=""),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        phase,
        f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName", UNSET),
        status.get("reason", ""),
        age(obj, now),
        spec.get("volumeMode", UNSET),
    ]


def _storage_class(obj: Obj, now: datetime) -> Cells:
    default = dig(obj, "metadata", "annotations", "storageclass.kubernetes.io/is-default-class") == "true"
    return [
        name_of(obj) + (" (default)" if default else ""),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", UNSET),
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def _priority(obj: Obj, now: datetime) -> Cells:
    policy = obj.get("preemptionPolicy", "PreemptLowerPriority")
    return [name_of(obj), obj.get("value", 0), bool(obj.get("globalDefault")), age(obj, now), policy]


def _lease(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), dig(obj, "spec", "holderIdentity", default=""), age(obj, now)]


def _created_at(obj: Obj, _now: datetime) -> Cells:
    return [name_of(obj), dig(obj, "metadata", "creationTimestamp", default=UNKNOWN)]


def _binding(obj: Obj, now: datetime) -> Cells:
    role, subjects = obj.get("roleRef") or {}, obj.get("subjects") or []
    by_kind = {
        kind: [s for s in subjects if s.get("kind") == kind] for kind in ("User", "Group", "ServiceAccount")
    }
    users, groups = (", ".join(s.get("name", "") for s in by_kind[kind]) for kind in ("User", "Group"))
    accounts = ", ".join(f"{s.get('namespace', '')}/{s.get('name', '')}" for s in by_kind["ServiceAccount"])
    return [name_of(obj), f"{role.get('kind')}/{role.get('name')}", age(obj, now), users, groups, accounts]


def _webhooks(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), len(obj.get("webhooks") or []), age(obj, now)]


def _api_service(obj: Obj, now: datetime) -> Cells:
    service = dig(obj, "spec", "service")
    conditions = [c for c in dig(obj, "status", "conditions", default=[]) if c.get("type") == "Available"]
    state = conditions[0] if conditions else {"status": "Unknown"}
    reason = f" ({state.get('reason')})" if state.get("status") == "False" else ""
    where = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    return [name_of(obj), where, f"{state.get('status')}{reason}", age(obj, now)]


_BINDING = Printer(columns("Name", "Role", "Age", wide=("Users", "Groups", "ServiceAccounts")), _binding)
_CREATED = Printer(columns("Name", "Created At@"), _created_at)
_WEBHOOKS = Printer(columns("Name", "Webhooks#", "Age"), _webhooks)

CLUSTER: dict[str, Printer] = {
    "Node.": Printer(
        columns(
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            wide=("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
        ),
        _node,
    ),
    "Event.": Printer(_EVENT_COLUMNS, _event),
    "Namespace.": Printer(columns("Name", "Status", "Age"), _namespace),
    "PersistentVolumeClaim.": Printer(
        columns(
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
            wide=("VolumeMode",),
        ),
        _claim,
    ),
    "PersistentVolume.": Printer(
        columns(
            "Name",
            "Capacity",
            "Access Modes",
            "Reclaim Policy",
            "Status",
            "Claim",
            "StorageClass",
            "VolumeAttributesClass",
            "Reason",
            "Age",
            wide=("VolumeMode",),
        ),
        _volume,
    ),
    "StorageClass.storage.k8s.io": Printer(
        columns("Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age"),
        _storage_class,
    ),
    "PriorityClass.scheduling.k8s.io": Printer(
        columns("Name", "Value#", "Global-Default?", "Age", "PreemptionPolicy"), _priority
    ),
    "Lease.coordination.k8s.io": Printer(columns("Name", "Holder", "Age"), _lease),
    "Role.rbac.authorization.k8s.io": _CREATED,
    "ClusterRole.rbac.authorization.k8s.io": _CREATED,
    "CustomResourceDefinition.apiextensions.k8s.io": _CREATED,
    "RoleBinding.rbac.authorization.k8s.io": _BINDING,
    "ClusterRoleBinding.rbac.authorization.k8s.io": _BINDING,
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": _WEBHOOKS,
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": _WEBHOOKS,
    "APIService.apiregistration.k8s.io": Printer(
        columns("Name", "Service", "Available", "Age"), _api_service
    ),
}
