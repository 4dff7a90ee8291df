"""Trials of nodes: not ready for three reasons, low on something, unhealthy by their agent, left behind.

Texts of the kubelet: `pkg/kubelet/kubelet.go`, `pkg/kubelet/runtime.go`, `pkg/kubelet/nodestatus`; of
the node controller: `pkg/controller/nodelifecycle`; of the EKS node monitoring agent: its documented reasons.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Stage, nothing
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.trials.base import Role, Trial, trial
from aiops_lab.scenarios.trials.pods_base import DAY_S, HOME, a_node, at_node, named_pods, put_app, recent_s
from aiops_lab.scenarios.trials.pods_starting import LOW, evict


@dataclass(frozen=True, slots=True)
class Said:
    """A condition as a node reports it, and what it says when it is well."""

    kind: str
    status: str
    reason: str
    message: str
    well: tuple[str, str, str]  # status, reason, message


_READY = ("True", "KubeletReady", "kubelet is posting ready status")
_SILENT = Said("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", _READY)


def _unready(message: str) -> Said:
    return Said("Ready", "False", "KubeletNotReady", message, _READY)


_NETWORK = (
    _unready(
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:Network plugin "
        "returns error: cni plugin not initialized"
    ),
    _unready(
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:Network plugin "
        "returns error: no network config found in /etc/cni/net.d"
    ),
)
_RUNTIME = (
    _unready("container runtime is down"),
    _unready("PLEG is not healthy: pleg was last seen active 4m12.31s ago; threshold is 3m0s"),
    _unready(
        "[container runtime is down, PLEG is not healthy: pleg was last seen active 6m2s ago; threshold is "
        "3m0s]"
    ),
)
_OTHER = (
    _unready("CSINode is not yet initialized"),
    _unready("error getting node: node not found, missing node capacity for resources: ephemeral-storage"),
)
_PRESSURES = {
    "MEMORY": Said(
        "MemoryPressure",
        "True",
        "KubeletHasInsufficientMemory",
        "kubelet has insufficient memory available",
        ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ),
    "DISK": Said(
        "DiskPressure",
        "True",
        "KubeletHasDiskPressure",
        "kubelet has disk pressure",
        ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ),
    "PID": Said(
        "PIDPressure",
        "True",
        "KubeletHasInsufficientPID",
        "kubelet has insufficient PID available",
        ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ),
}


def _set(stage: Stage, kind: str, status: str, reason: str, message: str) -> Callable[[Obj], None]:
    """This condition, from now on."""

    def change(obj: Obj) -> None:
        now = stage.stamp()
        made = {"type": kind, "status": status, "reason": reason, "message": message}
        made |= {"lastHeartbeatTime": now, "lastTransitionTime": now}
        kept = [each for each in obj["status"]["conditions"] if each["type"] != kind]
        obj["status"]["conditions"] = [*kept, made]

    return change


def _turns(stage: Stage, node: str, said: Said, from_s: float, until_s: float | None = None) -> None:
    """The node's condition turns bad, and good again where it does."""
    bad = _set(stage, said.kind, said.status, said.reason, said.message)
    stage.change_at(from_s, "Node", "", node, bad)
    if until_s is not None:
        stage.change_at(until_s, "Node", "", node, _set(stage, said.kind, *said.well))


def _bad(*ways: Said) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        _turns(stage, a_node(names), ways[names.seed % len(ways)], recent_s(rng))

    return build


def _was_bad(*ways: Said) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(46, 56) * 60
        _turns(stage, a_node(names), ways[names.seed % len(ways)], began_s, began_s - rng.uniform(60, 400))

    return build


def _of(code: str, ways: tuple[Said, ...], other: tuple[Said, ...], is_in_fact: str) -> tuple[Trial, ...]:
    return (
        trial(code, "positive", _bad(*ways), at_node(code), says="A node is so, a quarter of an hour long."),
        trial(
            code, "look_alike", _bad(*other), at_node(is_in_fact), says="Not ready too, for another reason."
        ),
        trial(code, "recovered", _was_bad(*ways), says="For some minutes, three quarters of an hour ago."),
    )


# pressure, and whom the kubelet threw out for it


def _memory_with_victims(stage: Stage, names: Names, rng: Random) -> None:
    """F-b4: the api asks for no memory, and the node has less than it uses."""
    began_s = recent_s(rng)
    pods = named_pods(stage, names, 3)
    here = {"nodeSelector": {"kubernetes.io/hostname": a_node(names)}}
    boundless: dict[str, Any] = {"resources": {"requests": {"cpu": "50m"}}}
    put_app(stage, names, DAY_S, serving(names.api, memory_mi=900), replicas=3, pod=here, **boundless)
    _turns(stage, a_node(names), _PRESSURES["MEMORY"], began_s)
    stage.change_at(began_s - 20, "Pod", HOME, pods[0], evict(stage, LOW[0]))
    stage.say_at(began_s - 20.1, "Pod", HOME, pods[0], "Evicted", LOW[0])


