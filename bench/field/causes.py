"""Three scenarios from "something is wrong" to the root cause: in how many calls, tokens and seconds.

The cause must stand in an answer, not only the object that suffers. Peers begin with a list; which pod is not
well is told where a list shows no state. AWS Labs' eks and cloudwatch servers also walk together.
"""

from typing import Any, Final

from bench.field.asking import Call, Question, Way
from bench.field.facts import Fact
from bench.field.questions import (
    AUDIT,
    CRASH,
    HERE,
    POD,
    TOLD,
    WRITES,
    aws,
    aws_read,
    insights,
    way,
)
from bench.field.servers import AWS_EKS, AWS_LOGS, EKS, K8S_GO, K8S_NODE

_PODS_GO: Final[tuple[str, dict[str, Any]]] = ("pods_list", {})
_PODS_NODE: Final = ("kubectl_get", {"resourceType": "pods", "allNamespaces": True})
_PODS_AWS: Final = aws("list_k8s_resources", kind="Pod", api_version="v1")
_WARNINGS_GO: Final = ("events_list", {"fieldSelector": "type=Warning"})
_WARNINGS_NODE: Final = (
    "kubectl_get",
    {"resourceType": "events", "allNamespaces": True, "fieldSelector": "type=Warning"},
)
_WORKER: Final = "<pod:payment-worker>"
_BLIND: Final = "cannot see AWS"

CAUSES: Final = (
    Question(
        "A pod crashes: its ConfigMap was deleted",
        (CRASH,),
        (
            Fact("ConfigMap api-config is gone", ("api-config", "not found|does not exist")),
            Fact("who deleted it: ci-cleanup", ("ci-cleanup",)),
        ),
        (
            way(EKS, ("diagnose", {})),
            way(
                K8S_GO,
                _PODS_GO,
                ("pods_log", {**HERE, "name": POD, "previous": True}),
                ("resources_get", {**HERE, "apiVersion": "v1", "kind": "ConfigMap", "name": "api-config"}),
                note="cannot see who did it",
            ),
            way(
                K8S_NODE,
                _PODS_NODE,
                ("kubectl_logs", {**HERE, "resourceType": "pod", "name": POD, "previous": True}),
                ("kubectl_get", {**HERE, "resourceType": "configmap", "name": "api-config"}),
                note="cannot see who did it",
            ),
            Way(
                "awslabs eks and cloudwatch",
                (
                    Call(AWS_EKS, *_PODS_AWS),
                    Call(AWS_EKS, *aws("get_pod_logs", **HERE, pod_name=POD, previous=True)),
                    Call(AWS_EKS, *aws_read("ConfigMap", "api-config", **HERE)),
                    Call(AWS_LOGS, *insights(AUDIT, "<hour_ago>", WRITES)),
                ),
                TOLD,
            ),
        ),
    ),
    Question(
        "Pods of one zone do not start: its subnet has no address left",
        ("subnet-ip-exhaustion",),
        (
            Fact("pods wait for an address", ("failed to assign an IP address",)),
            Fact(
                "subnet-0bbb has none",
                (r"subnet-0bbb.{0,160}(\b0 free|available_ips\W+0\b|AvailableIpAddressCount\W+0\b)",),
            ),
        ),
        (
            way(EKS, ("diagnose", {})),
            way(K8S_GO, _PODS_GO, _WARNINGS_GO, note=_BLIND),
            way(K8S_NODE, _PODS_NODE, _WARNINGS_NODE, note=_BLIND),
            way(
                AWS_EKS,
                _PODS_AWS,
                aws("get_k8s_events", kind="Pod", name="<waits>", namespace="<waits_in>"),
                aws("get_eks_vpc_config"),
                note=TOLD,
            ),
        ),
    ),
    Question(
        "A worker is killed again and again: its memory limit is lower than its need",
        ("oom-raise-limits",),
        (
            Fact("it is killed for memory", ("payment-worker", "OOMKilled")),
            Fact("by a limit of 256 Mi", (r"256 ?Mi",)),
        ),
        (
            way(EKS, ("diagnose", {})),
            way(K8S_GO, _PODS_GO, ("pods_get", {**HERE, "name": _WORKER})),
            way(K8S_NODE, _PODS_NODE, ("kubectl_get", {**HERE, "resourceType": "pod", "name": _WORKER})),
            way(AWS_EKS, _PODS_AWS, aws_read("Pod", _WORKER, **HERE), note=TOLD),
        ),
    ),
)
