"""F11: a Deployment with the security faults of the field's favourite example."""

from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving

HOME = "dev"


def seed_manifest(names: Names) -> Obj:
    """The Deployment to scan: image `:latest`, runs as root, no limits, no probes."""
    name = "myapp" if names.seed == 0 else names.api
    image = "myapp:latest" if names.seed == 0 else f"{name}:latest"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": HOME, "labels": {"app": name}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [{"name": "app", "image": image, "securityContext": {"runAsUser": 0}}]
                },
            },
        },
    }


def _build(stage: Stage, names: Names, rng: Random) -> None:
    manifest = seed_manifest(names)
    image = manifest["spec"]["template"]["spec"]["containers"][0]["image"]
    stage.publish(image, Image(serving("app")))
    stage.put_at(rng.uniform(2, 200) * 3600, manifest)


SCENARIOS = (
    Scenario(
        "manifest-scan",
        "A Deployment that runs as root",
        "It works, so a diagnosis stays silent; a scan of its manifest finds root, `:latest`, and no limits, "
        "probes or security context worth the name.",
        "F11",
        _build,
    ),
)
