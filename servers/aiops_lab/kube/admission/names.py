"""Names, labels and annotations (k8s.io/apimachinery/pkg/api/validation and pkg/util/validation)."""

from collections.abc import Iterator

from aiops_lab.kube.errors import FieldError
from aiops_lab.kube.naming import (
    key_problem,
    label_1035_problem,
    label_problem,
    label_value_problem,
    segment_problem,
    subdomain_problem,
)
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, name_of

_MOST_ANNOTATION_BYTES = 256 * 1024


def name_errors(resource: Resource, obj: Obj) -> Iterator[FieldError]:
    """What is wrong with the object's own name."""
    name = name_of(obj)
    if resource.group == "rbac.authorization.k8s.io":
        problem = segment_problem(name)
    elif resource.storage == "Namespace.":
        problem = label_problem(name)
    elif resource.storage == "Service.":
        problem = label_1035_problem(name)
    else:
        problem = subdomain_problem(name)
    if problem:
        yield FieldError("metadata.name", problem, name)


def label_errors(labels: dict[str, str], field: str) -> Iterator[FieldError]:
    """What is wrong with labels."""
    for key, value in labels.items():
        if problem := key_problem(key):
            yield FieldError(field, problem, key)
        if problem := label_value_problem(value):
            yield FieldError(field, problem, value)


def metadata_errors(meta: Obj, field: str = "metadata") -> Iterator[FieldError]:
    """What is wrong with labels, annotations and owners."""
    yield from label_errors(meta.get("labels") or {}, f"{field}.labels")
    annotations = meta.get("annotations") or {}
    for key in annotations:
        if problem := key_problem(key.lower()):
            yield FieldError(f"{field}.annotations", problem, key)
    if sum(len(k) + len(v) for k, v in annotations.items()) > _MOST_ANNOTATION_BYTES:
        yield FieldError(
            f"{field}.annotations", f"may not be more than {_MOST_ANNOTATION_BYTES} bytes", None, "Too long"
        )
    for index, owner in enumerate(meta.get("ownerReferences") or []):
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                yield FieldError(
                    f"{field}.ownerReferences[{index}].{part}",
                    f"{part} must not be empty",
                    owner.get(part, ""),
                )
