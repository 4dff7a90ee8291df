"""Claims and volumes as facts: who wants what, what fits, and where a volume can be used.

Pure functions over the cache, shared by the scheduler, the volume controllers and the kubelet. After
pkg/scheduler/framework/plugins/volumebinding and k8s.io/component-helpers/storage/volume.
"""

from aiops_lab.resources import quantity
from aiops_lab.world.cache import Cache
from aiops_lab.world.node_fit import Refusal, matches_terms
from aiops_lab.world.objects import Obj, annotations_of, being_deleted, is_active, labels_of, meta, selects

SELECTED_NODE = "volume.kubernetes.io/selected-node"
BOUND_NOTE = "pv.kubernetes.io/bind-completed"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
ZONE = "topology.kubernetes.io/zone"
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"


def claims_of(pod: Obj) -> list[str]:
    """The names of the claims among a pod's volumes."""
    volumes = pod["spec"].get("volumes") or ()
    return [each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each]


def users_of(cache: Cache, namespace: str, claim: str) -> list[Obj]:
    """The pods that name a claim and have not ended."""
    found = cache.all("Pod", namespace)
    return [pod for pod in found if claim in claims_of(pod) and (is_active(pod) or being_deleted(pod))]


def class_of(obj: Obj) -> str:
    """The storage class of a claim or volume; empty for none."""
    return annotations_of(obj).get(_OLD_CLASS) or obj["spec"].get("storageClassName") or ""


def is_bound(claim: Obj) -> bool:
    """Whether the claim has its volume for good."""
    return (claim.get("status") or {}).get("phase") == "Bound"


def wants(claim: Obj) -> float:
    """The room a claim asks for, in bytes."""
    asked = (claim["spec"].get("resources") or {}).get("requests") or {}
    return quantity(asked.get("storage", 0))


def modes_of(obj: Obj) -> set[str]:
    """The access modes."""
    return set(obj["spec"].get("accessModes") or ())


def is_delayed(cache: Cache, claim: Obj) -> bool:
    """Whether the claim's class waits for a pod before it binds."""
    found = cache.get("StorageClass", "", class_of(claim))
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def reserved_for(volume: Obj, claim: Obj) -> bool:
    """Whether a volume's claimRef names this claim and no earlier one of that name."""
    ref = volume["spec"].get("claimRef") or {}
    same = (ref.get("namespace"), ref.get("name")) == (meta(claim)["namespace"], meta(claim)["name"])
    return same and ref.get("uid") in (None, "", meta(claim)["uid"])


def best_volume(cache: Cache, claim: Obj, node: Obj | None) -> Obj | None:
    """The volume reserved for a claim, else the smallest that fits it (and the node, where one is chosen)."""
    volumes = [each for each in cache.all("PersistentVolume") if not being_deleted(each)]
    for each in volumes:
        if reserved_for(each, claim):
            return each
    fitting = [each for each in volumes if _fits(each, claim) and (node is None or usable_on(each, node))]
    return min(fitting, key=lambda each: (_room(each), meta(each)["name"]), default=None)


def _room(volume: Obj) -> float:
    return quantity((volume["spec"].get("capacity") or {}).get("storage", 0))


def _fits(volume: Obj, claim: Obj) -> bool:
    free = not volume["spec"].get("claimRef") and (volume.get("status") or {}).get("phase") == "Available"
    selector = claim["spec"].get("selector")
    return (
        free
        and class_of(volume) == class_of(claim)
        and modes_of(claim) <= modes_of(volume)
        and volume["spec"].get("volumeMode", "Filesystem") == claim["spec"].get("volumeMode", "Filesystem")
        and _room(volume) >= wants(claim)
        and (not selector or selects(selector, labels_of(volume)))
    )


