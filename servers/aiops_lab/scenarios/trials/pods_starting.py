"""Trials of pods that have a node and do not get on or away: sandbox, runtime, init, eviction, end.

Init containers and the sidecars of Jobs have their own module and are told here with the rest.
Texts: `pkg/kubelet/kuberuntime` and `pkg/kubelet/eviction/helpers.go` of Kubernetes 1.33, runc, containerd
and amazon-vpc-cni-k8s as they stand in events.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expected, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.trials import pods_companions
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import (
    DAY_S,
    HOME,
    a_node,
    at_node,
    held,
    named_pods,
    put_app,
    recent_s,
    said_and_recovered,
    waits,
    wrong,
)

CREATING = waits("ContainerCreating")
_SANDBOX = "Failed to create pod sandbox: rpc error: code = Unknown desc = "
_SETUP = (
    _SANDBOX
    + 'failed to setup network for sandbox "{id}": plugin type="aws-cni" name="aws-cni" failed (add): '
)
NO_ADDRESS = _SETUP + "add cmd: failed to assign an IP address to container"
_OTHER = (
    _SETUP + "add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = "
    "connection error",
    _SANDBOX + 'failed to get sandbox runtime: no runtime for "gvisor" is configured',
    _SANDBOX + 'failed to reserve sandbox name "{id}": name is reserved',
)


def _sandbox_id(rng: Random) -> str:
    return f"{rng.getrandbits(256):064x}"


def _no_sandbox(*lines: str, pod: Callable[[Names], Obj] | None = None, count: int = 3) -> Build:
    """No sandbox can be made; the kubelet says so again and again."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = recent_s(rng)
        more = pod(names) if pod else {}
        pods = held(stage, names, began_s, CREATING, sandboxed=False, count=count, pod=more)
        line = lines[names.seed % len(lines)]
        for place, name in enumerate(pods):
            for again in range(5):
                words = line.format(id=_sandbox_id(rng))
                moment_s = began_s - 25 - 170 * again - place
                stage.say_at(moment_s, "Pod", HOME, name, "FailedCreatePodSandBox", words)

    return build


def _silent(before_min: tuple[float, float]) -> Build:
    """Being created, and nobody says a word."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        held(stage, names, rng.uniform(*before_min) * 60, CREATING, sandboxed=False, count=2)

    return build


def _on_one_node(names: Names) -> Obj:
    return {"nodeSelector": {"kubernetes.io/hostname": a_node(names)}}


# the runtime refuses


def _refused(reason: str, *lines: str) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        words = lines[names.seed % len(lines)].format(name=names.api, id=_sandbox_id(rng))
        began_s = recent_s(rng)
        for pod in held(stage, names, began_s, waits(reason, words), count=2):
            for again in range(4):
                stage.say_at(began_s - 30 - 170 * again, "Pod", HOME, pod, "Failed", f"Error: {words}")

    return build


_CREATE = (
    "context deadline exceeded",
    'failed to reserve container name "app_{name}_production_0": name "app_{name}_production_0" is reserved',
    (
        'failed to generate container "{id}" spec: failed to generate spec: path "/data" is mounted but it '
        "is not a shared mount"
    ),
)
_RUN = (
    (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "
        "create "
        "failed: "
        'unable to start container process: error during container init: error mounting "/etc" to rootfs: '
        "not a directory: unknown"
    ),
    "failed to create containerd task: failed to create shim task: context deadline exceeded: unknown",
)
_NO_COMMAND = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
    "failed: "
    'unable to start container process: exec: "/app/{name}": no such file or directory: unknown'
)
_ROOT = (
    'container has runAsNonRoot and image will run as root (pod: "{name}_production({id})", container: app)',
    (
        "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root "
        "(pod: "
        '"{name}_production({id})", container: app)'
    ),
)


# eviction


@dataclass(frozen=True, slots=True)
class _Evictions:
    """Some of the api's pods were evicted; the ReplicaSet made new ones."""

    words: tuple[str, ...]
    before_s: tuple[float, float]
    count: int = 1

    def __call__(self, stage: Stage, names: Names, rng: Random) -> None:
        pods = named_pods(stage, names, 3)
        put_app(stage, names, rng.uniform(2, 6) * DAY_S, serving(names.api), replicas=3)
        words = self.words[names.seed % len(self.words)]
        moment_s = rng.uniform(*self.before_s)
        for place, pod in enumerate(pods[: self.count]):
            stage.change_at(moment_s - place * 200, "Pod", HOME, pod, evict(stage, words))
            stage.say_at(moment_s - place * 200 - 0.1, "Pod", HOME, pod, "Evicted", words)


