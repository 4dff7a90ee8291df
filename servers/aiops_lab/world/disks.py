"""The root disks of nodes: what fills them, how the kubelet fights for room, and what a clean-up gives back.

nodefs and imagefs are one filesystem, as on EKS's AMIs. After pkg/kubelet/eviction/eviction_manager.go (every
10 s: below 10 % free the condition, then unused images, then one pod) and
pkg/kubelet/images/image_gc_manager.go (every 5 min from 85 % down to 80 %). The condition stays for five
minutes after the last shortage (`eviction-pressure-transition-period`). Simplified: only pods that write to
the disk are thrown out.

Commands reach a node over SSM (`aiops_lab.aws.ssm`) or in a pod that mounts the root; both end in `finish`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.kubelet import CRITICAL, Kubelets
from aiops_lab.world.nodes import Nodes
from aiops_lab.world.objects import Key, Obj, condition, key_of, meta
from aiops_lab.world.steps import Steps

GIB = 2**30
SIZE_BYTES = 83_873_772 * 1024  # what the nodes report as their capacity
LOOK_S, GC_S, HELD_S = 10.0, 300.0, 300.0
LOW_PCT, GC_FROM_PCT, GC_TO_PCT = 10, 85, 80
RESOURCE = "ephemeral-storage"


@dataclass
class Disk:
    """One node's disk; all numbers in bytes."""

    size: int = SIZE_BYTES
    system: int = 30 * GIB  # the system, and images in use
    unused_images: int = 0
    tmp: int = 0
    gc_error: str = ""  # why the kubelet cannot delete images
    local: dict[Key, int] = field(default_factory=dict)  # by pod: writable layers and emptyDirs
    logs: dict[Key, int] = field(default_factory=dict)  # by pod: its log files
    low_at: datetime | None = None
    gc_failures: int = 0

    @property
    def free(self) -> int:
        """What is left."""
        used = self.system + self.unused_images + self.tmp
        return self.size - used - sum(self.local.values()) - sum(self.logs.values())

    @property
    def threshold(self) -> int:
        """nodefs.available<10%."""
        return self.size * LOW_PCT // 100

    def writes(self, pod: Key) -> int:
        """What a pod holds."""
        return self.local.get(pod, 0) + self.logs.get(pod, 0)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    stdout: str


# What a node knows how to do: by words that the script must hold.
_PRUNE, _TMP, _DU = ("crictl", "rmi --prune"), ("find ", "tmp", "-delete"), ("du -", "sort")


