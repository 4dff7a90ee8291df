"""Namespaces: what each has from its first moment, and what keeps a deleted one from going.

The account and the CA bundle are those of the serviceaccounts and root-ca-cert-publisher controllers; the
conditions of a terminating namespace are those of pkg/controller/namespace/deletion.
"""

from collections import Counter

from aiops_lab.world.cluster import Controller
from aiops_lab.world.objects import Key, Obj, being_deleted, condition, merge_conditions, meta

# Not a certificate of anything: the simulator's own CA is in the kubeconfig, this one only has to be there.
CA = "-----BEGIN CERTIFICATE-----\nbGFiIGNlcnRpZmljYXRlIG9mIG5vdGhpbmc=\n-----END CERTIFICATE-----\n"
LOOK_AGAIN_S = 5.0
_DISCOVERY, _CONTENT = "NamespaceDeletionDiscoveryFailure", "NamespaceContentRemaining"
_FINALIZERS = "NamespaceFinalizersRemaining"
_FINE = {
    _DISCOVERY: ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    _CONTENT: ("ContentRemoved", "All content successfully removed"),
    _FINALIZERS: ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


class Namespaces(Controller):
    """Gives a namespace what the real controllers give it, and says what a deleted one waits for."""

    kind = "Namespace"
    watches = ("ServiceAccount", "ConfigMap")

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """Somebody deleted what every namespace has."""
        ours = meta(obj)["name"] in ("default", "kube-root-ca.crt")
        return [("", meta(obj)["namespace"])] if change == "DELETED" and ours else []

    def reconcile(self, key: Key) -> None:
        """Create what is missing, or say what remains."""
        found = self.cluster.cache.get("Namespace", *key)
        if found is None:
            return
        if being_deleted(found):
            self._say_what_remains(found)
        else:
            self._complete(key[1])

    def _complete(self, name: str) -> None:
        head = {"namespace": name}
        if self.cluster.cache.get("ServiceAccount", name, "default") is None:
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {**head, "name": "default"},
            }
            self.cluster.store.create(account, manager="kube-controller-manager")
        if self.cluster.cache.get("ConfigMap", name, "kube-root-ca.crt") is None:
            note = "Contains a CA bundle that can be used to verify the kube-apiserver"
            bundle = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    **head,
                    "name": "kube-root-ca.crt",
                    "annotations": {"kubernetes.io/description": note},
                },
                "data": {"ca.crt": CA},
            }
            self.cluster.store.create(bundle, manager="kube-controller-manager")

    def _say_what_remains(self, found: Obj) -> None:
        name, made = meta(found)["name"], {kind: _condition(kind) for kind in _FINE}
        left = self._left(name)
        if left:
            counts = Counter(plural for plural, _ in left)
            said = ", ".join(
                sorted(f"{kind} has {count} resource instances" for kind, count in counts.items())
            )
            made[_CONTENT] |= _trouble("SomeResourcesRemain", f"Some resources are remaining: {said}")
        holders = Counter(each for _, obj in left for each in meta(obj).get("finalizers") or ())
        if holders:
            said = ", ".join(
                sorted(f"{each} in {count} resource instances" for each, count in holders.items())
            )
            words = f"Some content in the namespace has finalizers remaining: {said}"
            made[_FINALIZERS] |= _trouble("SomeFinalizersRemain", words)
        if words := self._undiscovered():
            made[_DISCOVERY] |= _trouble("DiscoveryFailed", words)
        old = (found.get("status") or {}).get("conditions") or ()
        conditions = merge_conditions(old, made.values(), self.cluster.clock.now())
        self.cluster.write_status(found, {"phase": "Terminating", "conditions": conditions})
        self.wake(("", name), after_s=LOOK_AGAIN_S)

    def _left(self, namespace: str) -> list[tuple[str, Obj]]:
        """Everything still in it, as `plural.group` and object; events are deleted without a word."""
        return [
            (f"{resource.plural}.{resource.group}", obj)
            for resource in self.cluster.store.registry.all()
            if resource.namespaced and resource.kind != "Event"
            for obj in self.cluster.cache.all(resource.kind, namespace)
            if obj["apiVersion"] == resource.api_version
        ]

    def _undiscovered(self) -> str:
        """Aggregated APIs that do not answer (client-go, ErrGroupDiscoveryFailed)."""
        failing = sorted(
            f"{each['spec'].get('group')}/{each['spec'].get('version')}"
            for each in self.cluster.cache.all("APIService")
            if (available := condition(each, "Available")) is not None and available["status"] == "False"
        )
        if not failing:
            return ""
        said = ", ".join(f"{each}: stale GroupVersion discovery: {each}" for each in failing)
        head = f"Discovery failed for some groups, {len(failing)} failing"
        return f"{head}: unable to retrieve the complete list of server APIs: {said}"


def _condition(kind: str) -> Obj:
    reason, words = _FINE[kind]
    return {"type": kind, "status": "False", "reason": reason, "message": words}


def _trouble(reason: str, words: str) -> Obj:
    return {"status": "True", "reason": reason, "message": words}