def usable_on(volume: Obj, node: Obj) -> bool:
    """Whether the volume's node affinity takes in this node."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or matches_terms(required.get("nodeSelectorTerms") or (), node)


def attached_elsewhere(cache: Cache, pod: Obj) -> str:
    """The Multi-Attach error of a volume for one node that pods on another still hold; empty for none.

    After pkg/controller/volume/attachdetach/reconciler (reportMultiAttachError).
    """
    home, node = meta(pod)["namespace"], pod["spec"].get("nodeName")
    for name in claims_of(pod):
        claim = cache.get("PersistentVolumeClaim", home, name)
        if claim is None or modes_of(claim) & {"ReadWriteMany", "ReadOnlyMany"}:
            continue
        users = [
            each for each in users_of(cache, home, name) if each["spec"].get("nodeName") not in (None, node)
        ]
        others = sorted(meta(each)["name"] for each in users if (each.get("status") or {}).get("startTime"))
        if others:
            head = f'Multi-Attach error for volume "{claim["spec"].get("volumeName")}"'
            return f"{head} Volume is already used by pod(s) {', '.join(others)}"
    return ""


class VolumeRules:
    """What a pod's claims say about the nodes it may go to."""

    def __init__(self, pod: Obj, cache: Cache) -> None:
        self._pod, self._cache = pod, cache
        self.problem = ""  # no node will do, and why (PreFilter)
        self.waiting: list[Obj] = []  # claims that are bound once a node is chosen
        self._volumes: list[Obj | None] = []
        for name in claims_of(pod):
            self._take(name)
        self._alone = self._alone_conflict()

    def _take(self, name: str) -> None:
        claim = self._cache.get("PersistentVolumeClaim", meta(self._pod)["namespace"], name)
        problem = _problem(name, claim)
        if problem or claim is None:
            self.problem = self.problem or problem
        elif is_bound(claim):
            self._volumes.append(
                self._cache.get("PersistentVolume", "", claim["spec"].get("volumeName") or "")
            )
        elif is_delayed(self._cache, claim) and not claim["spec"].get("volumeName"):
            self.waiting.append(claim)
        else:
            self.problem = self.problem or "pod has unbound immediate PersistentVolumeClaims"

    def _alone_conflict(self) -> bool:
        """A ReadWriteOncePod claim that another pod on a node already has (volumerestrictions)."""
        home = meta(self._pod)["namespace"]
        for name in claims_of(self._pod):
            claim = self._cache.get("PersistentVolumeClaim", home, name)
            if claim is None or "ReadWriteOncePod" not in modes_of(claim):
                continue
            others = users_of(self._cache, home, name)
            if any(
                each["spec"].get("nodeName") and meta(each)["uid"] != meta(self._pod)["uid"]
                for each in others
            ):
                return True
        return False

    def refuse(self, node: Obj) -> Refusal | None:
        """Volumes that cannot be used or made there."""
        if self._alone:
            words = (
                "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
            )
            return Refusal((words,), final=False)
        reasons = []
        if any(each is not None and not usable_on(each, node) for each in self._volumes):
            reasons.append("node(s) didn't match PersistentVolume's node affinity")
        if any(each is None for each in self._volumes):
            reasons.append("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)")
        if not all(self._obtainable(each, node) for each in self.waiting):
            reasons.append("node(s) didn't find available persistent volumes to bind")
        if reasons:
            return Refusal(tuple(reasons))
        return None if self._in_zone(node) else Refusal(("node(s) had no available volume zone",))

    def _obtainable(self, claim: Obj, node: Obj) -> bool:
        if best_volume(self._cache, claim, node) is not None:
            return True
        found = self._cache.get("StorageClass", "", class_of(claim)) or {}
        if found.get("provisioner") in (None, "", NO_PROVISIONER):
            return False
        allowed = found.get("allowedTopologies") or ()
        return not allowed or any(_topology_holds(each, node) for each in allowed)

    def _in_zone(self, node: Obj) -> bool:
        """The zone label of a volume (volumezone); a node without zone takes all."""
        zone = labels_of(node).get(ZONE)
        zones = [labels_of(each).get(ZONE) for each in self._volumes if each is not None]
        return zone is None or all(each is None or zone in each.split("__") for each in zones)


def _problem(name: str, claim: Obj | None) -> str:
    if claim is None:
        return f'persistentvolumeclaim "{name}" not found'
    if (claim.get("status") or {}).get("phase") == "Lost":
        volume = claim["spec"].get("volumeName") or ""
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
    return f'persistentvolumeclaim "{name}" is being deleted' if being_deleted(claim) else ""


def _topology_holds(term: Obj, node: Obj) -> bool:
    rules = term.get("matchLabelExpressions") or ()
    return all(labels_of(node).get(each["key"]) in (each.get("values") or ()) for each in rules)
