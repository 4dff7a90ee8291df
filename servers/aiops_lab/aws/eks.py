"""EKS, as far as the suite asks: the cluster, its add-ons, insights, node groups and access entries.

moto's EKS knows neither add-ons, insights nor access entries, and nobody answers at its clusters' endpoints;
here the endpoint and the CA are the Kubernetes simulator's.
"""

import base64
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from aiops_lab.aws.account import (
    ACCOUNT_ID,
    KUBERNETES_VERSION,
    REGION,
    VPC_ID,
    Account,
    AddonRelease,
    CatalogueAddon,
    Insight,
    InstalledAddon,
    Nodegroup,
)
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.principals import Directory, Principal

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
MAX_PAGE = 100
Answer = Mapping[str, Any]


def eks_operations(account: Account, directory: Directory) -> Operations:
    """The operations of service `eks`, bound to one account."""
    served = {
        "ListClusters": list_clusters,
        "DescribeCluster": describe_cluster,
        "DescribeClusterVersions": describe_cluster_versions,
        "ListAddons": list_addons,
        "DescribeAddon": describe_addon,
        "DescribeAddonVersions": describe_addon_versions,
        "ListInsights": list_insights,
        "DescribeInsight": describe_insight,
        "ListNodegroups": list_nodegroups,
        "DescribeNodegroup": describe_nodegroup,
    }
    entries = {"ListAccessEntries": list_access_entries, "DescribeAccessEntry": describe_access_entry}
    return {("eks", name): partial(act, account) for name, act in served.items()} | {
        ("eks", name): partial(act, account, directory) for name, act in entries.items()
    }


def _in_region(account: Account, call: Call) -> bool:
    return call.region == REGION


def _require_cluster(account: Account, call: Call, name: str) -> None:
    if name != account.cluster or not _in_region(account, call):
        raise not_found(f"No cluster found for name: {name}.")


def _page(field: str, values: Iterable[Any], call: Call) -> Answer:
    """One page of a list. Raises AwsError InvalidParameterException for a token that we never gave."""
    rows = list(values)
    token = str(call.params.get("nextToken") or "0")
    if not token.isdecimal() or int(token) > len(rows):
        raise AwsError("InvalidParameterException", "nextToken is not valid")
    start = int(token)
    end = start + min(int(call.params.get("maxResults") or MAX_PAGE), MAX_PAGE)
    answer: dict[str, Any] = {field: rows[start:end]}
    return answer | {"nextToken": str(end)} if end < len(rows) else answer


def list_clusters(account: Account, call: Call) -> Answer:
    """The one cluster, in its region only."""
    return _page("clusters", [account.cluster] if _in_region(account, call) else [], call)


def describe_cluster(account: Account, call: Call) -> Answer:
    """The cluster whose endpoint is the Kubernetes simulator."""
    _require_cluster(account, call, call.params["name"])
    return {"cluster": _cluster(account)}


def _cluster(account: Account) -> Answer:
    off = [kind for kind in LOG_TYPES if kind not in account.logging]
    return {
        "name": account.cluster,
        "arn": account.cluster_arn,
        "createdAt": account.created_at,
        "version": KUBERNETES_VERSION,
        "endpoint": account.endpoint,
        "roleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/{account.cluster}-cluster",
        "resourcesVpcConfig": {
            "subnetIds": sorted(account.subnets),
            "securityGroupIds": [],
            "clusterSecurityGroupId": "sg-0lab",
            "vpcId": VPC_ID,
            "endpointPublicAccess": False,
            "endpointPrivateAccess": True,
            "publicAccessCidrs": [],
        },
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"},
        "logging": {
            "clusterLogging": [
                {"types": list(account.logging), "enabled": True},
                {"types": off, "enabled": False},
            ]
        },
        "identity": {"oidc": {"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/LAB"}},
        "status": "ACTIVE",
        "certificateAuthority": {"data": base64.b64encode(account.ca_pem).decode()},
        "platformVersion": "eks.4",
        "tags": dict(account.tags),
        "health": {"issues": []},
        "accessConfig": {"authenticationMode": "API"},
        "upgradePolicy": {"supportType": "STANDARD"},
        "deletionProtection": True,
    }


def describe_cluster_versions(account: Account, call: Call) -> Answer:
    """The Kubernetes versions EKS supports here; the dates are the fixture's."""
    wanted = call.params.get("clusterVersions")
    rows = [
        {
            "clusterVersion": version,
            "clusterType": "eks",
            "defaultVersion": version == KUBERNETES_VERSION,
            "status": "STANDARD_SUPPORT",
            "versionStatus": "STANDARD_SUPPORT",
        }
        for version in ("1.35", "1.34", "1.33")
        if not wanted or version in wanted
    ]
    return _page("clusterVersions", rows, call)


def list_addons(account: Account, call: Call) -> Answer:
    """Names of the installed add-ons."""
    _require_cluster(account, call, call.params["clusterName"])
    return _page("addons", sorted(account.addons), call)


def describe_addon(account: Account, call: Call) -> Answer:
    """One installed add-on with its health."""
    _require_cluster(account, call, call.params["clusterName"])
    addon = account.addons.get(call.params["addonName"])
    if addon is None:
        raise not_found(f"No addon: {call.params['addonName']} found in cluster: {account.cluster}")
    return {"addon": _addon(account, addon)}


def _addon(account: Account, addon: InstalledAddon) -> Answer:
    return {
        "addonName": addon.name,
        "clusterName": account.cluster,
        "status": addon.status,
        "addonVersion": addon.version,
        "health": {"issues": [{"code": code, "message": text} for code, text in addon.issues]},
        "addonArn": f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:addon/{account.cluster}/{addon.name}/lab",
        "createdAt": account.created_at,
        "modifiedAt": account.created_at,
        "tags": {},
    }


