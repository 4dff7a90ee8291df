"""What no standard forbids and still hurts: moving tags, no limits, no probes, secrets in the open.

Sources: https://kubernetes.io/docs/concepts/configuration/overview/ and the pages named per check.
"""

import re
from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import Check, Hit
from aiops_eks.diagnosis.scanning.pod_security import context_of, ordered
from aiops_eks.diagnosis.scanning.subjects import Obj, Spot, ensured, mapping, mappings
from aiops_shared.guardrails.redacting import redact
from aiops_shared.guardrails.redaction_rules import is_secret_name

_DOCS = "https://kubernetes.io/docs/concepts/"
_IMAGES = f"{_DOCS}containers/images/"
_RESOURCES = f"{_DOCS}configuration/manage-resources-containers/"
_PROBES = f"{_DOCS}configuration/liveness-readiness-startup-probes/"
_SECRETS = f"{_DOCS}configuration/secret/"
_CONTEXT = "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/"
LONG_RUNNING = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod"}
)
SCRATCH, SCRATCH_PATH = "tmp", "/tmp"  # noqa: S108  # a path inside the container
_NOT_SECRET = re.compile(r"(?i)(?:true|false|\d{1,6}|/[\w./-]*|https?://[^@\s]*)?")


def moving_tag(spot: Spot) -> Iterator[Hit]:
    """`:latest`, or no tag at all: which version to pin only the owner knows."""
    image = str((spot.container or {}).get("image", ""))
    name = image.rpartition("/")[2]
    if image and "@sha256:" not in image and name.partition(":")[2] in {"", "latest"}:
        yield Hit(spot.at("image"), f"image {image[:120]} moves: the tag is latest", fixable=False)


def no_requests(spot: Spot) -> Iterator[Hit]:
    """Requests: the numbers come from usage, so none are made up."""
    resources = mapping(spot.container, "resources")
    stand_in = mapping(resources, "limits")  # a limit is the request's default
    missing = [
        one for one in ("cpu", "memory") if one not in mapping(resources, "requests") and one not in stand_in
    ]
    if missing and spot.role != "ephemeralContainers":
        yield Hit(spot.at("resources.requests"), f"no {' and '.join(missing)} request", fixable=False)


def no_limits(spot: Spot) -> Iterator[Hit]:
    """A memory limit; a CPU limit is a matter of taste."""
    limits = mapping(mapping(spot.container, "resources"), "limits")
    if "memory" not in limits and spot.role != "ephemeralContainers":
        yield Hit(spot.at("resources.limits"), "no memory limit: it can take the node's", fixable=False)


def _serves(spot: Spot) -> bool:
    return spot.kind in LONG_RUNNING and spot.role == "containers"


def no_readiness(spot: Spot) -> Iterator[Hit]:
    """Readiness probe of what serves."""
    if _serves(spot) and not mapping(spot.container, "readinessProbe"):
        yield Hit(spot.at("readinessProbe"), "no readinessProbe: gets traffic before it is up", fixable=False)


def no_liveness(spot: Spot) -> Iterator[Hit]:
    """Liveness probe: a wrong one is worse than none."""
    if _serves(spot) and not mapping(spot.container, "livenessProbe"):
        yield Hit(spot.at("livenessProbe"), "no livenessProbe: a hang is not noticed", fixable=False)


def writable_root(spot: Spot) -> Iterator[Hit]:
    """A root file system that can be written to."""
    if spot.context.get("readOnlyRootFilesystem") is not True:
        yield Hit(spot.at("securityContext.readOnlyRootFilesystem"), "the root file system is writable")


def _read_only_root(spot: Spot) -> str | None:
    """Read-only, with an emptyDir where most programs write."""
    context_of(spot)["readOnlyRootFilesystem"] = True
    ordered(spot)
    pod, container = spot.pod or {}, spot.container or {}
    if any(mount.get("mountPath") == SCRATCH_PATH for mount in mappings(container, "volumeMounts")):
        return None
    name = _scratch_volume(pod)
    _listed(container, "volumeMounts").append({"name": name, "mountPath": SCRATCH_PATH})
    return (
        f"readOnlyRootFilesystem: an emptyDir is mounted at {SCRATCH_PATH}; mount one at every other path "
        "that it writes to"
    )


def _scratch_volume(pod: Obj) -> str:
    volumes = _listed(pod, "volumes")
    names = {volume.get("name") for volume in volumes if isinstance(volume, dict)}
    for volume in volumes:
        if isinstance(volume, dict) and volume.get("name") == SCRATCH and volume.get("emptyDir") is not None:
            return SCRATCH
    name = next(one for one in (SCRATCH, *(f"{SCRATCH}-{n}" for n in range(2, 99))) if one not in names)
    volumes.append({"name": name, "emptyDir": {}})
    return name


