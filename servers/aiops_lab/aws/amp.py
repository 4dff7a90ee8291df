"""Amazon Managed Service for Prometheus of the lab: workspaces and their rule groups, as far as readers ask.

The data plane of a workspace is `observatory/amp.py`; its address here is on loopback and, as AWS's, ends
with a slash. What the lab lets a workspace hold is the world's telemetry, so that all of them say the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import yaml

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.telemetry import Telemetry

AMP_WORKSPACE = "ws-11111111-2222-4333-8444-555555555555"  # what the lab's export names
RETENTION_DAYS = 150  # the service's default
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace. `status`: CREATING, ACTIVE, UPDATING, DELETING or CREATION_FAILED."""

    workspace_id: str = AMP_WORKSPACE
    alias: str = "platform-metrics"
    status: str = "ACTIVE"
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:aps:{REGION}:{ACCOUNT_ID}:workspace/{self.workspace_id}"


@dataclass(slots=True)
class AmpState:
    """The workspaces of one account, by id; the first one is what the lab's export names."""

    workspaces: dict[str, Workspace] = field(default_factory=lambda: {AMP_WORKSPACE: Workspace()})


def amp_operations(account: Account) -> Operations:
    """The operations of service `amp` that the lab serves."""
    served = {
        "ListWorkspaces": list_workspaces,
        "DescribeWorkspace": describe_workspace,
        "DescribeWorkspaceConfiguration": describe_workspace_configuration,
        "ListRuleGroupsNamespaces": list_rule_groups_namespaces,
        "DescribeRuleGroupsNamespace": describe_rule_groups_namespace,
        "ListAnomalyDetectors": list_anomaly_detectors,
    }
    return {("amp", name): partial(act, account) for name, act in served.items()}


def _find(account: Account, call: Call) -> Workspace:
    workspace_id = str(call.params.get("workspaceId") or "")
    found = account.area(AmpState).workspaces.get(workspace_id)
    if found is None:
        raise not_found(f"Workspace not found: {workspace_id}")
    return found


def _told(account: Account, one: Workspace) -> dict[str, Any]:
    return {
        "workspaceId": one.workspace_id,
        "alias": one.alias,
        "arn": one.arn,
        "status": {"statusCode": one.status},
        "createdAt": _since(account),
        "tags": dict(one.tags),
    }


def _since(account: Account) -> datetime:
    return account.created_at + timedelta(days=1)


def list_workspaces(account: Account, call: Call) -> Answer:
    """By alias prefix, in pages. Raises AwsError ValidationException for a token that is none."""
    known = sorted(account.area(AmpState).workspaces.values(), key=lambda one: one.workspace_id)
    wanted = [one for one in known if one.alias.startswith(str(call.params.get("alias") or ""))]
    page, token = _page(wanted, call)
    return {"workspaces": [_told(account, one) for one in page]} | token


def _page(rows: list[Any], call: Call) -> tuple[list[Any], dict[str, str]]:
    most, text = int(call.params.get("maxResults") or 100), str(call.params.get("nextToken") or "0")
    if not text.isdecimal():
        raise AwsError("ValidationException", "Invalid nextToken", 400)
    start = int(text)
    token = {"nextToken": str(start + most)} if start + most < len(rows) else {}
    return rows[start : start + most], token


def describe_workspace(account: Account, call: Call) -> Answer:
    """One workspace and where its API is. Raises AwsError ResourceNotFoundException."""
    one = _find(account, call)
    endpoint = f"{account.observatory_url}/amp/workspaces/{one.workspace_id}/"
    return {"workspace": {**_told(account, one), "prometheusEndpoint": endpoint}}


def describe_workspace_configuration(account: Account, call: Call) -> Answer:
    """Retention. Raises AwsError ResourceNotFoundException."""
    _find(account, call)
    told = {"status": {"statusCode": "ACTIVE"}, "retentionPeriodInDays": RETENTION_DAYS}
    return {"workspaceConfiguration": {**told, "limitsPerLabelSet": []}}


def list_rule_groups_namespaces(account: Account, call: Call) -> Answer:
    """The files that hold the world's rules. Raises AwsError ResourceNotFoundException."""
    one, wanted = _find(account, call), str(call.params.get("name") or "")
    names = sorted({rule.group for rule in account.area(Telemetry).rules.rules})
    page, token = _page([name for name in names if name.startswith(wanted)], call)
    return {"ruleGroupsNamespaces": [_namespace(account, one, name) for name in page]} | token


def describe_rule_groups_namespace(account: Account, call: Call) -> Answer:
    """One file of rules, as YAML. Raises AwsError ResourceNotFoundException."""
    one, name = _find(account, call), str(call.params.get("name") or "")
    rules = [rule for rule in account.area(Telemetry).rules.rules if rule.group == name]
    if not rules:
        raise not_found(f"Rule groups namespace not found: {name}")
    written = [
        {"alert" if rule.alert else "record": rule.name, "expr": rule.query}
        | ({"for": f"{rule.for_s:.0f}s"} if rule.for_s else {})
        | ({"labels": dict(rule.labels)} if rule.labels else {})
        | ({"annotations": dict(rule.annotations)} if rule.annotations else {})
        for rule in rules
    ]
    data = yaml.safe_dump({"groups": [{"name": name, "rules": written}]}, sort_keys=False).encode()
    return {"ruleGroupsNamespace": {**_namespace(account, one, name), "data": data}}


def list_anomaly_detectors(account: Account, call: Call) -> Answer:
    """None: no story has one. Raises AwsError ResourceNotFoundException."""
    _find(account, call)
    return {"anomalyDetectors": []}


def _namespace(account: Account, one: Workspace, name: str) -> dict[str, Any]:
    arn = one.arn.replace(":workspace/", ":rulegroupsnamespace/")
    return {
        "arn": f"{arn}/{name}",
        "name": name,
        "status": {"statusCode": "ACTIVE"},
        "createdAt": _since(account),
        "modifiedAt": _since(account),
        "tags": {},
    }