def _disk_with_victims(stage: Stage, names: Names, rng: Random) -> None:
    began_s = recent_s(rng)
    pods = named_pods(stage, names, 2)
    here = {"nodeSelector": {"kubernetes.io/hostname": a_node(names)}}
    put_app(stage, names, DAY_S, serving(names.api), replicas=2, pod=here)
    _turns(stage, a_node(names), _PRESSURES["DISK"], began_s)
    stage.change_at(began_s - 20, "Pod", HOME, pods[0], evict(stage, LOW[1]))


def _nearly_full(stage: Stage, names: Names, rng: Random) -> None:
    """Says so in an event, and the condition stays well."""
    for again in range(3):
        moment_s = recent_s(rng) - 100 * again
        words = (
            "Failed to garbage collect required amount of images. Attempted to free 812 bytes, but only "
            "found 0"
        )
        stage.say_at(moment_s, "Node", "", a_node(names), "FreeDiskSpaceFailed", words)


def _pressure_trials(word: str, role: Role, build: Build, expect: Expect = nothing, *, says: str) -> Trial:
    return trial(f"NODE_{word}_PRESSURE", role, build, expect, says=says)


_LOW_TRIALS = (
    *(
        _pressure_trials(word, "positive", _bad(said), at_node(f"NODE_{word}_PRESSURE"), says="Low, now.")
        for word, said in _PRESSURES.items()
    ),
    *(
        _pressure_trials(word, "recovered", _was_bad(said), says="Low for some minutes, an hour ago.")
        for word, said in _PRESSURES.items()
    ),
    _pressure_trials(
        "MEMORY", "look_alike", _bad(_PRESSURES["DISK"]), at_node("NODE_DISK_PRESSURE"), says="Low on disk."
    ),
    _pressure_trials("DISK", "look_alike", _nearly_full, says="Cannot free disk, and still has enough."),
    _pressure_trials(
        "PID",
        "look_alike",
        _bad(_PRESSURES["MEMORY"]),
        at_node("NODE_MEMORY_PRESSURE"),
        says="Low on memory.",
    ),
    trial(
        "NODE_MEMORY_PRESSURE",
        "positive",
        _memory_with_victims,
        at_node("NODE_MEMORY_PRESSURE", headline="no memory request"),
        says="Pods without memory requests fill the node, and one was evicted.",
        variant="no-requests",
    ),
    trial(
        "NODE_DISK_PRESSURE",
        "positive",
        _disk_with_victims,
        at_node("NODE_DISK_PRESSURE"),
        says="A pod was evicted for it.",
        variant="evicted",
    ),
)


# the node monitoring agent


_AGENT: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "NetworkingReady": (
        "NODE_NETWORKING_UNHEALTHY",
        (
            ("IPAMDNotReady", "IPAMD has failed to connect to API Server"),
            ("InterfaceNotUp", 'Interface "eth1" is not up'),
        ),
    ),
    "StorageReady": (
        "NODE_STORAGE_UNHEALTHY",
        (("EtcHostsMountFailed", "Mounting the kubelet generated /etc/hosts failed"), ("IODelays", "12.4s")),
    ),
    "KernelReady": ("NODE_KERNEL_UNHEALTHY", (("ForkFailedOutOfPIDs", "A fork call failed, out of PIDs"),)),
    "ContainerRuntimeReady": (
        "NODE_RUNTIME_UNHEALTHY",
        (("PodStuckTerminating", "A pod has been stuck terminating for an excessive amount of time"),),
    ),
    "AcceleratedHardwareReady": (
        "NODE_ACCELERATOR_UNHEALTHY",
        (
            ("NvidiaXID79Error", "GPU has fallen off the bus"),
            ("NvidiaDoubleBitError", "A double bit error was found"),
            ("NeuronDMAError", "A DMA engine encountered an unrecoverable error"),
        ),
    ),
}


def _agent_says(kind: str, *, status: str = "False") -> tuple[Said, ...]:
    system = kind.removesuffix("Ready")
    well = ("True", f"{system}IsReady", f"Monitoring for the {system} system is active")
    if status == "True":
        return (Said(kind, *well, well=well),)
    return tuple(Said(kind, status, reason, message, well) for reason, message in _AGENT[kind][1])


def _agent_trials() -> tuple[Trial, ...]:
    found: list[Trial] = []
    for kind, (code, _) in _AGENT.items():
        ways = _agent_says(kind)
        found += (
            trial(code, "positive", _bad(*ways), at_node(code), says="The node's agent says so."),
            trial(
                code, "look_alike", _bad(*_agent_says(kind, status="True")), says="The agent finds it well."
            ),
            trial(code, "recovered", _was_bad(*ways), says="It was so for some minutes."),
        )
    return tuple(found)


