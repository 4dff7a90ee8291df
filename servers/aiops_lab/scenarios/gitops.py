"""F23: a service that Argo CD deploys from a repository; its releases are commits.

The world stands with the version that was deployed days ago. The repository is given by whoever plays on
(`world.argo_git.follow`), with `manifests(...)` as its content.
"""

from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, namespace, service, template
from aiops_lab.telemetry.workloads import RouteFacts, emit_requests

HOME, ARGO, DAY_S = "production", "argocd", 86_400.0
GIVES_UP_S = 60


def name_of(names: Names) -> str:
    """The Application and its Deployment."""
    return "shop" if names.seed == 0 else names.api


def image_of(names: Names, version: str) -> str:
    """The service's image; 2.0.0 and 2.1.0 exist."""
    return names.image(name_of(names), version)


def manifests(names: Names, version: str) -> list[Obj]:
    """What the repository holds for a version."""
    name = name_of(names)
    pod = template(
        {"app": name}, [container("app", image_of(names, version), readinessProbe=http_probe("/ready"))]
    )
    tracking = {"argocd.argoproj.io/tracking-id": f"{name}:apps/Deployment:{HOME}/{name}"}
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    made = deployment(HOME, name, 3, pod, annotations=tracking, strategy=rolling)
    made["spec"]["progressDeadlineSeconds"] = GIVES_UP_S
    return [made, service(HOME, name, name)]


def _application(name: str) -> Obj:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": ARGO},
        "spec": {
            "project": "default",
            "source": {"repoURL": f"file:///srv/git/{name}.git", "path": ".", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": HOME},
            "syncPolicy": {"automated": {"prune": False, "selfHeal": True}},
        },
        "status": {"sync": {"status": "Synced", "revision": "0" * 40}, "health": {"status": "Healthy"}},
    }


def _build(stage: Stage, names: Names, rng: Random) -> None:
    name, age_s = name_of(names), rng.uniform(5, 9) * DAY_S
    for version in ("2.0.0", "2.1.0"):
        stage.publish(image_of(names, version), Image(serving(name)))
    stage.put_at(age_s, *manifests(names, "2.0.0"), by="argocd-controller")
    stage.put_at(age_s, namespace(ARGO), _application(name), by="argocd-controller")
    route = RouteFacts(name, "/", HOME, since_s=stage.telemetry.t0_s - 5 * DAY_S)
    emit_requests(stage.telemetry.signals, route, rate=rng.uniform(40, 90))
    emit_requests(stage.telemetry.signals, route, rate=0.05, status="500")


SCENARIOS = (
    Scenario(
        "gitops-release",
        "A service that Argo CD deploys from git",
        "Its releases are commits; a bad one is reverted.",
        "F23",
        _build,
    ),
)
