"""Alerts that everybody has (kubernetes-mixin, kube-prometheus) and the state or condition they tell.

So that a trigger on `NodeCondition` starts whether Alertmanager, EventBridge or our forwarder said it.
"""

from collections.abc import Mapping
from typing import Final

from aiops_sop.models.events import Kind

ALERTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "KubePodCrashLooping": ("PodState", "CrashLoopBackOff"),
    "KubePodImagePullBackOff": ("PodState", "ImagePullBackOff"),
    "KubernetesContainerOomKiller": ("PodState", "OOMKilled"),
    "KubeContainerOOMKilled": ("PodState", "OOMKilled"),
    "KubeNodeNotReady": ("NodeCondition", "KubeletNotReady"),
    "KubeNodeUnreachable": ("NodeCondition", "NodeStatusUnknown"),
    "KubernetesNodeDiskPressure": ("NodeCondition", "KubeletHasDiskPressure"),
    "KubernetesNodeMemoryPressure": ("NodeCondition", "KubeletHasInsufficientMemory"),
}
