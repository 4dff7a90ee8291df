"""EKS: Kubernetes versions with their end of support, updates, and EKS Capabilities.

Dates are those of the EKS user guide's release calendar; which of them are past is told by world time.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, KUBERNETES_VERSION, REGION, Account
from aiops_lab.aws.addon_state import settle
from aiops_lab.aws.eks import Answer, health_issue, page, require_cluster
from aiops_lab.aws.eks_state import Capability, EksState, Update
from aiops_lab.aws.errors import not_found
from aiops_lab.aws.overlay import Call, Operations

# Version -> released, end of standard support, end of extended support, as of `AS_OF`. The calendar moves
# with
# T0: what is near its end in a story stays so, and the common world's own version never comes near it.
AS_OF = datetime(2026, 11, 22, tzinfo=UTC)
CALENDAR = {
    "1.35": ("2026-01-27", "2027-03-27", "2028-03-27"),
    "1.34": ("2025-10-02", "2026-12-02", "2027-12-02"),
    "1.33": ("2025-05-29", "2026-07-29", "2027-07-29"),
    "1.32": ("2025-01-23", "2026-03-23", "2027-03-23"),
    "1.31": ("2024-09-26", "2025-11-26", "2026-11-26"),
    "1.30": ("2024-05-23", "2025-07-23", "2026-07-23"),
}
# EKS user guide, "Provisioned Control Plane": how large the database may grow; "standard" is not listed.
DATABASE_GB = {"tier-xl": 16, "tier-2xl": 16, "tier-4xl": 16, "tier-8xl": 16}


def eks_lifecycle_operations(account: Account) -> Operations:
    """The operations of service `eks` about versions, updates and capabilities, bound to one account."""
    return {
        ("eks", "DescribeClusterVersions"): partial(describe_cluster_versions, account),
        ("eks", "ListUpdates"): partial(list_updates, account),
        ("eks", "DescribeUpdate"): partial(describe_update, account),
        ("eks", "ListCapabilities"): partial(list_capabilities, account),
        ("eks", "DescribeCapability"): partial(describe_capability, account),
    }


def describe_cluster_versions(account: Account, call: Call) -> Answer:
    """The Kubernetes versions that EKS runs, newest first."""
    wanted = call.params.get("clusterVersions")
    rows = [_version(account, version) for version in CALENDAR if not wanted or version in wanted]
    if not wanted and not call.params.get("includeAll"):
        rows = [row for row in rows if row["versionStatus"] != "UNSUPPORTED"]
    if status := call.params.get("versionStatus"):
        rows = [row for row in rows if row["versionStatus"] == status]
    return page("clusterVersions", rows, call)


def _version(account: Account, version: str) -> dict[str, Any]:
    moved = timedelta(days=(account.started_at - AS_OF).days)
    released, standard, extended = (_day(text) + moved for text in CALENDAR[version])
    now = account.now()
    status = "STANDARD_SUPPORT" if now < standard else "EXTENDED_SUPPORT" if now < extended else "UNSUPPORTED"
    return {
        "clusterVersion": version,
        "clusterType": "eks",
        "defaultVersion": version == KUBERNETES_VERSION,
        "releaseDate": released,
        "endOfStandardSupportDate": standard,
        "endOfExtendedSupportDate": extended,
        "status": status.lower().replace("_", "-"),
        "versionStatus": status,
        "controlPlaneScalingTiers": [
            {"tierName": tier, "clusterDatabaseSizeGb": size} for tier, size in DATABASE_GB.items()
        ],
    }


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def list_updates(account: Account, call: Call) -> Answer:
    """Ids of the updates of the cluster, or of what is named."""
    require_cluster(account, call, call.params["name"])
    return page("updateIds", [one.update_id for one in _updates(account, call)], call)


def describe_update(account: Account, call: Call) -> Answer:
    """One update with its errors."""
    require_cluster(account, call, call.params["name"])
    wanted = call.params["updateId"]
    found = next((one for one in _updates(account, call) if one.update_id == wanted), None)
    if found is None:
        raise not_found(f"No update found for ID: {wanted}")
    return {"update": update_answer(found)}


def update_answer(update: Update) -> Answer:
    """`Update`, as DescribeUpdate and what begins one answer."""
    return {
        "id": update.update_id,
        "status": update.status,
        "type": update.kind,
        "params": [{"type": kind, "value": value} for kind, value in update.params],
        "createdAt": update.at,
        "errors": [
            {"errorCode": code, "errorMessage": text, "resourceIds": list(resources)}
            for code, text, resources in update.errors
        ],
    }


def _updates(account: Account, call: Call) -> Iterable[Update]:
    settle(account)
    asked = tuple(call.params.get(key) or "" for key in ("addonName", "nodegroupName", "capabilityName"))
    held = account.area(EksState).updates.values()
    return [one for one in held if (one.addon, one.nodegroup, one.capability) == asked]


def list_capabilities(account: Account, call: Call) -> Answer:
    """The capabilities of the cluster."""
    require_cluster(account, call, call.params["clusterName"])
    held = account.area(EksState).capabilities.values()
    return page("capabilities", [_summary(account, one) for one in held], call)


def describe_capability(account: Account, call: Call) -> Answer:
    """One capability with its health."""
    require_cluster(account, call, call.params["clusterName"])
    name = call.params["capabilityName"]
    found = account.area(EksState).capabilities.get(name)
    if found is None:
        raise not_found(f"No capability found for name: {name}.")
    argo = {"namespace": found.namespace, "serverUrl": found.server_url}
    configuration = {"configuration": {"argoCd": argo}} if found.kind == "ARGOCD" else {}
    return {
        "capability": {
            **_summary(account, found),
            "clusterName": account.cluster,
            "roleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/{account.cluster}-{found.name}",
            "health": {"issues": [health_issue(*one) for one in found.issues]},
            **configuration,
        }
    }


def _summary(account: Account, one: Capability) -> dict[str, Any]:
    return {
        "capabilityName": one.name,
        "arn": f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:capability/{account.cluster}/{one.name}",
        "type": one.kind,
        "status": one.status,
        "version": one.version,
        "createdAt": account.created_at,
        "modifiedAt": account.created_at,
    }