class Disks(Controller):
    """Watches the disks that a story filled; forgets what belonged to pods that are gone."""

    kind = "Pod"

    def __init__(self, cluster: Cluster, nodes: Nodes, kubelets: Kubelets) -> None:
        super().__init__(cluster)
        self.nodes, self.kubelets = nodes, kubelets
        self.known: dict[str, Disk] = {}
        self.used: dict[str, Steps[float]] = {}  # by node: bytes, for its exporter
        self.deaf: set[str] = set()  # nodes on which a command never ends
        self._working: set[str] = set()
        self._life = 0

    def reset(self) -> None:
        """All disks are roomy."""
        super().reset()
        self.known.clear()
        self.used = {}
        self.deaf.clear()
        self._working.clear()
        self._life += 1

    # stories

    def fill(self, node: str, **sizes: int) -> Disk:
        """From now on so much stands on the disk: `system`, `unused_images`, `tmp` in bytes."""
        disk = self.disk(node)
        for name, value in sizes.items():
            setattr(disk, name, value)
        self._look(node)
        return disk

    def write(self, namespace: str, app: str, *, local: int = 0, logs: int = 0) -> None:
        """Each pod of an app holds so much on its node from now on."""
        for pod in self.cluster.cache.selected("Pod", namespace, {"matchLabels": {"app": app}}):
            if node := pod["spec"].get("nodeName"):
                disk = self.disk(node)
                disk.local[key_of(pod)] = local
                disk.logs[key_of(pod)] = logs
                self._look(node)

    def disk(self, node: str) -> Disk:
        """The disk of a node; watched from the first question on."""
        if node not in self.known:
            self.known[node] = Disk()
            self._again(LOOK_S, lambda: self._tick(node))
            self._again(GC_S, lambda: self._collect(node))
        return self.known[node]

    def _again(self, seconds: float, act: Callable[[], None]) -> None:
        life = self._life
        self.cluster.clock.call_later(seconds, lambda: act() if life == self._life else None)

    # the kubelet

    def _tick(self, node: str) -> None:
        self._look(node)
        self._again(LOOK_S, lambda: self._tick(node))

    def _look(self, node: str) -> None:
        """One round of the eviction manager."""
        found, disk = self.cluster.cache.get("Node", "", node), self.known[node]
        if found is None:
            return
        now, low = self.cluster.clock.now(), disk.free < disk.threshold
        self.used.setdefault(node, Steps()).say(now.timestamp(), float(disk.size - disk.free))
        if low:
            disk.low_at = now
        held = disk.low_at is not None and (now - disk.low_at).total_seconds() < HELD_S
        state = condition(found, "DiskPressure")
        if (low or held) != (state is not None and state["status"] == "True"):
            self._report(node, pressed=low or held)
        if low:
            self._reclaim(found, disk)

    def _report(self, node: str, *, pressed: bool) -> None:
        if pressed:
            said = ("True", "KubeletHasDiskPressure", "kubelet has disk pressure")
        else:
            said = ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure")
        self.nodes.set_condition(node, "DiskPressure", *said)

    def _reclaim(self, node: Obj, disk: Disk) -> None:
        self._say(node, "EvictionThresholdMet", f"Attempting to reclaim {RESOURCE}")
        if disk.unused_images and not disk.gc_error:
            disk.unused_images = 0
            if disk.free >= disk.threshold:
                return
        name = meta(node)["name"]
        writers = [pod for pod in self.cluster.cache.on_node(name) if self._may_go(pod, disk)]
        if writers:
            self._evict(max(writers, key=lambda pod: disk.writes(key_of(pod))), disk)

    def _may_go(self, pod: Obj, disk: Disk) -> bool:
        run = self.kubelets.runs.get(key_of(pod))
        priority = int(pod["spec"].get("priority") or 0)
        alive = run is not None and not run.evicted and not run.terminating
        return alive and priority < CRITICAL and disk.writes(key_of(pod)) > 0

    def _evict(self, pod: Obj, disk: Disk) -> None:
        key = key_of(pod)
        used, name = disk.writes(key), pod["spec"]["containers"][0]["name"]
        words = (
            f"The node was low on resource: {RESOURCE}. Threshold quantity: {_quantity(disk.threshold)}, "
            f"available: {_quantity(disk.free)}. Container {name} was using {_quantity(used)}, request is 0, "
            f"has larger consumption of {RESOURCE}. "
        )
        host = pod["spec"]["nodeName"]
        self.cluster.say(Said(pod, "Evicted", words, "kubelet", warning=True, host=host))
        self.kubelets.runs[key].evict(words)
        self._forget(key)

    def _forget(self, pod: Key) -> None:
        for disk in self.known.values():
            disk.local.pop(pod, None)
            disk.logs.pop(pod, None)

    def _collect(self, node: str) -> None:
        """One round of image garbage collection."""
        self._again(GC_S, lambda: self._collect(node))
        found, disk = self.cluster.cache.get("Node", "", node), self.known[node]
        used_pct = 100 - disk.free * 100 // disk.size
        if found is None or used_pct < GC_FROM_PCT:
            disk.gc_failures = 0
            return
        wanted = disk.size * (100 - GC_TO_PCT) // 100 - disk.free
        if disk.gc_error:
            self._failed(
                found,
                disk,
                f"wanted to free {wanted} bytes, but freed 0 bytes space with errors in image deletion: "
                f"{disk.gc_error}",
            )
            return
        freed = min(wanted, disk.unused_images)
        disk.unused_images -= freed
        if freed < wanted:
            words = (
                f"Insufficient free disk space on the node's image filesystem ({used_pct}% of "
                f"{disk.size / GIB:.0f} GiB used). Failed to free sufficient space by deleting unused images "
                f"(freed {freed} bytes). Investigate disk usage, as it could be used by active images, logs, "
                "volumes, or other data."
            )
            self._say(found, "FreeDiskSpaceFailed", words)
            self._failed(found, disk, words)

    def _failed(self, node: Obj, disk: Disk, words: str) -> None:
        """ImageGCFailed is said from the second failure in a row on (kubelet.go)."""
        disk.gc_failures += 1
        if disk.gc_failures > 1:
            self._say(node, "ImageGCFailed", words)

    def _say(self, node: Obj, reason: str, words: str) -> None:
        host = meta(node)["name"]
        self.cluster.say(Said(node, reason, words, "kubelet", warning=True, host=host))

    # commands

    def instances(self) -> dict[str, tuple[str, str]]:
        """EC2 instance -> (its node, its address)."""
        return {
            str(node["spec"].get("providerID", "")).rpartition("/")[2]: (
                meta(node)["name"],
                self.kubelets.host_address(meta(node)["name"]),
            )
            for node in self.cluster.cache.all("Node")
        }

    def run(self, instance: str, script: str, ended: Callable[[int, str], None]) -> None:
        """Start a script on an instance, as SSM's agent does."""
        node = self.instances()[instance][0]
        seconds = self.takes_s(node, script)

        def end() -> None:
            ran = self.finish(node, script)
            ended(ran.code, ran.stdout)

        if seconds is not None:
            self._again(seconds, end)

    def takes_s(self, node: str, script: str) -> float | None:
        """How long a script runs on a node; None: for ever."""
        if node in self.deaf:
            return None
        if _holds(script, _PRUNE):
            return 12.0 + 2.0 * self.disk(node).unused_images / GIB
        return 4.0

    def finish(self, node: str, script: str) -> Ran:
        """What a script did and said. Nodes of the lab run declared commands only: they have no shell."""
        disk = self.disk(node)
        if _holds(script, _PRUNE):
            return self._freed(node, "unused_images")
        if _holds(script, _TMP):
            return self._freed(node, "tmp")
        if _holds(script, _DU):
            lines = [f"aiops.size_kib={disk.size // 1024}", f"aiops.free_kib={disk.free // 1024}"]
            lines += [f"aiops.top_kib={held // 1024} {path}" for held, path in self._largest(disk)[:5]]
            return Ran(0, "\n".join(lines) + "\n")
        return Ran(127, "sh: the lab's nodes run declared commands only\n")

    def _freed(self, node: str, what: str) -> Ran:
        disk = self.disk(node)
        before = disk.free
        setattr(disk, what, 0)
        after = disk.free
        self._look(node)
        return Ran(0, f"aiops.before_kib={before // 1024}\naiops.after_kib={after // 1024}\n")

    def _largest(self, disk: Disk) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for (space, name), held in disk.logs.items():
            pod = self.cluster.cache.get("Pod", space, name)
            uid = meta(pod)["uid"] if pod else "gone"
            found.append((held, f"/var/log/pods/{space}_{name}_{uid}"))
        for (space, name), held in disk.local.items():
            pod = self.cluster.cache.get("Pod", space, name)
            found.append((held, f"/var/lib/kubelet/pods/{meta(pod)['uid'] if pod else 'gone'}"))
        return sorted((each for each in found if each[0] > 0), reverse=True)

    def reconcile(self, key: Key) -> None:
        """A pod is gone, or one that works on its node has started."""
        pod = self.cluster.cache.get("Pod", *key)
        if pod is None:
            self._forget(key)
            return
        uid, run = meta(pod)["uid"], self.kubelets.runs.get(key)
        script = _host_script(pod)
        if run is None or uid in self._working or not script or not run.mains[0].running:
            return
        self._working.add(uid)
        node = pod["spec"]["nodeName"]
        seconds = self.takes_s(node, script)
        if seconds is not None:
            self._again(seconds, lambda: self._end(key, node, script))
        elif limit := pod["spec"].get("activeDeadlineSeconds"):
            self._again(float(limit), lambda: self._overdue(key))

    def _end(self, key: Key, node: str, script: str) -> None:
        run = self.kubelets.runs.get(key)
        if run is not None and run.mains[0].running:
            ran = self.finish(node, script)
            run.mains[0].end(ran.code, "Completed" if ran.code == 0 else "Error", ran.stdout)

    def _overdue(self, key: Key) -> None:
        """pkg/kubelet/active_deadline.go."""
        run = self.kubelets.runs.get(key)
        if run is not None and run.mains[0].running:
            run.evict("Pod was active on the node longer than the specified deadline", "DeadlineExceeded")


def _holds(script: str, words: tuple[str, ...]) -> bool:
    return all(word in script for word in words)


def _host_script(pod: Obj) -> str:
    """What a pod runs in its node's root; empty for ordinary pods."""
    roots = [
        each for each in pod["spec"].get("volumes") or () if (each.get("hostPath") or {}).get("path") == "/"
    ]
    main = pod["spec"]["containers"][0]
    told = " ".join([*(main.get("command") or ()), *(main.get("args") or ())])
    return told if roots and "chroot" in told else ""


def _quantity(number: int) -> str:
    """As resource.Quantity prints a BinarySI number: in Ki where it is whole, else plain."""
    return f"{number // 1024}Ki" if number % 1024 == 0 else str(number)
