"""How a fault leaves a pod: the statuses and events that kubelet, scheduler and eviction manager would write.

Called by `planted.py`, on a healthy pod of the crowd.
"""

from collections.abc import Callable
from typing import Any

from bench.crowd import Maker, Obj

Damage = Callable[[Maker, Obj], list[Obj]]  # damages the pod; gives the events about it


def _first(pod: Obj) -> Obj:
    found: Obj = pod["status"]["containerStatuses"][0]
    return found


def _unready(pod: Obj, phase: str = "Running") -> None:
    pod["status"]["phase"] = phase
    for condition in pod["status"]["conditions"]:
        if condition["type"] in {"Ready", "ContainersReady"}:
            condition |= {
                "status": "False",
                "reason": "ContainersNotReady",
                "message": "containers with unready status: [app]",
            }


def _ended(maker: Maker, code: int, reason: str, message: str = "", ago_s: float = 150) -> Obj:
    end = {
        "exitCode": code,
        "reason": reason,
        "startedAt": maker.stamp(seconds=ago_s + 9),
        "finishedAt": maker.stamp(seconds=ago_s),
        "containerID": "containerd://" + "0" * 64,
    }
    return {"terminated": {**end, "message": message} if message else end}


def crashing(code: int, reason: str, message: str = "", event: tuple[str, str] | None = None) -> Damage:
    """A crash loop: how the last run ended, and an event beside the back-off."""

    def damage(maker: Maker, pod: Obj) -> list[Obj]:
        _unready(pod)
        about = pod["metadata"]
        says = (
            "back-off 5m0s restarting failed container=app "
            f"pod={about['name']}_{about['namespace']}({about['uid']})"
        )
        _first(pod).update(
            ready=False,
            started=False,
            restartCount=maker.rng.randint(5, 90),
            state={"waiting": {"reason": "CrashLoopBackOff", "message": says}},
            lastState=_ended(maker, code, reason, message),
        )
        back_off = f"Back-off restarting failed container app in pod {about['name']}_{about['namespace']}"
        more = [maker.event(pod, *event)] if event else []
        return [maker.event(pod, "BackOff", f"{back_off}({about['uid']})"), *more]

    return damage


def killed_and_running(maker: Maker, pod: Obj) -> list[Obj]:
    """Runs again, two minutes after the sixth out-of-memory kill."""
    _first(pod).update(
        restartCount=6,
        state={"running": {"startedAt": maker.stamp(seconds=140)}},
        lastState=_ended(maker, 137, "OOMKilled"),
    )
    return []


def waiting(reason: str, message: str, event: tuple[str, str] | None = None) -> Damage:
    """Waits for a reason, with the kubelet's message."""

    def damage(maker: Maker, pod: Obj) -> list[Obj]:
        _unready(pod, "Pending")
        image = pod["spec"]["containers"][0]["image"]
        said = message.format(image=image, namespace=pod["metadata"]["namespace"])
        waiting = {"reason": reason, "message": said} if said else {"reason": reason}
        _first(pod).update(ready=False, started=False, state={"waiting": waiting}, imageID="", containerID="")
        told = event or ("Failed", f"Error: {said}")
        return [maker.event(pod, told[0], told[1].format(image=image))]

    return damage


def pull(error: str) -> Damage:
    """Image pull back-off with the registry's answer (kubelet since 1.31)."""
    says = 'Back-off pulling image "{image}": ErrImagePull: ' + error
    return waiting("ImagePullBackOff", says, ("Failed", 'Failed to pull image "{image}": ' + error))


def unschedulable(message: str) -> Damage:
    """Pending, with the scheduler's message."""

    def damage(maker: Maker, pod: Obj) -> list[Obj]:
        pod["spec"].pop("nodeName")
        pod["status"] = {
            "phase": "Pending",
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "lastProbeTime": None,
                    "lastTransitionTime": maker.stamp(hours=1),
                    "reason": "Unschedulable",
                    "message": message,
                }
            ],
            "qosClass": "Burstable",
        }
        return [maker.event(pod, "FailedScheduling", message)]

    return damage


def probe_failing(maker: Maker, pod: Obj) -> list[Obj]:
    """Runs and is not ready."""
    _unready(pod)
    _first(pod)["ready"] = False
    return [maker.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")]


def evicted(maker: Maker, pod: Obj) -> list[Obj]:
    """Evicted by the kubelet for disk space."""
    message = (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 8Gi, available: 6120Mi. "
        "Container app was using 3Gi, request is 0, has larger consumption of ephemeral-storage. "
    )
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastTransitionTime": maker.stamp(minutes=20),
        "reason": "TerminationByKubelet",
        "message": message,
    }
    pod["metadata"]["creationTimestamp"] = maker.stamp(minutes=50)
    pod["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": message,
        "conditions": [condition],
        "startTime": maker.stamp(minutes=50),
        "qosClass": "Burstable",
        "containerStatuses": [
            {**_first(pod), "ready": False, "started": False, "state": _ended(maker, 137, "Error")}
        ],
    }
    return [maker.event(pod, "Evicted", message, 1)]


def held(maker: Maker, pod: Obj) -> list[Obj]:
    """Deleted three hours ago and held by a finalizer."""
    pod["metadata"] |= {
        "deletionTimestamp": maker.stamp(hours=3),
        "deletionGracePeriodSeconds": 30,
        "finalizers": ["backup.example.com/snapshot"],
    }
    _unready(pod)
    _first(pod).update(ready=False, started=False, state=_ended(maker, 0, "Completed", ago_s=10_000))
    return []


def node_lost(maker: Maker, pod: Obj) -> list[Obj]:
    """Deleted by the taint manager; its node never confirmed."""
    pod["metadata"] |= {"deletionTimestamp": maker.stamp(minutes=40), "deletionGracePeriodSeconds": 30}
    _unready(pod)
    pod["status"]["conditions"].append(
        {
            "type": "DisruptionTarget",
            "status": "True",
            "lastTransitionTime": maker.stamp(minutes=41),
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
        }
    )
    return [maker.event(pod, "NodeNotReady", "Node is not ready", 1)]


def init_failing(state: Obj, message: str) -> Damage:
    """An init container crashes; the message is what its last run left behind."""

    def damage(maker: Maker, pod: Obj) -> list[Obj]:
        _unready(pod, "Pending")
        for condition in pod["status"]["conditions"]:
            if condition["type"] == "Initialized":
                condition |= {"status": "False", "reason": "ContainersNotInitialized"}
        pod["spec"]["initContainers"] = [{**pod["spec"]["containers"][0], "name": "migrate"}]
        _first(pod).update(ready=False, started=False, state={"waiting": {"reason": "PodInitializing"}})
        pod["status"]["initContainerStatuses"] = [
            {
                **_first(pod),
                "name": "migrate",
                "restartCount": 11,
                "state": state,
                "lastState": _ended(maker, 1, "Error", message),
            }
        ]
        return [maker.event(pod, "BackOff", "Back-off restarting failed container migrate in pod")]

    return damage


def failed_mount(message: str) -> Damage:
    """Containers wait for a volume; only an event says which."""

    def damage(maker: Maker, pod: Obj) -> list[Obj]:
        _unready(pod, "Pending")
        pod["metadata"]["creationTimestamp"] = maker.stamp(minutes=30)
        waiting: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        _first(pod).update(ready=False, started=False, state=waiting, imageID="", containerID="")
        return [maker.event(pod, "FailedMount", message)]

    return damage
