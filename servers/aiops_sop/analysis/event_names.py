"""What the words of senders mean: which reasons are pods' states, nodes' conditions, which names are hashes.

Pure tables and small functions over them, used by `analysis.events`. Reasons: kubernetes/kubernetes,
pkg/kubelet/events/event.go and pkg/kubelet/nodestatus/setters.go; B3 of the guide for what they ask for.
"""

import re
from typing import Final

# Reason of a Kubernetes event on a pod, or of a waiting or terminated container -> the state it tells.
POD_STATES: Final = {
    "BackOff": "CrashLoopBackOff",
    "CrashLoopBackOff": "CrashLoopBackOff",
    "OOMKilled": "OOMKilled",
    "OOMKilling": "OOMKilled",
    "ImagePullBackOff": "ImagePullBackOff",
    "ErrImagePull": "ImagePullBackOff",
    "InvalidImageName": "ImagePullBackOff",
    "CreateContainerConfigError": "CreateContainerConfigError",
    "CreateContainerError": "CreateContainerError",
    "RunContainerError": "RunContainerError",
    "FailedMount": "FailedMount",
    "FailedAttachVolume": "FailedMount",
    "FailedScheduling": "FailedScheduling",
    "FailedCreatePodSandBox": "FailedCreatePodSandBox",
    "Evicted": "Evicted",
    "Unhealthy": "Unhealthy",
}
# A Failed or BackOff event says in its message what failed (pkg/kubelet/images/image_manager.go,
# pkg/kubelet/kuberuntime/kuberuntime_container.go).
_IMAGE = re.compile(r"Back-off pulling image|Failed to pull image|ErrImagePull|ImagePullBackOff")
_CONFIG = re.compile(r"Error: (configmap|secret) |couldn't find key|CreateContainerConfigError")
FAILED_TEXTS: Final = ((_IMAGE, "ImagePullBackOff"), (_CONFIG, "CreateContainerConfigError"))
# Reason of an event on a node, or of a condition that turned bad -> the condition's reason.
NODE_CONDITIONS: Final = {
    "NodeHasDiskPressure": "KubeletHasDiskPressure",
    "KubeletHasDiskPressure": "KubeletHasDiskPressure",
    "FreeDiskSpaceFailed": "KubeletHasDiskPressure",
    "DiskPressure": "KubeletHasDiskPressure",
    "NodeHasInsufficientMemory": "KubeletHasInsufficientMemory",
    "KubeletHasInsufficientMemory": "KubeletHasInsufficientMemory",
    "MemoryPressure": "KubeletHasInsufficientMemory",
    "SystemOOM": "KubeletHasInsufficientMemory",
    "NodeHasInsufficientPID": "KubeletHasInsufficientPID",
    "KubeletHasInsufficientPID": "KubeletHasInsufficientPID",
    "NodeNotReady": "KubeletNotReady",
    "NotReady": "KubeletNotReady",
    "KubeletNotReady": "KubeletNotReady",
    "NodeStatusUnknown": "NodeStatusUnknown",
    "KernelReady": "KernelNotReady",
    "StorageReady": "StorageNotReady",
    "NetworkingReady": "NetworkingNotReady",
    "ContainerRuntimeReady": "ContainerRuntimeNotReady",
    "AcceleratedHardwareReady": "AcceleratedHardwareNotReady",
}
_SAFE = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand: no vowels, no look-alikes
_OF_DEPLOYMENT = re.compile(rf"(.+)-(?=[a-z0-9]*[0-9])[{_SAFE}]{{5,10}}-[a-z0-9]{{5}}")
_OF_SET = re.compile(rf"(.+)-[{_SAFE}]{{5}}")
_ORDINAL = re.compile(r"(.+)-[0-9]{1,5}")


def owner_of(pod: str) -> str:
    """A pod's name without what its controller appended: hashes, ordinals."""
    for form in (_OF_DEPLOYMENT, _OF_SET, _ORDINAL):
        if found := form.fullmatch(pod):
            return found[1]
    return pod


def pod_state(reason: str, message: str) -> str:
    """The state that an event of a pod tells, "" when it tells none of ours."""
    if reason in {"Failed", "BackOff"}:
        for pattern, state in FAILED_TEXTS:
            if pattern.search(message):
                return state
    return POD_STATES.get(reason, "")


def node_condition(reason: str, message: str) -> str:
    """The condition that an event of a node tells, "" when it tells none of ours."""
    if reason == "EvictionThresholdMet":
        return "KubeletHasInsufficientMemory" if "memory" in message else "KubeletHasDiskPressure"
    return NODE_CONDITIONS.get(reason, "")
