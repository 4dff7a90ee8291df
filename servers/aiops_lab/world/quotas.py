"""ResourceQuotas: what is used of each, counted anew whenever something in its namespace comes or goes.

After pkg/controller/resourcequota. Admission charges a create at once (`kube/admission/quota.py`); this
controller notes what is allowed (`status.hard`), and what deleted and finished things no longer use.
"""

from aiops_lab.kube.admission.amounts import NOTHING, Amount, added, amounts
from aiops_lab.kube.admission.usage import concerns, in_scope, usage_of
from aiops_lab.world.cluster import Controller
from aiops_lab.world.objects import Key, Obj, being_deleted, key_of, meta

RECOUNT_S = 0.5  # the real one follows deletes within a moment
_COUNTED = ("Pod", "Service", "PersistentVolumeClaim", "ConfigMap", "Secret", "Deployment", "Job", "CronJob")


class Quotas(Controller):
    """Keeps status.hard and status.used."""

    kind = "ResourceQuota"
    watches = _COUNTED

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """All quotas of the namespace where something changed."""
        del change
        return [key_of(each) for each in self.cluster.cache.all(self.kind, meta(obj).get("namespace") or "")]

    def hear(self, change: str, obj: Obj) -> None:
        """Recount a little later: many things come at once."""
        if obj["kind"] == self.kind:
            self.wake(key_of(obj))
        elif obj["kind"] in self.watches:
            for key in self.keys_for(change, obj):
                self.wake(key, after_s=RECOUNT_S)

    def reconcile(self, key: Key) -> None:
        """Count and write."""
        quota = self.cluster.cache.get(self.kind, *key)
        if quota is None or being_deleted(quota):
            return
        hard = amounts(quota["spec"].get("hard"))
        used: dict[str, Amount] = dict.fromkeys(hard, NOTHING)
        for resource in self.cluster.store.registry.all():
            names = [name for name in hard if concerns(resource, name)]
            for obj in self.cluster.cache.all(resource.kind, key[0]) if names else ():
                if in_scope(quota, resource, obj):
                    counted = usage_of(resource, obj)
                    used = added(used, {name: counted[name] for name in names if name in counted})
        self.cluster.write_status(quota, {"hard": _written(hard), "used": _written(used)})


def _written(listed: dict[str, Amount]) -> dict[str, str]:
    return {name: str(each) for name, each in listed.items()}
