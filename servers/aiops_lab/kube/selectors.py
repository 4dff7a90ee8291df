"""Field selectors as list and watch take them, beside the label selectors.

Grammar after k8s.io/apimachinery/pkg/fields; which fields a kind supports after each kind's strategy
(`GetAttrs`, `ToSelectableFields`).
"""

import re

from aiops_lab.kube.errors import bad_request
from aiops_lab.kube.label_selectors import Matches, matches_selector, parse_labels
from aiops_lab.kube.wire import Obj, dig

__all__ = ["Matches", "exact_name", "matches_selector", "parse_fields", "parse_labels"]

_COMMON_FIELDS = frozenset({"metadata.name", "metadata.namespace"})
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FIELDS_BY_KIND: dict[str, frozenset[str]] = {
    "Pod": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
    "Event": frozenset(
        {"reason", "type", "source", "reportingComponent"}
        | {f"involvedObject.{part}" for part in _INVOLVED}
        | {f"regarding.{part}" for part in _INVOLVED}
    ),
    "Node": frozenset({"spec.unschedulable"}),
    "Namespace": frozenset({"status.phase"}),
    "Secret": frozenset({"type"}),
    "Service": frozenset({"spec.clusterIP", "spec.type"}),
    "ReplicaSet": frozenset({"status.replicas"}),
    "ReplicationController": frozenset({"status.replicas"}),
    "Job": frozenset({"status.successful"}),
}
_FALSE_WHEN_ABSENT = frozenset({"spec.unschedulable", "spec.hostNetwork"})


def _field_value(obj: Obj, field: str) -> str:
    if field == "source":
        return str(dig(obj, "source", "component", default="") or obj.get("reportingComponent", ""))
    if field == "status.successful":
        field = "status.succeeded"
    field = field.replace("regarding.", "involvedObject.", 1)
    absent: object = ""
    if field in _FALSE_WHEN_ABSENT:
        absent = False
    elif field.startswith("status.") and field.endswith(("replicas", "succeeded")):
        absent = 0
    value = dig(obj, *field.split("."), default=absent)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _terms(text: str) -> list[str]:
    """Comma-separated terms; a backslash keeps what follows it (fields.splitTerms)."""
    return [term for term in re.split(r"(?<!\\),", text) if term]


def _one_field(term: str, kind: str, *, custom: bool) -> tuple[str, str, bool]:
    """Field, value and whether equal is wanted. Raises ApiError 400."""
    found = re.search(r"!=|==|=", term)
    if found is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    field, value = term[: found.start()], term[found.end() :]
    if unescaped := re.search(r"(?<!\\)[=,]", value):
        raise bad_request(f"invalid field selector: unescaped character in value: {ord(unescaped[0])}")
    if field not in _COMMON_FIELDS and field not in _FIELDS_BY_KIND.get(kind, frozenset()):
        raise bad_request(_unknown_field(field, kind, custom=custom))
    return field, re.sub(r"\\(.)", r"\1", value), found[0] != "!="


def _unknown_field(field: str, kind: str, *, custom: bool) -> str:
    """A kind with a conversion of its own says it in its own words; the others in the default's."""
    if kind == "Job":
        return f'field label "{field}" not supported for Job'
    if custom or kind in _FIELDS_BY_KIND:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def parse_fields(text: str | None, kind: str, *, custom: bool = False) -> Matches | None:
    """Compile a field selector for one kind; None when it selects everything. Raises ApiError 400."""
    terms = [_one_field(term, kind, custom=custom) for term in _terms(text or "")]
    if not terms:
        return None
    return lambda obj: all((_field_value(obj, field) == value) == equal for field, value, equal in terms)


def exact_name(text: str | None) -> str | None:
    """The name a field selector pins (`metadata.name=x`); RBAC judges such a list by that name."""
    for term in (text or "").split(","):
        field, found, value = term.replace("==", "=").partition("=")
        if found and field == "metadata.name" and value:
            return value
    return None
