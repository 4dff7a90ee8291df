"""The kubelets of all nodes: run what is bound to them, report it, and know its logs and usage.

The world's source of logs and usage stands on this controller: each run of a container knows, as functions
of time, what it wrote and what it used.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from aiops_lab.scenarios.images import Image, PullError
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.cni import Cni
from aiops_lab.world.container_run import ContainerRun, Record
from aiops_lab.world.events import Said
from aiops_lab.world.objects import Key, Obj, being_deleted, condition, key_of, meta
from aiops_lab.world.pod_run import PodRun
from aiops_lab.world.volumes import attached_elsewhere, claims_of

MOST_LINES = 5000  # containerd rotates; nobody reads further back than this
CRITICAL = 2_000_000_000  # pkg/kubelet/types IsCriticalPod
NODE_CPU_M, NODE_MEMORY_BYTES = 140, 1_150 * 2**20  # kubelet, containerd and the system itself


class Kubelets(Controller):
    """Starts, stops and forgets pod runs as the pods of the Store come and go."""

    kind = "Pod"
    watches = ("Node",)

    def __init__(self, cluster: Cluster, cni: Cni) -> None:
        super().__init__(cluster)
        self._cni = cni
        self.runs: dict[Key, PodRun] = {}
        self._images: defaultdict[str, dict[str, Image]] = defaultdict(dict)
        self.refused: dict[Key, tuple[str, str]] = {}  # by claim: the event's reason and words

    def reset(self) -> None:
        """All nodes empty."""
        super().reset()
        for run in self.runs.values():
            run.drop()
        self.runs.clear()
        self._images.clear()
        self.refused.clear()

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """A node that went down or came back concerns its pods."""
        name = meta(obj)["name"]
        there = {key: run for key, run in self.runs.items() if run.node_name == name}
        return [key for key, run in there.items() if change == "DELETED" or run.node_down != _is_down(obj)]

    def reconcile(self, key: Key) -> None:
        """Bring the run of one pod to what its object says."""
        pod, run = self.cluster.cache.get("Pod", *key), self.runs.get(key)
        if run is not None and (pod is None or meta(pod)["uid"] != run.uid):
            self._drop(run)
            run = None
        if pod is None:
            return
        if run is None:
            self._meet(pod)
        else:
            self._follow(pod, run)

    def _meet(self, pod: Obj) -> None:
        node = pod["spec"].get("nodeName")
        if being_deleted(pod) and not node:
            self.cluster.remove(pod, grace_s=0)
        elif node and (found := self.cluster.cache.get("Node", "", node)) is not None:
            if self._turned_away(pod, found):
                return
            self.runs[key_of(pod)] = PodRun(self, pod)
            if being_deleted(pod):
                self._follow(pod, self.runs[key_of(pod)])

    def _turned_away(self, pod: Obj, node: Obj) -> bool:
        """A node short of disk takes critical pods only (pkg/kubelet/eviction, Admit)."""
        if (pod.get("status") or {}).get("reason") == "Evicted":
            return True
        short = condition(node, "DiskPressure")
        if short is None or short["status"] != "True" or (pod["spec"].get("priority") or 0) >= CRITICAL:
            return False
        told = {"phase": "Failed", "reason": "Evicted", "message": "The node had condition: [DiskPressure]. "}
        self.cluster.say(
            Said(pod, "Evicted", told["message"], "kubelet", warning=True, host=meta(node)["name"])
        )
        self.cluster.write_status(
            pod, {**(pod.get("status") or {}), **told, "startTime": self.cluster.stamp()}
        )
        return True

    def _follow(self, pod: Obj, run: PodRun) -> None:
        node = self.cluster.cache.get("Node", "", run.node_name)
        down = node is None or _is_down(node)
        if down != run.node_down:
            run.node_down = down
            run.changed()
        if node is None:
            self.cluster.remove(pod, grace_s=0)  # the garbage collector of pods whose node is gone
        elif being_deleted(pod) and not _is_lost(node):
            run.terminate(float(meta(pod).get("deletionGracePeriodSeconds", 30)))

    def _drop(self, run: PodRun) -> None:
        run.drop()
        del self.runs[run.key]
        self.free(run.node_name, run.key)

    # what pods ask of their node

    def refusal(self, pod: Obj) -> tuple[str, str] | None:
        """Reason and words of the first of the pod's volumes that its driver refuses."""
        space, cache = meta(pod)["namespace"], self.cluster.cache
        for name in claims_of(pod):
            if (refused := self.refused.get((space, name))) is not None:
                claim = cache.get("PersistentVolumeClaim", space, name) or {"spec": {}}
                return refused[0], refused[1].replace("{volume}", claim["spec"].get("volumeName") or name)
        words = attached_elsewhere(cache, pod)
        return ("FailedAttachVolume", words) if words else None

    def image(self, node: str, ref: str) -> Image | None:
        """The image a node holds; one that was published anew counts as pulled again."""
        held = self._images[node].get(ref)
        if held is None:
            return None
        try:
            return self.cluster.registry.pull(ref)
        except PullError:
            return held

    def keep_image(self, node: str, ref: str, image: Image) -> None:
        """The node holds the image from now on."""
        self._images[node][ref] = image

    def host_address(self, node: str) -> str:
        """The node's internal address."""
        found = self.cluster.cache.get("Node", "", node) or {}
        for address in (found.get("status") or {}).get("addresses") or ():
            if address["type"] == "InternalIP":
                return str(address["address"])
        return ""

    def address(self, pod: Obj) -> str | None:
        """An address for a pod, None when the CNI has none; the node's own for host network."""
        if pod["spec"].get("hostNetwork"):
            return self.host_address(pod["spec"]["nodeName"])
        return self._cni.ask(pod)

    def free(self, node: str, key: Key) -> None:
        """The pod's sandbox is gone, and with it its claim to an address."""
        self._cni.release(node, key)

    # logs and usage

    def lines(
        self, namespace: str, pod: str, container: str, *, previous: bool
    ) -> list[tuple[datetime, str]] | None:
        """What a container wrote, oldest first; None when there is no such run."""
        record = self._record(namespace, pod, container, previous=previous)
        if record is None:
            return None
        said = self._cni.lines(self.runs[namespace, pod].pod) if namespace == "kube-system" else []
        end = record.ended_at or self.cluster.clock.now()
        own = [each for each in said if record.started_at <= each[0] <= end]
        found = written(record, self.cluster.clock.now())
        return sorted([*found, *own], key=lambda each: each[0]) if own else found

    def _record(self, namespace: str, pod: str, container: str, *, previous: bool) -> Record | None:
        run = self.runs.get((namespace, pod))
        found = next((each for each in run.containers if each.name == container), None) if run else None
        if found is None:
            return None
        waits_after_end = not found.running and bool(found.last_state)
        return found.previous if previous and not waits_after_end else found.current

    def pod(self, namespace: str, name: str) -> dict[str, tuple[int, int]] | None:
        """Per running container (cpu millicores, memory bytes) now; None when none runs."""
        run = self.runs.get((namespace, name))
        if run is None:
            return None
        now = self.cluster.clock.now()
        return {each.name: usage(each, now) for each in run.mains if each.running} or None

    def node(self, name: str) -> tuple[int, int] | None:
        """What a node uses now: (cpu in millicores, memory in bytes)."""
        if self.cluster.cache.get("Node", "", name) is None:
            return None
        now, cpu, memory = self.cluster.clock.now(), NODE_CPU_M, NODE_MEMORY_BYTES
        for run in self.runs.values():
            for each in run.mains if run.node_name == name else ():
                if each.running:
                    used = usage(each, now)
                    cpu, memory = cpu + used[0], memory + used[1]
        return cpu, memory


