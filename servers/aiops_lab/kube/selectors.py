"""Label and field selectors as list and watch take them.

Grammar after k8s.io/apimachinery/pkg/labels and pkg/fields; which fields a kind
supports after each kind's strategy (`GetAttrs`, `ToSelectableFields`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from aiops_lab.kube.errors import bad_request
from aiops_lab.kube.wire import Obj, dig

Matches = Callable[[Obj], bool]

_KEY = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_EQUALITY = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*({_VALUE})\s*")
_MEMBERSHIP = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*")
_EXISTENCE = re.compile(rf"\s*(!?)\s*({_KEY})\s*")
_ONE_VALUE = re.compile(_VALUE)

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


@dataclass(frozen=True)
class _Requirement:
    key: str
    values: frozenset[str] | None  # None: any value, the key alone counts
    wanted: bool

    def holds(self, labels: dict[str, str]) -> bool:
        """`!=` and `notin` also hold where the label is missing."""
        there = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return there == self.wanted


def _one_requirement(text: str, at: int) -> tuple[_Requirement, int]:
    if found := _MEMBERSHIP.match(text, at):
        values = frozenset(part.strip() for part in found[3].split(","))
        if all(_ONE_VALUE.fullmatch(value) for value in values):
            return _Requirement(found[1], values, found[2] == "in"), found.end()
    if found := _EQUALITY.match(text, at):
        return _Requirement(found[1], frozenset({found[3]}), found[2] != "!="), found.end()
    if found := _EXISTENCE.match(text, at):
        return _Requirement(found[2], None, not found[1]), found.end()
    raise bad_request(f'unable to parse requirement: found "{text[at : at + 40]}", expected: identifier')


def parse_labels(text: str | None) -> Matches | None:
    """Compile a label selector; None when it selects everything. Raises ApiError 400."""
    if not text or not text.strip():
        return None
    requirements: list[_Requirement] = []
    at = 0
    while True:
        requirement, at = _one_requirement(text, at)
        requirements.append(requirement)
        if at == len(text):
            break
        if text[at] != ",":
            raise bad_request(f'unable to parse requirement: found "{text[at:]}", expected: "," or end')
        at += 1
    return lambda obj: _all_hold(requirements, obj)


def _all_hold(requirements: list[_Requirement], obj: Obj) -> bool:
    labels = dig(obj, "metadata", "labels", default={})
    return all(requirement.holds(labels) for requirement in requirements)


def matches_selector(selector: Obj | None, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector object (matchLabels, matchExpressions) selects these labels.

    An empty selector selects everything, an absent one nothing (metav1.LabelSelectorAsSelector).
    """
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or []:
        operator, values = expression.get("operator"), expression.get("values")
        bare = operator in {"Exists", "DoesNotExist"}
        wanted = operator in {"Exists", "In"}
        members = None if bare else frozenset(values or ())
        if not _Requirement(expression.get("key", ""), members, wanted).holds(labels):
            return False
    return True


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


def _one_field(term: str, kind: str) -> tuple[str, str, bool]:
    for operator in ("!=", "==", "="):
        field, found, value = term.partition(operator)
        if found:
            break
    else:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    if field not in _COMMON_FIELDS and field not in _FIELDS_BY_KIND.get(kind, frozenset()):
        raise bad_request(f"field label not supported: {field}")
    return field, value, operator != "!="


def parse_fields(text: str | None, kind: str) -> Matches | None:
    """Compile a field selector for one kind; None when it selects everything. Raises ApiError 400."""
    terms = [_one_field(term, kind) for term in (text or "").split(",") if term]
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
