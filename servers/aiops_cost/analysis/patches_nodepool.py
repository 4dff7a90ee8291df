"""NodePool patches: which machines Karpenter may buy, as YAML that is checked before anybody sees it. Pure.

A patch names its object and the fields that change; requirements are replaced as a whole list, as the API
server's apply does. The rules are those of the CRD `nodepools.karpenter.sh` (v1): keys are qualified names,
operators of a closed set, weight 1..100, budgets. Called by the advisers of nodes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from aiops_cost.analysis.fleet import Pool
from aiops_cost.analysis.pod_rules import Expression
from aiops_cost.analysis.pool_slices import CHANGED, KARPENTER
from aiops_shared.kube.quantities import amount

Obj = dict[str, Any]
VERSION: Final = "karpenter.sh/v1"
CAPACITY: Final = "karpenter.sh/capacity-type"
CHECKED: Final = (
    "checked against the rules of nodepools.karpenter.sh/v1; for the API server's dry run:"
    " plan_manifest(action=apply)"
)
OPERATORS: Final = frozenset({"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"})
MOST_REQUIREMENTS: Final = 100
_CLASS: Final = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass"}
_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9][-A-Za-z0-9_.]{0,62}"
)
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def requirements_with(pool: Pool, *changes: Expression) -> tuple[Expression, ...]:
    """The pool's requirements, with these in the place of what they or a choice of machines said before."""
    replaced = {key for key, _, _ in changes}
    if any(key in CHANGED for key in replaced):
        replaced |= CHANGED
    held = [
        (key, operator, values)
        for key, (operator, values) in pool.requirements.items()
        if key not in replaced
    ]
    return (*changes, *held)


def machines(family: str, size: str) -> tuple[Expression, Expression]:
    """Only this family and size."""
    return (KARPENTER + "family", "In", (family,)), (KARPENTER + "size", "In", (size,))


def nodepool(
    name: str,
    requirements: Sequence[Expression],
    *,
    cores: float = 0.0,
    weight: int = 0,
    node_class: str = "",
) -> Obj:
    """A NodePool's patch. `cores`: its new limit of CPU; `node_class`: of a pool that is new, which must name
    one.
    """
    inner: Obj = {"nodeClassRef": {**_CLASS, "name": node_class}} if node_class else {}
    inner |= {
        "requirements": [
            {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
            for key, operator, values in requirements
        ]
    }
    spec: Obj = {"template": {"spec": inner}}
    if cores:
        spec["limits"] = {"cpu": f"{cores:g}"}
    if weight:
        spec["weight"] = weight
    return {"apiVersion": VERSION, "kind": "NodePool", "metadata": {"name": name}, "spec": spec}


def yaml_of(patch: Obj) -> str:
    """The patch as text. Raises ValueError for one that its CRD would refuse: none is ever shown."""
    wrong = tuple(faults(patch))
    if wrong:
        raise ValueError("; ".join(wrong))
    return yaml.dump(patch, Dumper=_Terse, sort_keys=False, width=200)


class _Terse(yaml.SafeDumper):
    """Requirements and taints take a line each: a patch costs half the tokens."""

    def represent_mapping(self, tag: Any, mapping: Any, flow_style: Any = None) -> Any:
        """Mappings that name a key, a class or a label stand in one line."""
        short = {"key", "cpu", "name", "operator"} & set(mapping) and "spec" not in mapping
        return super().represent_mapping(tag, mapping, flow_style=bool(short))


def faults(patch: Mapping[str, Any]) -> Iterator[str]:
    """What the CRD would refuse."""
    if (patch.get("apiVersion"), patch.get("kind")) != (VERSION, "NodePool"):
        yield "is no NodePool of karpenter.sh/v1"
    if not _NAME.fullmatch(str((patch.get("metadata") or {}).get("name"))):
        yield "metadata.name is no name"
    spec = patch.get("spec") or {}
    if "weight" in spec and not (isinstance(spec["weight"], int) and 1 <= spec["weight"] <= 100):
        yield "spec.weight is between 1 and 100"
    for word, quantity in (spec.get("limits") or {}).items():
        if amount(quantity) is None:
            yield f"spec.limits.{word} is no quantity"
    inner = (spec.get("template") or {}).get("spec") or {}
    found = inner.get("requirements") or []
    if not 0 < len(found) <= MOST_REQUIREMENTS:
        yield f"needs 1 to {MOST_REQUIREMENTS} requirements"
    for one in found:
        yield from _requirement_faults(one)
    for taint in inner.get("taints") or []:
        if taint.get("effect") not in {"NoSchedule", "PreferNoSchedule", "NoExecute"}:
            yield "a taint has no effect"


def _requirement_faults(one: Mapping[str, Any]) -> Iterator[str]:
    key, operator, values = str(one.get("key")), one.get("operator"), one.get("values") or []
    if not _KEY.fullmatch(key):
        yield f"{key!r} is no label"
    if operator not in OPERATORS:
        yield f"{key}: operator {operator!r}"
    if (operator in {"In", "NotIn"}) != bool(values) and operator not in {"Gt", "Lt", "Gte", "Lte"}:
        yield f"{key}: {operator} with {len(values)} values"
    if operator in {"Gt", "Lt", "Gte", "Lte"} and not (len(values) == 1 and str(values[0]).isdigit()):
        yield f"{key}: {operator} takes one whole number"
    if not all(_VALUE.fullmatch(str(value)) for value in values):
        yield f"{key}: a value is no label value"
