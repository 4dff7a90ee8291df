"""GuardDuty, as far as readers ask it: detectors, and findings by criteria.

moto keeps detectors and no findings. Shapes are the service model's; criteria, sorting and errors those of
the API reference (ListFindings, GetFindings).
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, VPC_ID, Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations

DETECTOR = "12abc34d567e8fa901bc2d34e56789f0"
MOST_PAGE, MOST_IDS = 50, 50
Answer = Mapping[str, Any]
_BAD = "The request is rejected because {}"
_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "Gte": operator.ge,
    "GreaterThanOrEqual": operator.ge,
    "Gt": operator.gt,
    "GreaterThan": operator.gt,
    "Lt": operator.lt,
    "LessThan": operator.lt,
    "Lte": operator.le,
    "LessThanOrEqual": operator.le,
}


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """One finding. `body`: its members in the model's names, without the ids and times that are made here."""

    finding_id: str
    kind: str
    severity: float
    title: str
    first_seen: datetime
    last_seen: datetime
    resource: Mapping[str, Any]
    count: int = 1
    archived: bool = False


@dataclass(slots=True)
class GuardDuty:
    """The service's state. No detector: it is not enabled."""

    detectors: list[str] = field(default_factory=list)
    findings: dict[str, StoredFinding] = field(default_factory=dict)

    def find(self, *findings: StoredFinding) -> None:
        """Keep findings, and a detector that found them."""
        self.detectors = self.detectors or [DETECTOR]
        self.findings = self.findings | {one.finding_id: one for one in findings}


def guardduty_operations(account: Account) -> Operations:
    """The operations of service `guardduty`, bound to one account."""
    served: dict[str, Callable[[Account, Call], Answer]] = {
        "ListDetectors": list_detectors,
        "ListFindings": list_findings,
        "GetFindings": get_findings,
    }
    return {("guardduty", name): partial(act, account) for name, act in served.items()}


def list_detectors(account: Account, call: Call) -> Answer:
    """The region's detector, where GuardDuty is enabled."""
    found = account.area(GuardDuty).detectors if call.region == REGION else []
    return {"DetectorIds": list(found)}


def list_findings(account: Account, call: Call) -> Answer:
    """Ids of findings that meet the criteria. Raises AwsError BadRequestException."""
    known = _of(account, call)
    wanted = (call.params.get("FindingCriteria") or {}).get("Criterion") or {}
    rows = [one for one in known.values() if all(_meets(account, one, *each) for each in wanted.items())]
    order = call.params.get("SortCriteria") or {}
    name = str(order.get("AttributeName") or "updatedAt")
    rows.sort(
        key=lambda one: (_attribute(account, one, name), one.finding_id),
        reverse=order.get("OrderBy") == "DESC",
    )
    return _page("FindingIds", [one.finding_id for one in rows], call)


def get_findings(account: Account, call: Call) -> Answer:
    """Findings by id; those it does not know are left out. Raises AwsError BadRequestException."""
    known, ids = _of(account, call), list(call.params.get("FindingIds") or ())
    if len(ids) > MOST_IDS:
        raise AwsError("BadRequestException", _BAD.format("the parameter findingIds has too many members."))
    return {"Findings": [_finding(account, known[one]) for one in ids if one in known]}


def _of(account: Account, call: Call) -> dict[str, StoredFinding]:
    state = account.area(GuardDuty)
    if call.region != REGION or call.params.get("DetectorId") not in state.detectors:
        words = "the input detectorId is not owned by the current account."
        raise AwsError("BadRequestException", _BAD.format(words))
    now = account.now()
    return {name: one for name, one in state.findings.items() if one.first_seen <= now}


def _attribute(account: Account, one: StoredFinding, name: str) -> Any:
    """A filter attribute's value. Raises AwsError for one that the lab does not know."""
    details = one.resource.get("EksClusterDetails") or {}
    known: dict[str, Any] = {
        "service.archived": "true" if one.archived else "false",
        "severity": one.severity,
        "type": one.kind,
        "updatedAt": min(one.last_seen, account.now()).timestamp() * 1000,
        "resource.eksClusterDetails.name": details.get("Name", ""),
        "resource.resourceType": one.resource.get("ResourceType", ""),
        "id": one.finding_id,
    }
    if name not in known:
        raise AwsError("BadRequestException", _BAD.format(f"the lab does not know the attribute {name}."))
    return known[name]


def _meets(account: Account, one: StoredFinding, name: str, condition: Mapping[str, Any]) -> bool:
    there = _attribute(account, one, name)
    return all(_fits(sign, there, value) for sign, value in condition.items())


def _fits(sign: str, there: Any, value: Any) -> bool:
    if sign in {"Eq", "Equals", "Neq", "NotEquals"}:
        return (str(there) in value) == (sign in {"Eq", "Equals"})
    if sign not in _COMPARED:
        raise AwsError("BadRequestException", _BAD.format(f"the condition {sign} is not known."))
    return bool(_COMPARED[sign](there, value))


def _page(key: str, values: Iterable[str], call: Call) -> Answer:
    rows, token = list(values), str(call.params.get("NextToken") or "0")
    if not token.isdecimal() or int(token) > len(rows):
        raise AwsError("BadRequestException", _BAD.format("the parameter nextToken is invalid."))
    start = int(token)
    end = start + min(int(call.params.get("MaxResults") or MOST_PAGE), MOST_PAGE)
    return {key: rows[start:end], "NextToken": str(end) if end < len(rows) else ""}


def _finding(account: Account, one: StoredFinding) -> Answer:
    seen = min(one.last_seen, account.now())
    return {
        "SchemaVersion": "2.0",
        "AccountId": ACCOUNT_ID,
        "Region": REGION,
        "Partition": "aws",
        "Id": one.finding_id,
        "Arn": f"arn:aws:guardduty:{REGION}:{ACCOUNT_ID}:detector/{DETECTOR}/finding/{one.finding_id}",
        "Type": one.kind,
        "Resource": dict(one.resource),
        "Service": {
            "ServiceName": "guardduty",
            "DetectorId": DETECTOR,
            "FeatureName": "RuntimeMonitoring",
            "ResourceRole": "TARGET",
            "EventFirstSeen": _time(one.first_seen),
            "EventLastSeen": _time(seen),
            "Archived": one.archived,
            "Count": one.count,
        },
        "Severity": one.severity,
        "CreatedAt": _time(one.first_seen),
        "UpdatedAt": _time(seen),
        "Title": one.title,
        "Description": one.title,
    }


def eks_resource(account: Account, namespace: str, workload: str, kind: str, image: str) -> Answer:
    """The resource of a runtime finding about a container of the cluster."""
    return {
        "ResourceType": "EKSCluster",
        "EksClusterDetails": {
            "Name": account.cluster,
            "Arn": account.cluster_arn,
            "VpcId": VPC_ID,
            "Status": "ACTIVE",
            "CreatedAt": account.created_at,
        },
        "KubernetesDetails": {
            "KubernetesWorkloadDetails": {"Name": workload, "Type": kind, "Namespace": namespace}
        },
        "ContainerDetails": {"ContainerRuntime": "containerd", "Name": "app", "Image": image},
    }


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