def _listed(obj: Obj, key: str) -> list[Any]:
    if not isinstance(obj.get(key), list):
        obj[key] = []
    found: list[Any] = obj[key]
    return found


def is_secret(name: str, value: object) -> bool:
    """Whether a literal looks like a secret, by its name or its form."""
    if not isinstance(value, str) or _NOT_SECRET.fullmatch(value) or value.startswith("$("):
        return False
    return is_secret_name(name) or redact(value) != value


def secret_in_env(spot: Spot) -> Iterator[Hit]:
    """Secrets as literals: the value is never repeated."""
    for place, variable in enumerate(mappings(spot.container, "env")):
        name = str(variable.get("name", ""))
        if is_secret(name, variable.get("value")):
            yield Hit(
                spot.at(f"env[{place}].value"), f"{name[:80]} holds a secret in the open (value not shown)"
            )


def _from_secret(spot: Spot) -> str | None:
    """Read it from a Secret that somebody must make: the value does not go through here."""
    secret = f"{mapping(spot.obj, 'metadata').get('name') or 'app'}-env"
    names = []
    for variable in mappings(spot.container, "env"):
        if is_secret(str(variable.get("name", "")), variable.get("value")):
            variable.pop("value")
            variable["valueFrom"] = {"secretKeyRef": {"name": secret, "key": variable.get("name")}}
            names.append(str(variable.get("name")))
    return (
        f"make the Secret {secret} with the keys {', '.join(names)} before applying; rotate the values: "
        "they were in the open"
    )


def secret_in_config(spot: Spot) -> Iterator[Hit]:
    """Secrets in a ConfigMap."""
    if spot.kind == "ConfigMap":
        for key, value in mapping(spot.obj, "data").items():
            if is_secret(str(key), value):
                says = f"{str(key)[:80]} holds a secret in a ConfigMap (value not shown)"
                yield Hit(f"data.{str(key)[:80]}", says, fixable=False)


def default_token(spot: Spot) -> Iterator[Hit]:
    """The default ServiceAccount's token inside the pod."""
    pod = spot.pod or {}
    account = pod.get("serviceAccountName") or pod.get("serviceAccount") or "default"
    if account == "default" and pod.get("automountServiceAccountToken") is not False:
        says = "the default ServiceAccount's token is mounted"
        yield Hit(spot.at("automountServiceAccountToken"), says)


def _no_token(spot: Spot) -> str | None:
    (spot.pod or {})["automountServiceAccountToken"] = False
    return None


SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"
_OLD_INTERNAL = "service.beta.kubernetes.io/aws-load-balancer-internal"


def open_balancer(spot: Spot) -> Iterator[Hit]:
    """A load balancer that does not say whom it serves."""
    notes = mapping(mapping(spot.obj, "metadata"), "annotations")
    balanced = spot.kind == "Service" and mapping(spot.obj, "spec").get("type") == "LoadBalancer"
    if balanced and SCHEME not in notes and _OLD_INTERNAL not in notes:
        yield Hit(f"metadata.annotations.{SCHEME}", "LoadBalancer without a scheme: may face the internet")


def _internal(spot: Spot) -> str | None:
    ensured(ensured(spot.obj, "metadata"), "annotations")[SCHEME] = "internal"
    return "the load balancer is internal now; set internet-facing if the public shall reach it"


CHECKS = (
    Check(
        "secret-in-env",
        "high",
        "practice",
        "container",
        "read it from a Secret",
        _SECRETS,
        secret_in_env,
        _from_secret,
    ),
    Check(
        "secret-in-configmap", "high", "practice", "object", "move it to a Secret", _SECRETS, secret_in_config
    ),
    Check("image-tag", "medium", "practice", "container", "pin a version or a digest", _IMAGES, moving_tag),
    Check(
        "writable-root",
        "medium",
        "practice",
        "container",
        "readOnlyRootFilesystem: true",
        _CONTEXT,
        writable_root,
        _read_only_root,
    ),
    Check("no-requests", "medium", "practice", "container", "set them from usage", _RESOURCES, no_requests),
    Check("no-limits", "medium", "practice", "container", "set one from usage", _RESOURCES, no_limits),
    Check("no-readiness-probe", "medium", "practice", "container", "add one", _PROBES, no_readiness),
    Check(
        "no-liveness-probe", "info", "practice", "container", "add one if hangs happen", _PROBES, no_liveness
    ),
    Check(
        "default-token",
        "medium",
        "practice",
        "pod",
        "automountServiceAccountToken: false",
        f"{_DOCS}security/service-accounts/",
        default_token,
        _no_token,
    ),
    Check(
        "load-balancer-scheme",
        "medium",
        "practice",
        "object",
        "say internal or internet-facing",
        "https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html",
        open_balancer,
        _internal,
    ),
)
