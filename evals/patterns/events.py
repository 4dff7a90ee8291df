"""The event or alarm that a story would send, made of the world as it stands: what an on-call is woken by.

Of a sick pod its state or its warning, of a node its condition, of what users feel the alarm on it, of
GuardDuty and add-ons what AWS says. A story that nobody would be woken by has none.
"""

from collections.abc import Iterator
from typing import Any, Final

from aiops_lab.places import CLUSTER
from aiops_lab.run import Lab
from aiops_lab.scenarios import SCENARIOS, Expected
from aiops_lab.scenarios.names import cast
from evals.sop.questions import ELSEWHERE, HOME, question

Obj = dict[str, Any]
# What users feel, as an alarm on it is called.
_ALARMS: Final = {
    "intermittent 504 errors": "alb-504-count",
    "memory spike": "EKS-Pod-Memory-High",
    "memory keeps growing": "memory-growth",
    "errors and timeouts": "service-error-rate",
    "errors": "service-error-rate",
    "slow responses": "service-latency-p99",
    "the bill of last week is higher": "monthly-cost-budget",
    "traffic between zones is high": "cross-zone-bytes",
}
_MEMORY: Final = frozenset({"EKS-Pod-Memory-High", "memory-growth"})
_STATES: Final = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError")


def event_of(lab: Lab, scenario: str, seed: int) -> Obj | None:
    """One event as its sender would send it; None where nothing would be sent."""
    asked = question(scenario)
    if scenario == "crypto-mining":
        return _guardduty(asked.service(cast(seed)) if asked.service else "")
    if asked.symptom in _ALARMS:
        return _alarm(_ALARMS[asked.symptom], asked.service(cast(seed)) if asked.service else "")
    if asked.alarm:
        return _alarm(asked.alarm(cast(seed)), "")
    if scenario in ELSEWHERE:
        return None
    told = SCENARIOS[scenario].expect(cast(seed))
    return next((found for one in told if (found := _of(lab, one))), None)


def _of(lab: Lab, one: Expected) -> Obj | None:
    """What the object at fault, or the one that it hurts, says of itself."""
    if one.kind == "Node":
        return next(_warnings(lab, "Node", "", one.name), None)
    if one.kind == "Addon":
        return _addon(one.name)
    name = one.hurts_name or one.name
    for pod in lab.store.list("Pod", one.namespace):
        if pod["metadata"]["name"].startswith(f"{name}-"):
            pod_name = str(pod["metadata"]["name"])
            if state := _state(pod):
                return _pod(one.namespace, pod_name, state)
            if (said := next(_warnings(lab, "Pod", one.namespace, pod_name), None)) is not None:
                return said
    return next(_warnings(lab, one.kind, one.namespace, one.name), None)


def _state(pod: Obj) -> str:
    """Why a container does not run, as the guide's event calls it."""
    for one in pod.get("status", {}).get("containerStatuses", ()):
        if one.get("lastState", {}).get("terminated", {}).get("reason") == "OOMKilled":
            return "OOMKilled"
        waiting = str(one.get("state", {}).get("waiting", {}).get("reason", ""))
        if waiting in _STATES:
            return "ImagePullBackOff" if waiting == "ErrImagePull" else waiting
    return ""


def _warnings(lab: Lab, kind: str, namespace: str, name: str) -> Iterator[Obj]:
    """Warning events about one object as our forwarder sends them, newest first."""
    # Conditions of nodes are told by Normal events too (NodeHasDiskPressure).
    found = [
        one
        for one in lab.store.list("Event")
        if one["involvedObject"].get("kind") == kind and one["involvedObject"].get("name") == name
        if kind == "Node" or one.get("type") == "Warning"
    ]
    for one in sorted(found, key=lambda each: str(each.get("lastTimestamp")), reverse=True):
        if kind == "Node" and not str(one.get("reason", "")).startswith("NodeHas"):
            continue
        about = {"kind": kind, "name": name}
        detail = {
            "cluster": CLUSTER,
            **({"namespace": namespace} if namespace else {}),
            "involvedObject": about,
            "reason": one.get("reason"),
            "message": one.get("message", ""),
            "count": one.get("count", 1),
        }
        yield {"source": "eks-aiops", "detail-type": "Kubernetes Event", "detail": detail}


def _pod(namespace: str, pod: str, state: str) -> Obj:
    detail = {"cluster": CLUSTER, "namespace": namespace, "pod": pod, "status": state}
    return {"source": "aws.eks", "detail-type": "EKS Pod State Change", "detail": detail}


def _alarm(name: str, service: str) -> Obj:
    where = {"PodName": service} if name in _MEMORY else {"Service": service}
    dimensions = {"ClusterName": CLUSTER, **({"Namespace": HOME, **where} if service else {})}
    metric = {"namespace": "Custom", "name": name, "dimensions": dimensions}
    detail = {
        "alarmName": name,
        "configuration": {"metrics": [{"id": "m1", "metricStat": {"metric": metric, "period": 60}}]},
        "state": {"value": "ALARM", "reason": "Threshold Crossed"},
        "previousState": {"value": "OK"},
    }
    return {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "detail": detail}


def _guardduty(workload: str) -> Obj:
    kubernetes = {"kubernetesWorkloadDetails": {"name": workload, "type": "deployments", "namespace": HOME}}
    detail = {
        "type": "CryptoCurrency:Runtime/BitcoinTool.B",
        "severity": 8.0,
        "title": "A container queried a domain of a mining pool.",
        "resource": {"eksClusterDetails": {"name": CLUSTER}, "kubernetesDetails": kubernetes},
    }
    return {"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "detail": detail}


def _addon(name: str) -> Obj:
    arn = f"arn:aws:eks:us-east-1:111122223333:addon/{CLUSTER}/{name}/1ec2d4b8"
    return {
        "source": "aws.eks",
        "detail-type": "EKS Addon Health Degraded",
        "resources": [arn],
        "detail": {},
    }
