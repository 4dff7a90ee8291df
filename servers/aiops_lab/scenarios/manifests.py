"""F11: a Deployment with the security faults of the field's favourite example, and the file it came from."""

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
            "replicas": 1 + names.seed % 3,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [{"name": "app", "image": image, "securityContext": {"runAsUser": 0}}]
                },
            },
        },
    }


def seed_text(names: Names) -> str:
    """The same as the file that somebody wrote: with comments, and a way of writing that varies by seed."""
    made = seed_manifest(names)
    name, spec = made["metadata"]["name"], made["spec"]
    image = spec["template"]["spec"]["containers"][0]["image"]
    dash, deep = (("  - ", "    "), ("- ", "  "), ("-   ", "    "))[names.seed % 3]
    lines = [
        f"# {name}: ask the team before you touch it",
        "apiVersion: apps/v1",
        "kind: Deployment",
        "metadata:",
        f"  name: {name}",
        f"  namespace: {HOME}   # not production",
        f"  labels: {{app: {name}}}",
        "spec:",
        f"  replicas: {spec['replicas']}",
        "  selector:",
        f"    matchLabels: {{app: '{name}'}}",
        "  template:",
        "    metadata:",
        f"      labels: {{app: {name}}}",
        "    spec:",
        "      containers:",
        f"      {dash}name: app",
        f"      {deep}# pin it one day",
        f"      {deep}image: {image}",
        f"      {deep}securityContext:",
        f"      {deep}  runAsUser: 0  # TODO",
    ]
    newline = "\r\n" if names.seed % 4 == 3 else "\n"
    return newline.join([*lines, ""])


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
