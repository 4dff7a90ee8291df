"""What senders send, one of each kind; names vary with the seed."""

from typing import Any

Obj = dict[str, Any]
CLUSTERS = ("my-cluster", "blue-7", "eu-prod", "c1", "shop-main")
SPACES = ("production", "staging", "shop", "dev", "team-a")
PODS = (
    ("api-server", "api-server-6c9d7f5b8-x2k4q"),
    ("payment-worker", "payment-worker-5b7c9f4d6-abcde"),
    ("users", "users-0"),
    ("node-agent", "node-agent-7xk2p"),
    ("web", "web-84f9d6c7bb-2zqwx"),
)


class Named:
    """The names of one seed."""

    def __init__(self, seed: int) -> None:
        self.cluster, self.namespace = CLUSTERS[seed], SPACES[seed]
        self.workload, self.pod = PODS[seed]
        self.node = f"ip-10-0-{seed}-42.ec2.internal"


def seed_shape(who: Named, status: str = "CrashLoopBackOff", time: str = "2026-11-22T03:00:00Z") -> Obj:
    """The guide's own (C1)."""
    detail = {"cluster": who.cluster, "namespace": who.namespace, "pod": who.pod, "status": status}
    return {"source": "aws.eks", "detail-type": "EKS Pod State Change", "time": time, "detail": detail}


def forwarded(
    who: Named, reason: str = "BackOff", kind: str = "Pod", message: str = "", count: int = 41
) -> Obj:
    """Our forwarder's (F16)."""
    about = {"kind": kind, "name": who.node if kind == "Node" else who.pod}
    space = {} if kind == "Node" else {"namespace": who.namespace}
    detail = {"cluster": who.cluster, **space, "involvedObject": about, "reason": reason, "count": count}
    return {
        "source": "eks-aiops",
        "detail-type": "Kubernetes Event",
        "detail": {**detail, "message": message},
    }


def alarm(who: Named, name: str = "EKS-Pod-Memory-High", value: str = "ALARM") -> Obj:
    """CloudWatch's alarm state change."""
    metric = {
        "namespace": "ContainerInsights",
        "name": "pod_memory_utilization",
        "dimensions": {"ClusterName": who.cluster, "Namespace": who.namespace, "PodName": who.workload},
    }
    metrics = [{"id": "m1", "metricStat": {"metric": metric, "period": 60, "stat": "Average"}}]
    detail = {
        "alarmName": name,
        "configuration": {"metrics": metrics},
        "state": {"value": value, "reason": "Threshold Crossed", "timestamp": "2026-11-22T03:00:00.000+0000"},
        "previousState": {"value": "OK"},
    }
    return {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "detail": detail}


def addon_health(who: Named, state: str = "Degraded") -> Obj:
    """EKS' own."""
    arn = (
        f"arn:aws:eks:us-east-1:111122223333:addon/{who.cluster}/coredns/1ec2d4b8-0000-0000-0000-00000000000a"
    )
    return {
        "source": "aws.eks",
        "detail-type": f"EKS Addon Health {state}",
        "account": "111122223333",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {},
    }


def guardduty(who: Named, severity: float = 8.0) -> Obj:
    """A finding of EKS Runtime Monitoring."""
    workload = {"name": who.pod, "type": "pods", "namespace": who.namespace}
    detail = {
        "type": "CryptoCurrency:Runtime/BitcoinTool.B",
        "severity": severity,
        "title": "A container queried a domain of a mining pool.",
        "resource": {
            "eksClusterDetails": {"name": who.cluster},
            "kubernetesDetails": {"kubernetesWorkloadDetails": workload},
        },
        "service": {"count": 3},
    }
    return {"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "detail": detail}


def alertmanager(who: Named, *names: str, status: str = "firing", **labels: str) -> Obj:
    """Webhook version 4."""
    base = {"cluster": who.cluster, "namespace": who.namespace, "severity": "critical", **labels}
    alerts = [
        {
            "status": status,
            "labels": {"alertname": name, **base},
            "annotations": {"summary": "see the dashboard"},
            "startsAt": "2026-11-22T03:00:00Z",
        }
        for name in names
    ]
    return {"version": "4", "groupKey": "{}", "status": status, "groupLabels": {}, "alerts": alerts}