def _both(stage: Stage, names: Names, rng: Random) -> None:
    """The network is down: the kubelet says so, and the agent too."""
    began_s = recent_s(rng)
    _turns(stage, a_node(names), _NETWORK[0], began_s)
    _turns(stage, a_node(names), _agent_says("NetworkingReady")[0], began_s - 60)


# left behind


def _cordoned(*, for_s: tuple[float, float], ends: bool = False) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        def cordon(obj: Obj) -> None:
            obj["spec"]["unschedulable"] = True

        def uncordon(obj: Obj) -> None:
            obj["spec"].pop("unschedulable", None)

        stage.change_at(rng.uniform(*for_s), "Node", "", a_node(names), cordon)
        if ends:
            stage.change_at(rng.uniform(40, 50) * 60, "Node", "", a_node(names), uncordon)

    return build


def _runs(*versions: str, ends: bool = False) -> Build:
    """The node runs this kubelet; the others 1.35."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        seen: list[str] = []
        version = f"{versions[names.seed % len(versions)]}.{rng.randint(0, 9)}-eks-{rng.getrandbits(28):07x}"

        def age(obj: Obj) -> None:
            seen.append(obj["status"]["nodeInfo"]["kubeletVersion"])
            obj["status"]["nodeInfo"]["kubeletVersion"] = version

        def renew(obj: Obj) -> None:
            obj["status"]["nodeInfo"]["kubeletVersion"] = seen[0]

        stage.change_at(5 * DAY_S, "Node", "", a_node(names), age)
        if ends:
            stage.change_at(rng.uniform(40, 50) * 60, "Node", "", a_node(names), renew)

    return build


def _clock(*off_s: float, corrected: bool = False) -> Build:
    """The node stamps its heartbeats with a wrong time."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        wrong_s = off_s[names.seed % len(off_s)] * rng.uniform(1, 1.5)

        def stamp(obj: Obj) -> None:
            there = datetime.fromisoformat(stage.stamp().replace("Z", "+00:00")) + timedelta(seconds=wrong_s)
            for each in obj["status"]["conditions"]:
                each["lastHeartbeatTime"] = there.strftime("%Y-%m-%dT%H:%M:%SZ")

        if corrected:
            stage.change_at(2400.0, "Node", "", a_node(names), stamp)
        else:  # after the last regular heartbeat of the story, which is due at that moment too
            stage.at(0.0, lambda: stage.change_at(0.0, "Node", "", a_node(names), stamp))

    return build


TRIALS: tuple[Trial, ...] = (
    *_of("NODE_KUBELET_SILENT", (_SILENT,), _RUNTIME, "NODE_RUNTIME_DOWN"),
    *_of("NODE_NETWORK_NOT_READY", _NETWORK, _OTHER, "NODE_NOT_READY"),
    *_of("NODE_RUNTIME_DOWN", _RUNTIME, (_SILENT,), "NODE_KUBELET_SILENT"),
    *_of("NODE_NOT_READY", _OTHER, _NETWORK, "NODE_NETWORK_NOT_READY"),
    *_LOW_TRIALS,
    *_agent_trials(),
    trial(
        "NODE_NETWORK_NOT_READY",
        "positive",
        _both,
        at_node("NODE_NETWORK_NOT_READY"),
        says="The kubelet and the agent say the same.",
        variant="agent-too",
    ),
    trial(
        "NODE_CORDON_FORGOTTEN",
        "positive",
        _cordoned(for_s=(1.5 * DAY_S, 9 * DAY_S)),
        at_node("NODE_CORDON_FORGOTTEN"),
        says="Cordoned days ago.",
    ),
    trial("NODE_CORDON_FORGOTTEN", "look_alike", _cordoned(for_s=(1200, 40_000)), says="Cordoned today."),
    trial(
        "NODE_CORDON_FORGOTTEN",
        "recovered",
        _cordoned(for_s=(1.5 * DAY_S, 9 * DAY_S), ends=True),
        says="Uncordoned.",
    ),
    trial(
        "NODE_VERSION_SKEW",
        "positive",
        _runs("v1.31", "v1.30", "v1.29"),
        at_node("NODE_VERSION_SKEW"),
        says="Its kubelet is too old.",
    ),
    trial("NODE_VERSION_SKEW", "look_alike", _runs("v1.34", "v1.33", "v1.32"), says="Older, and supported."),
    trial("NODE_VERSION_SKEW", "recovered", _runs("v1.31", ends=True), says="It was renewed."),
    trial(
        "NODE_CLOCK_SKEW",
        "positive",
        _clock(300, -2400, 5400),
        at_node("NODE_CLOCK_SKEW"),
        says="Its clock is off by minutes or hours.",
    ),
    trial("NODE_CLOCK_SKEW", "look_alike", _clock(12, -240), says="Seconds off, or a heartbeat not yet due."),
    trial("NODE_CLOCK_SKEW", "recovered", _clock(300, corrected=True), says="It was set right."),
)
