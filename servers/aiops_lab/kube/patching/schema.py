"""How lists and maps merge: which lists are keyed, which are sets, which values are whole.

The table is the `patchMergeKey`, `x-kubernetes-list-map-keys` and `x-kubernetes-map-type: atomic`
marks of the Kubernetes API types, by field name; a field whose meaning depends on where it stands
(ports, addresses) is told apart by its parents.
"""

from dataclasses import dataclass

Path = tuple[str, ...]  # field names from the object's root; list elements are left out

_CONTAINERS = frozenset({"containers", "initContainers", "ephemeralContainers"})
_KEYED: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "env": ("name",),
    "volumes": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "webhooks": ("name",),
    "matchConditions": ("name",),
    "variables": ("name",),
    "claims": ("name",),
}
_SETS = frozenset({"finalizers", "podCIDRs"})
_ATOMIC_MAPS = frozenset(
    {
        "nodeSelector",
        "labelSelector",
        "namespaceSelector",
        "podSelector",
        "objectSelector",
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "secretRef",
        "scaleTargetRef",
        "claimRef",
        "involvedObject",
        "nodeSelectorTerms",
        "roleRef",
    }
)


@dataclass(frozen=True)
class Schema:
    """The merge rules of one kind."""

    kind: str
    custom: bool = False  # no schema known: maps merge, lists are whole

    def keys(self, path: Path) -> tuple[str, ...]:
        """The key fields of the list at `path`; nothing where it is not keyed."""
        if self.custom and path != ("metadata", "ownerReferences"):
            return ()
        field = path[-1]
        parent = path[-2] if len(path) > 1 else ""
        if field == "ports":
            return self._port_keys(parent)
        if field == "addresses":
            return ("type",) if self.kind == "Node" else ()
        if field == "imagePullSecrets":
            return () if self.kind == "ServiceAccount" else ("name",)
        if field == "secrets":
            return ("name",) if self.kind == "ServiceAccount" else ()
        return _KEYED.get(field, ())

    def _port_keys(self, parent: str) -> tuple[str, ...]:
        if parent in _CONTAINERS:
            return ("containerPort", "protocol")
        return ("port", "protocol") if self.kind == "Service" else ()

    def is_set(self, path: Path) -> bool:
        """Whether the list at `path` is a set of plain values."""
        if self.custom:
            return path == ("metadata", "finalizers")
        return path[-1] in _SETS

    def is_whole(self, path: Path) -> bool:
        """Whether the map at `path` is owned and replaced as one value."""
        if self.custom:
            return False
        if path[-1] == "selector":
            return self.kind not in {"ReplicationController"} or path != ("spec", "selector")
        return path[-1] in _ATOMIC_MAPS
