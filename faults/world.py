"""What really happened to the simulated world: effects by its own logs, and how it stands in the end."""

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

from aiops_lab.run import Lab
from faults.points import AWS_EFFECTS

# Leases are ours to take; reviews and dry runs store nothing; events are written by whoever sees something.
_NO_EFFECT = frozenset({"leases", "events"})
_DRAWN = frozenset({"clusterIP", "clusterIPs"})
# What controllers make anew under other names, and what tells the time.
_PASSING = frozenset(
    {"Pod", "Event", "Lease", "ReplicaSet", "EndpointSlice", "Endpoints", "Node", "NodeClaim", "Job"}
)


@dataclass(frozen=True)
class Effects:
    """Successful changes, counted: (who did what to which object) -> how often."""

    counted: Counter[str]

    def twice(self, reference: "Effects") -> dict[str, int]:
        """The same change of the same object more often than the undisturbed run made it."""
        return {what: n for what, n in (self.counted - reference.counted).items() if self.counted[what] > 1}


def effects(lab: Lab) -> Effects:
    """Every change that the world took, by its own account."""
    counted: Counter[str] = Counter()
    for one in lab.requests.writes():
        if one.dry_run or one.resource in _NO_EFFECT or not 200 <= one.status < 300:
            continue
        where = f"{one.namespace}/{one.name}" if one.namespace else one.name
        counted[f"{one.verb} {one.resource}{'/' * bool(one.subresource)}{one.subresource} {where}"] += 1
    for asked in lab.aws_requests():
        operation = _snake(asked.operation)
        if operation.startswith(AWS_EFFECTS) and asked.status < 400:
            counted[f"AWS {asked.service} {operation}"] += 1
    return Effects(counted)


def _snake(name: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name).lstrip("_")


def standing(lab: Lab) -> dict[str, str]:
    """How every lasting object stands: kind namespace/name -> digest of its spec. Leaves out what moves."""
    found = {}
    kinds = {one.kind for one in lab.store.registry.all()} - _PASSING
    for kind, obj in ((one, obj) for one in sorted(kinds) for obj in lab.store.list(one)):
        meta = obj["metadata"]
        lasting = {key: value for key, value in obj.items() if key not in {"status", "metadata"}}
        if kind == "Service":  # its address is drawn by the server, and another one at another hour
            lasting["spec"] = {key: value for key, value in obj["spec"].items() if key not in _DRAWN}
        lasting["labels"] = meta.get("labels")
        text = json.dumps(lasting, sort_keys=True, default=str)
        found[f"{kind} {meta.get('namespace', '')}/{meta['name']}"] = sha256(text.encode()).hexdigest()[:16]
    return found
