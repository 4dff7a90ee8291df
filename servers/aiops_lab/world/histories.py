"""ControllerRevisions: the templates that StatefulSets and DaemonSets have had.

After `pkg/controller/history/controller_history.go` and `stateful_set_utils.go` (`newRevision`): a revision a
template, numbered upwards; a template taken again gets the next number; `data` is a patch that replaces
`spec.template`. Of old ones `revisionHistoryLimit` are kept.
"""

from aiops_lab.kube.wire import clone
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.objects import Key, Obj, being_deleted, meta, owner_reference
from aiops_lab.world.statefulsets import REVISION, template_digest

KEPT = 10
BY = "kube-controller-manager"


class Histories(Controller):
    """Keeps the revisions of one kind of workload."""

    def __init__(self, cluster: Cluster, kind: str) -> None:
        super().__init__(cluster)
        self.kind = kind

    def reconcile(self, key: Key) -> None:
        """The newest revision is that of the present template."""
        found = self.cluster.cache.get(self.kind, *key)
        if found is None or being_deleted(found):
            return
        known = sorted(self.cluster.cache.owned(found, "ControllerRevision"), key=_number)
        name = f"{meta(found)['name']}-{template_digest(found)}"
        if known and meta(known[-1])["name"] == name:
            return
        number = _number(known[-1]) + 1 if known else 1
        again = next((one for one in known if meta(one)["name"] == name), None)
        if again is not None:
            self.cluster.edit(again, lambda obj: obj.update(revision=number), BY)
        else:
            self.cluster.store.create(_revision(found, name, number), manager=BY)
        for old in known[: -int(found["spec"].get("revisionHistoryLimit") or KEPT) or None]:
            if old is not again:
                self.cluster.remove(old)


def _number(revision: Obj) -> int:
    return int(revision.get("revision") or 0)


def _revision(found: Obj, name: str, number: int) -> Obj:
    template = clone(found["spec"]["template"])
    labels = {**(meta(template).get("labels") or {}), REVISION: template_digest(found)}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": meta(found)["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(found)],
        },
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": number,
    }
