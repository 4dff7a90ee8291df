"""The life of one pod on its node: volumes, sandbox, init containers in order, containers, and its end.

Kept by the kubelet, one per bound pod; writes the pod's status whenever something in it moved.
"""

import hashlib
from datetime import datetime
from typing import Protocol

from aiops_lab.scenarios.images import Image
from aiops_lab.world.cluster import Cluster
from aiops_lab.world.cni import NO_ADDRESS
from aiops_lab.world.container_run import ContainerRun
from aiops_lab.world.environment import MountError, check_volumes
from aiops_lab.world.events import Said
from aiops_lab.world.objects import Key, Obj, being_deleted, key_of, merge_conditions, meta, stamp

SANDBOX_S = 0.5
_NO_NETWORK = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
    '"{}": plugin type="aws-cni" name="aws-cni" failed (add): {}'
)
FIRST_MOUNT_RETRY_S, LONGEST_MOUNT_RETRY_S = 0.5, 122.0  # pkg/volume/util: exponential, 2m2s at most


class Node(Protocol):
    """What a pod needs of the kubelet that runs it."""

    cluster: Cluster

    def image(self, node: str, ref: str) -> Image | None:
        """The image, if the node holds it."""
        ...

    def keep_image(self, node: str, ref: str, image: Image) -> None:
        """The node holds it from now on."""
        ...

    def address(self, pod: Obj) -> str | None:
        """An address for a pod; None when there is none."""
        ...

    def free(self, node: str, key: Key) -> None:
        """The pod needs its address no more."""
        ...

    def host_address(self, node: str) -> str:
        """The node's own address."""
        ...

    def refusal(self, pod: Obj) -> tuple[str, str] | None:
        """Reason and words with which a volume of the pod is refused."""
        ...