def describe_addon_versions(account: Account, call: Call) -> Answer:
    """The catalogue, cut to one add-on and one Kubernetes version when asked."""
    name, kubernetes = call.params.get("addonName"), call.params.get("kubernetesVersion")
    found = [addon for addon in account.catalogue if name in {None, addon.name}]
    if not found:
        raise not_found(f"Addon {name} specified is not supported")
    rows = [_catalogue_row(addon, kubernetes) for addon in found]
    return _page("addons", [row for row in rows if row["addonVersions"]], call)


def _catalogue_row(addon: CatalogueAddon, kubernetes: str | None) -> dict[str, Any]:
    fitting = [one for one in addon.releases if kubernetes is None or kubernetes in one.kubernetes]
    return {
        "addonName": addon.name,
        "type": addon.kind,
        "publisher": addon.publisher,
        "owner": "aws" if addon.publisher == "eks" else "community",
        "addonVersions": [_version_row(addon, release, kubernetes) for release in fitting],
    }


def _version_row(addon: CatalogueAddon, release: AddonRelease, kubernetes: str | None) -> dict[str, Any]:
    return {
        "addonVersion": release.version,
        "architecture": ["amd64", "arm64"],
        "computeTypes": ["ec2", "auto"],
        "requiresConfiguration": False,
        "requiresIamPermissions": addon.needs_iam,
        "compatibilities": [
            {"clusterVersion": one, "platformVersions": ["*"], "defaultVersion": one in release.default_for}
            for one in release.kubernetes
            if kubernetes in {None, one}
        ],
    }


def list_insights(account: Account, call: Call) -> Answer:
    """The cluster's insights, by category and status when asked."""
    _require_cluster(account, call, call.params["clusterName"])
    wanted = call.params.get("filter") or {}
    rows = [
        _insight(account, one)
        for one in account.insights.values()
        if one.category in (wanted.get("categories") or [one.category])
        and one.status in (wanted.get("statuses") or [one.status])
    ]
    return _page("insights", rows, call)


def describe_insight(account: Account, call: Call) -> Answer:
    """One insight with its recommendation."""
    _require_cluster(account, call, call.params["clusterName"])
    insight = account.insights.get(call.params["id"])
    if insight is None:
        raise not_found(f"No insight found for id: {call.params['id']}")
    return {
        "insight": {**_insight(account, insight), "recommendation": insight.recommendation, "resources": []}
    }


def _insight(account: Account, insight: Insight) -> dict[str, Any]:
    return {
        "id": insight.insight_id,
        "name": insight.name,
        "category": insight.category,
        "kubernetesVersion": KUBERNETES_VERSION,
        "lastRefreshTime": account.started_at,
        "lastTransitionTime": account.created_at,
        "description": insight.description,
        "insightStatus": {"status": insight.status, "reason": insight.reason},
    }


def list_nodegroups(account: Account, call: Call) -> Answer:
    """Names of the managed node groups."""
    _require_cluster(account, call, call.params["clusterName"])
    return _page("nodegroups", sorted(account.nodegroups), call)


def describe_nodegroup(account: Account, call: Call) -> Answer:
    """One managed node group."""
    _require_cluster(account, call, call.params["clusterName"])
    group = account.nodegroups.get(call.params["nodegroupName"])
    if group is None:
        raise not_found(f"No node group found for name: {call.params['nodegroupName']}.")
    return {"nodegroup": _nodegroup(account, group)}


def _nodegroup(account: Account, group: Nodegroup) -> Answer:
    return {
        "nodegroupName": group.name,
        "nodegroupArn": f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:nodegroup/{account.cluster}/{group.name}/lab",
        "clusterName": account.cluster,
        "version": KUBERNETES_VERSION,
        "releaseVersion": f"{KUBERNETES_VERSION}.0-20261101",
        "createdAt": account.created_at,
        "modifiedAt": account.created_at,
        "status": group.status,
        "capacityType": group.capacity_type,
        "scalingConfig": {"minSize": group.min_size, "maxSize": group.max_size, "desiredSize": group.size},
        "instanceTypes": list(group.instance_types),
        "subnets": sorted(account.subnets),
        "amiType": "AL2023_x86_64_STANDARD",
        "nodeRole": f"arn:aws:iam::{ACCOUNT_ID}:role/{account.cluster}-node",
        "labels": dict(group.labels),
        "health": {"issues": []},
        "updateConfig": {"maxUnavailable": 1},
    }


def list_access_entries(account: Account, directory: Directory, call: Call) -> Answer:
    """The principals that may enter the cluster."""
    _require_cluster(account, call, call.params["clusterName"])
    return _page("accessEntries", sorted(one.arn for one in directory.principals.values()), call)


def describe_access_entry(account: Account, directory: Directory, call: Call) -> Answer:
    """Which Kubernetes user and groups a principal becomes."""
    _require_cluster(account, call, call.params["clusterName"])
    arn = call.params["principalArn"]
    principal = next((one for one in directory.principals.values() if one.arn == arn), None)
    if principal is None:
        raise not_found(f"The specified principalArn could not be found: {arn}")
    return {"accessEntry": _access_entry(account, principal)}


def _access_entry(account: Account, principal: Principal) -> Answer:
    return {
        "clusterName": account.cluster,
        "principalArn": principal.arn,
        "kubernetesGroups": list(principal.groups),
        "accessEntryArn": principal.arn.replace(":iam::", f":eks:{REGION}:").replace(
            f"{principal.kind}/", f"access-entry/{account.cluster}/{principal.kind}/{ACCOUNT_ID}/"
        ),
        "createdAt": account.created_at,
        "modifiedAt": account.created_at,
        "username": principal.name,
        "type": "STANDARD",
        "tags": {},
    }