def _is_down(node: Obj) -> bool:
    ready = condition(node, "Ready")
    return ready is not None and ready["status"] != "True"


def _is_lost(node: Obj) -> bool:
    """A kubelet that says NotReady still stops its pods; one that says nothing does not."""
    ready = condition(node, "Ready")
    return ready is not None and ready["status"] == "Unknown"


def usage(container: ContainerRun, now: datetime) -> tuple[int, int]:
    """(cpu in millicores, working set in bytes) of a running container; the set never exceeds the limit."""
    record = container.current
    if record is None:
        return 0, 0
    t = (now - record.started_at).total_seconds()
    wobble = 1 + 0.01 * ((int(t // 15) * 7919) % 5 - 2)  # metrics-server sees a new value every 15 s
    memory = record.behaviour.memory.at(t) * wobble
    if (limit := container.memory_limit_bytes) is not None:
        memory = min(memory, float(limit))
    return round(record.behaviour.cpu_m.at(t) * wobble), round(memory)


def written(record: Record, now: datetime) -> list[tuple[datetime, str]]:
    """The lines of one run up to its end or to now."""
    end = record.ended_at or now
    lasted = (end - record.started_at).total_seconds()
    said = [(t, line) for t, line in record.behaviour.lines if t <= lasted]
    if (chatter := record.behaviour.chatter) is not None:
        first = (record.behaviour.lines[-1][0] if record.behaviour.lines else 0.0) + chatter.every_s
        count = int((lasted - first) // chatter.every_s) + 1 if lasted >= first else 0
        said += [
            (first + place * chatter.every_s, chatter.lines[place % len(chatter.lines)])
            for place in range(max(0, count - MOST_LINES), count)
        ]
    return [
        (record.started_at + timedelta(seconds=t), line) for t, line in sorted(said, key=lambda each: each[0])
    ]
