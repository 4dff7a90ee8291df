"""What of two pod templates, or two versions of an object, is different, a line each.

Old values come from ReplicaSets, ControllerRevisions or the journal only (D25). A variable whose name or
value looks like a secret is never shown; what comes from a Secret is a reference and no value.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiops_shared.kube.changes.reading import LONGEST_VALUE, Obj, leaves, part, short
from aiops_shared.kube.shapes import mapping, rows, text

Redact = Callable[[str], str]
MOST = 12
_CONTAINERS = ("initContainers", "containers")
_POD_FIELDS = ("nodeSelector", "affinity", "tolerations", "serviceAccountName", "securityContext", "volumes",
               "topologySpreadConstraints", "priorityClassName", "terminationGracePeriodSeconds")  # fmt: skip
_CONTAINER_FIELDS = ("command", "args", "ports", "envFrom", "volumeMounts", "livenessProbe", "readinessProbe",
                     "startupProbe", "lifecycle", "securityContext", "imagePullPolicy")  # fmt: skip


def template_differences(old: Obj, new: Obj, redact: Redact) -> tuple[str, ...]:
    """What decides how pods run and is not the same: image, resources, env, the rest by name."""
    return _differences(dict(_template(old)), dict(_template(new)), redact)


def object_differences(old: Mapping[str, Any], new: Mapping[str, Any], redact: Redact) -> tuple[str, ...]:
    """Differences of two flat views, path by path."""
    return _differences(old, new, redact)


def _template(template: Obj) -> Iterator[tuple[str, Any]]:
    spec = part(template, "spec")
    for group in _CONTAINERS:
        for container in rows(spec, group):
            yield from _container(container)
    for key in _POD_FIELDS:
        yield from leaves(spec.get(key), key)


def _container(container: Obj) -> Iterator[tuple[str, Any]]:
    name = text(container.get("name"))
    yield f"{name} image", container.get("image")
    for group in ("limits", "requests"):
        for key, value in part(container, "resources", group).items():
            yield f"{name} {group}.{key}", value
    for variable in rows(container, "env"):
        source = mapping(variable.get("valueFrom"))
        value = variable.get("value", "") if not source else _reference(source)
        yield f"{name} env {text(variable.get('name'))}", value
    for key in _CONTAINER_FIELDS:
        yield from leaves(container.get(key), f"{name} {key}")


def _reference(source: Obj) -> str:
    """Where a variable's value comes from."""
    for kind, about in source.items():
        return f"from {kind} {mapping(about).get('name', '')}.{mapping(about).get('key', '')}"
    return ""


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], redact: Redact) -> tuple[str, ...]:
    changed = [key for key in dict.fromkeys((*new, *old)) if old.get(key) != new.get(key)]
    said = [_said(key, old.get(key), new.get(key), redact) for key in changed[:MOST]]
    more = len(changed) - MOST
    return (*said, f"and {more} more") if more > 0 else tuple(said)


def _said(key: str, was: Any, now: Any, redact: Redact) -> str:
    if key.endswith(" image") and was and now:
        was, now = _images(str(was), str(now))
    return f"{short(key)} {_shown(key, was, redact)} → {_shown(key, now, redact)}"


def _images(was: str, now: str) -> tuple[str, str]:
    """Two images by what tells them apart, the tag or digest at their end: registries fill the line."""
    at = was.rfind("/") + 1
    if was[:at] == now[: now.rfind("/") + 1]:
        was, now = was[at:], now[at:]
    return _ending(was), _ending(now)


def _ending(image: str) -> str:
    return image if len(image) <= LONGEST_VALUE else f"…{image[1 - LONGEST_VALUE :]}"


def _shown(key: str, value: Any, redact: Redact) -> str:
    """The value, unless the redactor would touch it under its own name."""
    if value is None or value == "":
        return "none"
    plain = f"{key.split(' ')[-1].split('.')[-1]}={value}"
    return short(value) if redact(plain) == plain else "(hidden)"