def evict(stage: Stage, words: str) -> Callable[[Obj], None]:
    """What the kubelet's eviction manager makes of a pod."""

    def change(obj: Obj) -> None:
        status, now = obj["status"], stage.stamp()
        status.update({"phase": "Failed", "reason": "Evicted", "message": words})
        for each in status["containerStatuses"]:
            each["ready"] = each["started"] = False
            since = each["state"].get("running", {}).get("startedAt")
            end = {"exitCode": 137, "reason": "Error", "finishedAt": now} | (
                {"startedAt": since} if since else {}
            )
            each["state"] = {"terminated": end}
        made = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "TerminationByKubelet",
            "message": words,
        }
        made["lastTransitionTime"] = now
        kept = [each for each in status["conditions"] if each["type"] != "DisruptionTarget"]
        status["conditions"] = [*kept, made]

    return change


LOW = (
    (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 88712Ki. Container app "
        "was "
        "using "
        "1187340Ki, request is 128Mi, has larger consumption of memory. "
    ),
    (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 8577494118, available: "
        "8104948Ki. "
        "Container app was using 21473184Ki, request is 0, has larger consumption of ephemeral-storage. "
    ),
)
_OWN = (
    'Container app exceeded its local ephemeral storage limit "1Gi". ',
    "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ",
    'Usage of EmptyDir volume "scratch" exceeds the limit "512Mi". ',
)


# the end


def _held_by_finalizer(*, deleted_s: tuple[float, float], released: bool = False) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        pods = named_pods(stage, names, names.api_replicas)
        put_app(stage, names, rng.uniform(2, 6) * DAY_S, serving(names.api))
        finalizer = rng.choice(
            ("example.com/deregister", "mesh.example.com/cleanup", "batch.example.com/tracking")
        )
        moment_s = rng.uniform(*deleted_s)

        def hold(obj: Obj) -> None:
            obj["metadata"]["finalizers"] = [finalizer]

        def release(obj: Obj) -> None:
            obj["metadata"]["finalizers"] = []

        stage.change_at(moment_s + 600, "Pod", HOME, pods[0], hold)
        stage.delete_at(moment_s, "Pod", HOME, pods[0], "operator")
        if released:
            stage.change_at(moment_s - 400, "Pod", HOME, pods[0], release)

    return build


def _first_pod(names: Names) -> tuple[Expected, ...]:
    name = f"{names.api}-6d8f9c7b54-k7x2p"
    return (Expected("STUCK_TERMINATING", "Pod", HOME, name, hurts_name=names.api),)


