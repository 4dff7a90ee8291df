"""Validation of pods and pod templates (pkg/apis/core/validation)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from aiops_lab.kube.errors import FieldError
from aiops_lab.kube.naming import label_problem
from aiops_lab.kube.quantities import parse_quantity
from aiops_lab.kube.wire import Obj, clone, dig

_RESTARTS = ("Always", "OnFailure", "Never")
_PULLS = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def unsupported(field: str, value: Any, supported: tuple[str, ...]) -> FieldError:
    """A word outside a closed set."""
    listed = ", ".join(f'"{word}"' for word in supported)
    return FieldError(field, f"supported values: {listed}", value, "Unsupported value")


def required(field: str, detail: str = "") -> FieldError:
    """A missing field."""
    return FieldError(field, detail, "", "Required value")


def pod_spec_errors(spec: Any, field: str, restarts: tuple[str, ...] = _RESTARTS) -> Iterator[FieldError]:
    """What is wrong with a pod's spec."""
    if not isinstance(spec, dict) or not spec.get("containers"):
        yield required(f"{field}.containers")
        return
    if spec.get("restartPolicy") not in restarts:
        yield unsupported(f"{field}.restartPolicy", spec.get("restartPolicy"), restarts)
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    yield from _name_errors(spec.get("volumes") or [], f"{field}.volumes")
    for part in ("containers", "initContainers"):
        held = spec.get(part) or []
        yield from _name_errors(held, f"{field}.{part}")
        for index, container in enumerate(held):
            yield from _container_errors(container, volumes, f"{field}.{part}[{index}]")


def _name_errors(named: list[Obj], field: str) -> Iterator[FieldError]:
    counts = Counter(one.get("name") for one in named)
    for index, one in enumerate(named):
        name = one.get("name")
        if not name:
            yield required(f"{field}[{index}].name")
        elif problem := label_problem(name):
            yield FieldError(f"{field}[{index}].name", problem, name)
        elif counts[name] > 1 and any(other.get("name") == name for other in named[:index]):
            yield FieldError(f"{field}[{index}].name", "", name, "Duplicate value")


def _container_errors(container: Obj, volumes: set[Any], field: str) -> Iterator[FieldError]:
    if not container.get("image"):
        yield required(f"{field}.image")
    elif container["image"] != container["image"].strip():
        yield FieldError(f"{field}.image", "must not have leading or trailing whitespace", container["image"])
    if container.get("imagePullPolicy") not in _PULLS:
        yield unsupported(f"{field}.imagePullPolicy", container.get("imagePullPolicy"), _PULLS)
    for index, port in enumerate(container.get("ports") or []):
        yield from _port_errors(port, f"{field}.ports[{index}]")
    for index, variable in enumerate(container.get("env") or []):
        yield from _variable_errors(variable, f"{field}.env[{index}]")
    for index, mount in enumerate(container.get("volumeMounts") or []):
        yield from _mount_errors(mount, volumes, f"{field}.volumeMounts[{index}]")
    yield from _resource_errors(container.get("resources") or {}, f"{field}.resources")


def _variable_errors(variable: Obj, field: str) -> Iterator[FieldError]:
    if not variable.get("name"):
        yield required(f"{field}.name")
    if variable.get("value") and variable.get("valueFrom"):
        yield FieldError(f"{field}.valueFrom", "may not be specified when `value` is not empty", "")


def _mount_errors(mount: Obj, volumes: set[Any], field: str) -> Iterator[FieldError]:
    if mount.get("name") not in volumes:
        yield FieldError(f"{field}.name", "", mount.get("name"), "Not found")
    if not mount.get("mountPath"):
        yield required(f"{field}.mountPath")


def _port_errors(port: Obj, field: str) -> Iterator[FieldError]:
    number = port.get("containerPort")
    if number is None:
        yield required(f"{field}.containerPort")
    elif not 0 < number < 65536:
        yield FieldError(f"{field}.containerPort", "must be between 1 and 65535, inclusive", number)
    if port.get("protocol") not in _PROTOCOLS:
        yield unsupported(f"{field}.protocol", port.get("protocol"), _PROTOCOLS)


def _resource_errors(resources: Obj, field: str) -> Iterator[FieldError]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, held in (("limits", limits), ("requests", requests)):
        for name, value in held.items():
            amount = parse_quantity(value)
            if amount is None:
                yield FieldError(
                    f"{field}.{part}[{name}]",
                    "quantities must match the regular expression "
                    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                    value,
                )
            elif amount < 0:
                yield FieldError(f"{field}.{part}[{name}]", "must be greater than or equal to 0", value)
    for name, value in requests.items():
        asked, limit = parse_quantity(value), parse_quantity(limits.get(name))
        if asked is not None and limit is not None and asked > limit:
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            yield FieldError(f"{field}.requests", detail, value)


def pod_change_errors(new: Obj, old: Obj) -> Iterator[FieldError]:
    """A running pod's spec is nearly frozen; a scheduler may still give it its node."""
    if _frozen(new["spec"], old["spec"]) != _frozen(old["spec"], old["spec"]):
        yield FieldError("spec", _MAY_CHANGE, None, "Forbidden")


def _frozen(spec: Obj, old: Obj) -> Obj:
    held = clone(spec)
    for part in ("containers", "initContainers"):
        for container in held.get(part) or []:
            container.pop("image", None)
    for field in ("activeDeadlineSeconds", "ephemeralContainers", "schedulingGates"):
        held.pop(field, None)
    if not dig(old, "nodeName"):
        held.pop("nodeName", None)
    kept = old.get("tolerations") or []
    if all(toleration in (held.get("tolerations") or []) for toleration in kept):
        held["tolerations"] = kept
    return held
