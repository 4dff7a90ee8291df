"""PersistentVolumes: free, bound, or left behind when their claim went.

After pkg/controller/volume/persistentvolume (syncVolume, reclaimVolume).
"""

from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import Key, Obj, being_deleted, meta
from aiops_lab.world.storage import Drivers

BY = "persistentvolume-controller"
PROTECTION = "kubernetes.io/pv-protection"


class Volumes(Controller):
    """Keeps the phase of every volume, and removes those that nobody wants any more."""

    kind = "PersistentVolume"
    watches = ("PersistentVolumeClaim",)

    def __init__(self, cluster: Cluster, drivers: Drivers) -> None:
        super().__init__(cluster)
        self._drivers = drivers

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """The volume that a claim is bound to."""
        del change
        name = obj["spec"].get("volumeName")
        return [("", name)] if name else []

    def reconcile(self, key: Key) -> None:
        """Phase, protection, reclaim."""
        volume = self.cluster.cache.get(self.kind, *key)
        if volume is None:
            return
        ref = volume["spec"].get("claimRef")
        claim = (
            self.cluster.cache.get("PersistentVolumeClaim", ref["namespace"], ref["name"]) if ref else None
        )
        ours = claim is not None and (ref or {}).get("uid") in (None, "", meta(claim)["uid"])
        if being_deleted(volume):
            self._let_go(volume, held=ours)
        elif not ref or not ref.get("uid"):
            self.cluster.write_status(volume, {"phase": "Available"})
        elif ours:
            self.cluster.write_status(volume, {"phase": "Bound"})
        else:
            self._reclaim(volume)

    def _let_go(self, volume: Obj, *, held: bool) -> None:
        finalizers = meta(volume).get("finalizers") or []
        if PROTECTION in finalizers and not held:

            def free(fresh: Obj) -> None:
                meta(fresh)["finalizers"] = [each for each in finalizers if each != PROTECTION]

            self.cluster.edit(volume, free, BY)

    def _reclaim(self, volume: Obj) -> None:
        name = (volume["spec"].get("csi") or {}).get("driver", "")
        driver = self._drivers.get(name)
        if volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
            self.cluster.write_status(volume, {"phase": "Released"})
        elif driver.delete_error:
            self.cluster.say(Said(volume, "VolumeFailedDelete", driver.delete_error, name, warning=True))
            self.cluster.write_status(volume, {"phase": "Failed", "message": driver.delete_error})
            self.retry(("", meta(volume)["name"]))
        elif driver.running:
            self.cluster.remove(volume)
        else:
            self.cluster.write_status(volume, {"phase": "Released"})