class PodRun:
    """One pod's containers and status."""

    def __init__(self, node: Node, pod: Obj) -> None:
        self.node, self.cluster = node, node.cluster
        self._pod = pod
        self.key = key_of(pod)
        self.uid: str = meta(pod)["uid"]
        self.node_name: str = pod["spec"]["nodeName"]
        spec = pod["spec"]
        self.inits = [ContainerRun(self, each, init=True) for each in spec.get("initContainers") or ()]
        self.mains = [ContainerRun(self, each, init=False) for each in spec["containers"]]
        for main in self.mains if self.inits else ():
            main.state = {"waiting": {"reason": "PodInitializing"}}
        self.started_at = self.cluster.stamp()
        self.address: str | None = None
        self._mount_failures = self._sandboxes = 0
        self._dirty = self.terminating = self.gone = False
        self.node_down = False
        self.evicted: tuple[str, str] | None = None  # reason and words of the kubelet that threw it out
        self.cluster.clock.call_later(0, self.mount)
        self.changed()

    @property
    def pod(self) -> Obj:
        """The pod as it stands in the Store, or as it was last seen."""
        current = self.cluster.cache.get("Pod", *self.key)
        if current is not None and meta(current)["uid"] == self.uid:
            self._pod = current
        return self._pod

    @property
    def containers(self) -> list[ContainerRun]:
        """Init containers and containers."""
        return [*self.inits, *self.mains]

    # the home of its containers

    def say(self, reason: str, message: str, *, warning: bool = False, container: str = "") -> None:
        """An event of this pod's kubelet."""
        said = Said(self.pod, reason, message, "kubelet", warning, self.node_name, container)
        if not self.gone:
            self.cluster.say(said)

    def image(self, ref: str) -> Image | None:
        """The image, if this node holds it."""
        return self.node.image(self.node_name, ref)

    def keep_image(self, ref: str, image: Image) -> None:
        """This node holds the image from now on."""
        self.node.keep_image(self.node_name, ref, image)

    def ended(self, name: str) -> None:
        """A container ended: go on with the next init container, or with ending the pod."""
        if self.terminating:
            self._finish_if_stopped()
        elif any(init.name == name and init.done for init in self.inits):
            self.begin_next()

    # start

    def mount(self) -> None:
        """Set up the volumes, again until it works."""
        if self.gone or self.terminating or self.evicted:
            return
        if (refused := self._refused()) is not None:
            self.say(*refused, warning=True)
            delay = min(FIRST_MOUNT_RETRY_S * 2 ** min(self._mount_failures, 9), LONGEST_MOUNT_RETRY_S)
            self._mount_failures += 1
            self.cluster.clock.call_later(delay, self.mount)
            return
        self.cluster.clock.call_later(SANDBOX_S, self._sandbox_ready)

    def _refused(self) -> tuple[str, str] | None:
        """Reason and words of the first volume that cannot be mounted."""
        try:
            check_volumes(self.pod, self.cluster.cache.get)
        except MountError as failure:
            return "FailedMount", str(failure)
        return self.node.refusal(self.pod)

    def _sandbox_ready(self) -> None:
        if self.gone or self.terminating or self.evicted:
            return
        self.address = self.node.address(self.pod)
        if self.address is None:
            self._fail_sandbox()
        else:
            self.begin_next()

    def _fail_sandbox(self) -> None:
        """containerd's words for the CNI's; the pod worker tries again in 10 to 15 s (pod_workers.go)."""
        self._sandboxes += 1
        sandbox = hashlib.sha256(f"{self.uid}/{self._sandboxes}".encode()).hexdigest()
        self.say("FailedCreatePodSandBox", _NO_NETWORK.format(sandbox, NO_ADDRESS), warning=True)
        self.cluster.clock.call_later(10 + self._sandboxes * 7 % 6, self._sandbox_ready)

    def begin_next(self) -> None:
        """Start the first init container that is not done, or all containers."""
        self.changed()
        for init in self.inits:
            if not init.done:
                init.begin()
                return
            if init.state.get("terminated", {}).get("exitCode") != 0:
                return  # restartPolicy Never and a failed init container: the pod has failed
        for main in self.mains:
            main.begin()

    # end

    def terminate(self, grace_s: float) -> None:
        """The pod was asked to go."""
        if self.terminating:
            return
        self.terminating = True
        for container in self.containers:
            if container.running:
                field = "initContainers" if container.init else "containers"
                words = f"Stopping container {container.name}"
                self.say("Killing", words, container=f"spec.{field}{{{container.name}}}")
                container.stop(grace_s)
            else:
                container.cancel()
        self._finish_if_stopped()

    def evict(self, words: str, reason: str = "Evicted") -> None:
        """The kubelet throws the pod out: everything ends now and nothing starts again (evictPod)."""
        self.evicted = reason, words
        for container in self.containers:
            container.cancel()
            if container.running:
                container.end(137, "Error")
            container.cancel()
        self.changed()

    def _finish_if_stopped(self) -> None:
        if not any(container.running for container in self.containers):
            self.cluster.clock.call_later(0.1, self._finish)

    def _finish(self) -> None:
        if not self.gone and being_deleted(self.pod):
            self.cluster.remove(self.pod, grace_s=0)

    def drop(self) -> None:
        """The pod is no more."""
        self.gone = True
        for container in self.containers:
            container.cancel()

    # status

    def changed(self) -> None:
        """Something moved: write the status at the next moment."""
        if not self._dirty:
            self._dirty = True
            self.cluster.clock.call_later(0, self._flush)

    def _flush(self) -> None:
        self._dirty = False
        if self.gone:
            return
        status = self.status(self.cluster.clock.now())
        if status["phase"] in ("Succeeded", "Failed"):  # its sandbox is stopped; status keeps the address
            self.node.free(self.node_name, self.key)
        self.cluster.write_status(self.pod, status)

    def status(self, now: datetime) -> Obj:
        """The PodStatus."""
        old = self.pod.get("status") or {}
        status = {
            "phase": self.phase(),
            "conditions": [
                *(_thrown_out(self.evicted[1], now) if self.evicted else _foreign(old)),
                *merge_conditions(old.get("conditions") or (), self._conditions(), now),
            ],
            "hostIP": self.node.host_address(self.node_name),
            "hostIPs": [{"ip": self.node.host_address(self.node_name)}],
            "startTime": self.started_at,
            "qosClass": quality_of_service(self.pod["spec"]),
            "containerStatuses": [each.status() for each in self.mains],
        }
        if self.inits:
            status["initContainerStatuses"] = [each.status() for each in self.inits]
        if self.address:
            status |= {"podIP": self.address, "podIPs": [{"ip": self.address}]}
        if self.evicted:
            status |= {"reason": self.evicted[0], "message": self.evicted[1]}
        return status

    def phase(self) -> str:
        """The phase, by the kubelet's rules (`pkg/kubelet/kubelet_pods.go`, getPhase)."""
        if self.evicted:
            return "Failed"
        if any(init.done and init.state["terminated"]["exitCode"] != 0 for init in self.inits):
            return "Failed"
        if not all(init.done for init in self.inits):
            return "Pending"
        if any("waiting" in each.state and not each.last_state for each in self.mains):
            return "Pending"
        if any(each.running for each in self.mains) or not all(each.done for each in self.mains):
            return "Running"
        codes = [each.state["terminated"]["exitCode"] for each in self.mains]
        return "Succeeded" if not any(codes) else "Failed"

    def _conditions(self) -> list[Obj]:
        finished = self.phase() in ("Succeeded", "Failed")
        initialized = all(each.done for each in self.inits)
        waiting = [each.name for each in self.inits if not each.done]
        unready = [each.name for each in self.mains if not each.ready]
        reason = "PodCompleted" if finished else "ContainersNotReady"
        words = "" if finished else f"containers with unready status: [{' '.join(unready)}]"
        ready = not unready and not self.node_down
        return [
            _condition("PodReadyToStartContainers", self.address is not None and not finished),
            _condition(
                "Initialized",
                initialized,
                "ContainersNotInitialized",
                f"containers with incomplete status: [{' '.join(waiting)}]",
            ),
            _condition("Ready", ready, reason, words),
            _condition("ContainersReady", not unready, reason, words),
            _condition("PodScheduled", True),
        ]


def _thrown_out(words: str, now: datetime) -> list[Obj]:
    """What the eviction manager adds to the pod (eviction_manager.go)."""
    made = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
    return [{**made, "message": words, "lastProbeTime": None, "lastTransitionTime": stamp(now)}]


def _foreign(old: Obj) -> list[Obj]:
    """Conditions that others wrote: the kubelet leaves them alone (status manager, mergePodStatus)."""
    return [each for each in old.get("conditions") or () if each["type"] == "DisruptionTarget"]


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Obj:
    found: Obj = {"type": kind, "status": "True" if holds else "False", "lastProbeTime": None}
    if not holds and reason:
        found |= {"reason": reason} | ({"message": message} if message else {})
    return found


def quality_of_service(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort (`pkg/apis/core/v1/helper/qos`)."""
    seen, guaranteed = False, True
    for container in spec["containers"]:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        seen = seen or bool(limits or requests)
        for name in ("cpu", "memory"):
            guaranteed = guaranteed and name in limits and requests.get(name, limits[name]) == limits[name]
    if not seen:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
