"""What the trials of admission share: the namespace they play in, the workload of the story, its resources.

`policy_admission` and `policy_webhooks` build on it.
"""

from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Expect, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.scenarios.trials.base import at

SPACE = "dev"  # where the furniture makes no pods of its own
HOUR_S = 3600.0


def of(code: str, kind: str = "Deployment", name: str = "{api}") -> Expect:
    """The one finding, in the namespace of these trials."""
    return at(code, kind, name, SPACE)


def now(rng: Random) -> float:
    """How long ago the workload was rolled out, in seconds."""
    return rng.uniform(14, 24) * 60


def asks(cpu: str, memory: str = "128Mi", *, most_cpu: str = "") -> Obj:
    """The resources of a container."""
    limits = {"memory": "512Mi"} | ({"cpu": most_cpu} if most_cpu else {})
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": limits}


def roll_out(
    stage: Stage, names: Names, since_s: float, replicas: int, *, main: Obj | None = None, **pod: Any
) -> None:
    """The workload of the story and its Service."""
    image = stage.publish(names.image(names.api, "2.0.1"), Image(serving(names.api)))
    made = template(
        {"app": names.api}, [container("app", image, readinessProbe=http_probe(), **(main or {}))], **pod
    )
    stage.put_at(since_s, deployment(SPACE, names.api, replicas, made), service(SPACE, names.api, names.api))
