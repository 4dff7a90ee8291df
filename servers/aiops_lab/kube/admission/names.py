"""Names, labels and annotations (k8s.io/apimachinery/pkg/api/validation and pkg/util/validation)."""

import re
from collections.abc import Iterator

from aiops_lab.kube.errors import FieldError
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, name_of

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LONGEST_LABEL, _LONGEST_NAME, _MOST_ANNOTATION_BYTES = 63, 253, 256 * 1024

_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def label_problem(name: str) -> str:
    """Why a name is no RFC 1123 label; empty where it is one."""
    if len(name) > _LONGEST_LABEL:
        return f"must be no more than {_LONGEST_LABEL} characters"
    return "" if LABEL.fullmatch(name) else _LABEL_WORDS


def _label_1035_problem(name: str) -> str:
    if len(name) > _LONGEST_LABEL:
        return f"must be no more than {_LONGEST_LABEL} characters"
    return "" if _LABEL_1035.fullmatch(name) else _LABEL_1035_WORDS


def _subdomain_problem(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        return f"must be no more than {_LONGEST_NAME} characters"
    return "" if _SUBDOMAIN.fullmatch(name) else _SUBDOMAIN_WORDS


def _segment_problem(name: str) -> str:
    if name in {".", ".."}:
        return f"may not be '{name}'"
    return "may not contain '/' or '%'" if set(name) & {"/", "%"} else ""


def name_errors(resource: Resource, obj: Obj) -> Iterator[FieldError]:
    """What is wrong with the object's own name."""
    name = name_of(obj)
    if resource.group == "rbac.authorization.k8s.io":
        problem = _segment_problem(name)
    elif resource.storage == "Namespace.":
        problem = label_problem(name)
    elif resource.storage == "Service.":
        problem = _label_1035_problem(name)
    else:
        problem = _subdomain_problem(name)
    if problem:
        yield FieldError("metadata.name", problem, name)


def key_problem(key: str) -> str:
    """Why a key of labels or annotations is none; empty where it is one."""
    prefix, slash, name = key.rpartition("/")
    if slash and (problem := _subdomain_problem(prefix)):
        return f"prefix part {problem}"
    if len(name) > _LONGEST_LABEL:
        return f"name part must be no more than {_LONGEST_LABEL} characters"
    return "" if _QUALIFIED.fullmatch(name) else _QUALIFIED_WORDS


def label_value_problem(value: str) -> str:
    """Why a text is no label value; empty where it is one."""
    if len(value) > _LONGEST_LABEL:
        return f"must be no more than {_LONGEST_LABEL} characters"
    return "" if not value or _QUALIFIED.fullmatch(value) else _VALUE_WORDS


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
