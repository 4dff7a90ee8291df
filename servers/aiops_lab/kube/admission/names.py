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

_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_MOST_ANNOTATION_BYTES = 256 * 1024


def _problem_of(resource: Resource, name: str) -> str:
    if resource.group == "rbac.authorization.k8s.io":
        return segment_problem(name)
    if resource.storage == "Namespace.":
        return "must not contain dots" if label_problem(name) and "." in name else label_problem(name)
    return label_1035_problem(name) if resource.storage == "Service." else subdomain_problem(name)


def name_errors(resource: Resource, obj: Obj) -> Iterator[FieldError]:
    """What is wrong with the object's own name."""
    name = name_of(obj)
    problem = _problem_of(resource, name)
    if problem:
        stem = obj["metadata"].get("generateName")
        if stem and _problem_of(resource, str(stem).rstrip("-.") + "a"):
            yield FieldError("metadata.generateName", problem, stem)
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
    for index, finalizer in enumerate(meta.get("finalizers") or []):
        if "/" not in str(finalizer) and finalizer not in _STANDARD_FINALIZERS:
            words = "name is neither a standard finalizer name nor is it fully qualified"
            yield FieldError(f"{field}.finalizers[{index}]", words, finalizer)
    for owner in meta.get("ownerReferences") or []:
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                yield FieldError(
                    f"{field}.ownerReferences.{part}",
                    f"{'version' if part == 'apiVersion' else part} must not be empty",
                    owner.get(part, ""),
                )
