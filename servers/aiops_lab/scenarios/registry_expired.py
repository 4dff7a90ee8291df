"""F-b3: the certificate of the registry that several clusters pull from has expired.

Played in every cluster of a fleet: each has another workload, rolled out at another moment; the registry and
the moment its certificate ended are the same for all, as they depend on the fleet's seed alone.
"""

from datetime import timedelta
from random import Random

from aiops_lab.scenarios.base import Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.pulls import DAY_S, HOME, set_image
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template

FLEET_SEEDS = 100  # the seeds of one fleet's clusters are neighbours
_HOSTS = ("registry", "images", "hub", "harbor", "artifacts")
_DOMAINS = ("example.com", "corp.example.com", "tools.example.org", "example.net")


def registry_of(seed: int) -> tuple[str, int]:
    """The registry of the fleet that a seed belongs to, and how many minutes before T0 it expired."""
    fleet = seed // FLEET_SEEDS
    if fleet == 0:
        return "registry.example.com", 12
    rng = Random(f"registry/{fleet}")
    return f"{rng.choice(_HOSTS)}.{rng.choice(_DOMAINS)}", rng.randint(11, 50)


# containerd's resolver around Go's crypto/x509 CertificateInvalidError (Expired).
_EXPIRED = (
    'failed to pull and unpack image "{ref}": failed to resolve reference "{ref}": failed to do request: '
    'Head "https://{host}/v2/{repository}/manifests/{tag}": tls: failed to verify certificate: x509: '
    "certificate has expired or is not yet valid: current time {now} is after {end}"
)


def _expired(stage: Stage, names: Names, rng: Random) -> None:
    """A rollout after the certificate ended: what runs goes on, what is new cannot be pulled."""
    host, minutes = registry_of(names.seed)
    ended = stage.aws.started_at - timedelta(minutes=minutes)
    rollout_s = rng.uniform(4, minutes - 2) * 60
    repository = f"{rng.choice(('team', 'apps', 'platform'))}/{names.api}"
    version = rng.randint(2, 9)
    old, tag = f"{host}/{repository}:{version}.0.0", f"{version}.{rng.randint(1, 9)}.0"
    pulled = stage.aws.started_at - timedelta(seconds=rollout_s)
    words = _EXPIRED.format(
        ref=f"{host}/{repository}:{tag}",
        host=host,
        repository=repository,
        tag=tag,
        now=f"{pulled:%Y-%m-%dT%H:%M:%SZ}",
        end=f"{ended:%Y-%m-%dT%H:%M:%SZ}",
    )
    stage.publish(old, Image(serving(names.api)))
    stage.publish(f"{host}/{repository}:{tag}", Image(pull_error=words))
    pod = template({"app": names.api}, [container("app", old, readinessProbe=http_probe())])
    since_s = rng.uniform(2, 9) * DAY_S
    stage.put_at(since_s, deployment(HOME, names.api, names.api_replicas, pod))
    stage.put_at(since_s, service(HOME, names.api, names.api))
    stage.change_at(rollout_s, "Deployment", HOME, names.api, set_image(f"{host}/{repository}:{tag}"))


def _expect(names: Names) -> tuple[Expected, ...]:
    return (
        Expected("REGISTRY_TLS", "Deployment", HOME, names.api, hurts_name=names.api, headline="certificate"),
    )


SCENARIOS = (
    Scenario(
        "registry-expired",
        "The registry's certificate has expired",
        "A rollout after the end of the registry's certificate: ImagePullBackOff with x509. In a fleet every "
        "cluster suffers from the one registry.",
        "F-b3",
        _expired,
        _expect,
    ),
)
