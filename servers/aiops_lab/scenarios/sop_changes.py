"""Worlds that procedures of change need and no other fixture plays: a collector whose backend changes."""

from random import Random

from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import config_map, container, deployment, http_probe, template

HOME, KEY, DAY_S = "staging", "relay.yaml", 86_400.0
# The exporter of the field's favourite example: no distribution has it.
COLLECTOR = """\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 0.0.0.0:4317
processors:
  batch:
    timeout: {timeout}s
exporters:
  awscloudwatch:
    namespace: {namespace}
    region: us-east-1
service:
  pipelines:
    metrics:
      receivers: [otlp]
      processors: [batch]
      exporters: [awscloudwatch]  # where they go
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [awscloudwatch]
"""


def collector(names: Names) -> str:
    """The name of the collector and of the ConfigMap that it reads."""
    return "otel-collector" if names.seed == 0 else f"{names.others[0]}-collector"


def _collector(stage: Stage, names: Names, rng: Random) -> None:
    name = collector(names)
    text = COLLECTOR.format(timeout=rng.randint(1, 30), namespace=rng.choice(("MyApp", "Shop", "Platform")))
    image = stage.publish(names.image(name, f"0.{rng.randint(120, 140)}.0"), Image(serving(name)))
    mount = [{"name": "config", "mountPath": "/etc/otel"}]
    main = container("app", image, readinessProbe=http_probe("/ready"), volumeMounts=mount)
    volumes = [{"name": "config", "configMap": {"name": name}}]
    pod = template({"app": name}, [main], volumes=volumes)
    stage.put_at(3 * DAY_S, config_map(HOME, name, {KEY: text}))
    stage.put_at(3 * DAY_S, deployment(HOME, name, rng.randint(1, 3), pod))


SCENARIOS = (
    Scenario(
        "telemetry-collector",
        "A collector that is to send elsewhere",
        "It works as far as anybody sees, but names an exporter that no distribution has.",
        "F15",
        _collector,
    ),
)
