"""Objects and how they are written: one file, one object, so that `plan_manifest` takes each as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from aiops_sop.models.configs import Dialect, Kind

Obj = dict[str, Any]
VERSIONS: Mapping[str, str] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PriorityClass": "scheduling.k8s.io/v1",
    "CronJob": "batch/v1",
    "ServiceAccount": "v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "NodePool": "karpenter.sh/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "MetricAlarm": "cloudwatch.services.k8s.aws/v1alpha1",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A file before it was checked. `sent`: whether an API server can be asked about it."""

    path: str
    kind: Kind
    content: str
    dialect: Dialect = "plain"
    sent: bool = True
    whole: bool = True  # false: a part of an object that stands


def manifest(kind: str, namespace: str, name: str, **rest: Any) -> Obj:
    """The head of an object and its body."""
    where = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": VERSIONS[kind], "kind": kind, "metadata": where, **rest}


class _Plain(yaml.SafeDumper):
    """Writes equal parts twice instead of once and by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always."""
        del data
        return True


def written(one: Obj) -> str:
    """YAML of one object."""
    return yaml.dump(one, Dumper=_Plain, sort_keys=False, width=100)