_IP = wrong("POD_IP_UNAVAILABLE")
TRIALS: tuple[Trial, ...] = (
    trial(
        "POD_IP_UNAVAILABLE", "positive", _no_sandbox(NO_ADDRESS), _IP, says="No node has an address for it."
    ),
    trial(
        "POD_IP_UNAVAILABLE",
        "look_alike",
        _no_sandbox(*_OTHER),
        wrong("SANDBOX_FAILED"),
        says="No sandbox either, but it is not for an address.",
    ),
    trial(
        "POD_IP_UNAVAILABLE",
        "recovered",
        said_and_recovered("FailedCreatePodSandBox", NO_ADDRESS.format(id="9f" * 32)),
        says="It had to wait for an address for a minute, an hour ago.",
    ),
    trial(
        "NODE_ADDRESSES_EXHAUSTED",
        "positive",
        _no_sandbox(NO_ADDRESS, pod=_on_one_node, count=2),
        at_node("NODE_ADDRESSES_EXHAUSTED"),
        says="One node has no address left; others give some.",
    ),
    trial(
        "NODE_ADDRESSES_EXHAUSTED",
        "look_alike",
        _no_sandbox(NO_ADDRESS),
        _IP,
        says="It is so on several nodes.",
    ),
    trial(
        "NODE_ADDRESSES_EXHAUSTED",
        "recovered",
        said_and_recovered("FailedCreatePodSandBox", NO_ADDRESS.format(id="3c" * 32)),
        says="It was so for a minute, an hour ago.",
    ),
    trial("SANDBOX_FAILED", "positive", _no_sandbox(*_OTHER), wrong("SANDBOX_FAILED"), says="No sandbox."),
    trial("SANDBOX_FAILED", "look_alike", _no_sandbox(NO_ADDRESS), _IP, says="It is for want of an address."),
    trial(
        "SANDBOX_FAILED",
        "recovered",
        said_and_recovered("FailedCreatePodSandBox", *(line.format(id="5e" * 32) for line in _OTHER)),
        says="It was so for a minute, an hour ago.",
    ),
    trial(
        "CONTAINER_CREATE_FAILED",
        "positive",
        _refused("CreateContainerError", *_CREATE),
        wrong("CONTAINER_CREATE_FAILED"),
        says="The runtime cannot create it.",
    ),
    trial(
        "CONTAINER_CREATE_FAILED",
        "positive",
        _refused("RunContainerError", *_RUN),
        wrong("CONTAINER_CREATE_FAILED"),
        says="The runtime cannot start it.",
        variant="run",
    ),
    trial(
        "CONTAINER_CREATE_FAILED",
        "look_alike",
        _refused("RunContainerError", _NO_COMMAND),
        wrong("COMMAND_NOT_FOUND"),
        says="The runtime cannot start it, for its command does not exist.",
    ),
    trial(
        "CONTAINER_CREATE_FAILED",
        "recovered",
        said_and_recovered("Failed", "Error: context deadline exceeded"),
        says="For a minute, an hour ago.",
    ),
    trial(
        "RUN_AS_ROOT_REFUSED",
        "positive",
        _refused("CreateContainerConfigError", *_ROOT),
        wrong("RUN_AS_ROOT_REFUSED"),
        says="It must not run as root, and its image does.",
    ),
    trial(
        "RUN_AS_ROOT_REFUSED",
        "look_alike",
        _refused(
            "CreateContainerConfigError",
            'failed to prepare subPath for volumeMount "data" of container "app"',
        ),
        wrong("CONTAINER_CREATE_FAILED"),
        says="The same reason, and other words.",
    ),
    trial(
        "RUN_AS_ROOT_REFUSED",
        "recovered",
        said_and_recovered("Failed", "Error: container has runAsNonRoot and image will run as root"),
        says="An hour ago.",
    ),
    *pods_companions.INIT_CONTAINERS,
    trial(
        "POD_EVICTED",
        "positive",
        _Evictions(LOW, (200, 600)),
        wrong("POD_EVICTED", headline="Container app was using"),
        says="Its node evicted a pod some minutes ago.",
    ),
    trial(
        "POD_EVICTED",
        "positive",
        _Evictions(LOW, (2000, 2600), count=2),
        wrong("POD_EVICTED"),
        says="Its pods are evicted again and again.",
        variant="again",
    ),
    trial(
        "POD_EVICTED",
        "look_alike",
        _Evictions(_OWN, (200, 600)),
        wrong("EPHEMERAL_STORAGE_EXCEEDED"),
        says="Evicted too, for a limit of its own.",
    ),
    trial("POD_EVICTED", "recovered", _Evictions(LOW, (2400, 3200)), says="An hour ago, and replaced."),
    trial(
        "EPHEMERAL_STORAGE_EXCEEDED",
        "positive",
        _Evictions(_OWN, (200, 600)),
        wrong("EPHEMERAL_STORAGE_EXCEEDED"),
        says="It wrote more than its own limit allows.",
    ),
    trial(
        "EPHEMERAL_STORAGE_EXCEEDED",
        "look_alike",
        _Evictions(LOW[1:], (200, 600)),
        wrong("POD_EVICTED"),
        says="The same resource, but it was the node that ran low.",
    ),
    trial("EPHEMERAL_STORAGE_EXCEEDED", "recovered", _Evictions(_OWN, (2400, 3200)), says="An hour ago."),
    trial(
        "STUCK_TERMINATING",
        "positive",
        _held_by_finalizer(deleted_s=(700, 2400)),
        _first_pod,
        says="A finalizer holds a deleted pod.",
    ),
    trial(
        "STUCK_TERMINATING",
        "look_alike",
        _held_by_finalizer(deleted_s=(60, 200)),
        says="Deleted a minute ago: its finalizer's controller is at work.",
    ),
    trial(
        "STUCK_TERMINATING",
        "recovered",
        _held_by_finalizer(deleted_s=(1500, 2400), released=True),
        says="It was held for some minutes and is gone.",
    ),
    *pods_companions.SIDECARS,
    trial("POD_STUCK", "positive", _silent((14, 25)), wrong("POD_STUCK"), says="Nothing says why."),
    trial(
        "POD_STUCK",
        "look_alike",
        _no_sandbox(*_OTHER),
        wrong("SANDBOX_FAILED"),
        says="The same state, and the kubelet says why.",
    ),
    trial("POD_STUCK", "recovered", _silent((0.8, 1.3)), says="It is being created, within its time."),
)
