"""EKS: the cluster, its insights and node groups. Add-ons are in `eks_addons`, who may enter in `access`, the
rest of what EKS does to a cluster in `eks_lifecycle`.

moto's EKS knows neither add-ons, insights nor access entries, and nobody answers at its clusters' endpoints;
here the endpoint and the CA are the Kubernetes simulator's.
"""

import base64
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, VPC_ID, Account, Insight, Nodegroup
from aiops_lab.aws.eks_state import EksState
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.overlay import Call, Operations

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
MAX_PAGE = 100
Answer = Mapping[str, Any]


def eks_operations(account: Account) -> Operations:
    """The operations of service `eks`, bound to one account."""
    served = {
        "ListClusters": list_clusters,
        "DescribeCluster": describe_cluster,
        "ListInsights": list_insights,
        "DescribeInsight": describe_insight,
        "ListNodegroups": list_nodegroups,
        "DescribeNodegroup": describe_nodegroup,
    }
    return {("eks", name): partial(act, account) for name, act in served.items()}


def in_region(account: Account, call: Call) -> bool:
    """Whether it was asked where the cluster is."""
    return call.region == REGION


def require_cluster(account: Account, call: Call, name: str) -> None:
    """Raises AwsError ResourceNotFoundException for any other name or region."""
    if name != account.cluster or not in_region(account, call):
        raise not_found(f"No cluster found for name: {name}.")


def page(field: str, values: Iterable[Any], call: Call) -> Answer:
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
    return page("clusters", [account.cluster] if in_region(account, call) else [], call)


def describe_cluster(account: Account, call: Call) -> Answer:
    """The cluster whose endpoint is the Kubernetes simulator."""
    require_cluster(account, call, call.params["name"])
    return {"cluster": _cluster(account)}


def _cluster(account: Account) -> Answer:
    off = [kind for kind in LOG_TYPES if kind not in account.logging]
    state = account.area(EksState)
    return {
        "name": account.cluster,
        "arn": account.cluster_arn,
        "createdAt": account.created_at,
        "version": state.kubernetes,
        "endpoint": account.endpoint,
        "roleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/{account.cluster}-cluster",
        "resourcesVpcConfig": {
            "subnetIds": sorted(account.subnets),
            "securityGroupIds": [],
            "clusterSecurityGroupId": "sg-0lab",
            "vpcId": VPC_ID,
            "endpointPublicAccess": bool(state.public_cidrs),
            "endpointPrivateAccess": state.private,
            "publicAccessCidrs": list(state.public_cidrs),
        },
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"},
        "logging": {
            "clusterLogging": [
                {"types": list(account.logging), "enabled": True},
                {"types": off, "enabled": False},
            ]
        },
        "identity": {"oidc": {"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/LAB"}},
        "status": state.status,
        "certificateAuthority": {"data": base64.b64encode(account.ca_pem).decode()},
        "platformVersion": "eks.4",
        "tags": dict(account.tags),
        "health": {"issues": [health_issue(*one) for one in state.issues]},
        "accessConfig": {"authenticationMode": state.authentication},
        "upgradePolicy": {"supportType": state.support_type},
        "deletionProtection": state.deletion_protection,
        "computeConfig": {"enabled": state.auto_mode},
        "storageConfig": {"blockStorage": {"enabled": state.auto_mode}},
        "controlPlaneScalingConfig": {"tier": state.tier},
        **_encryption(state),
    }


def _encryption(state: EksState) -> Answer:
    if not state.secrets_key:
        return {}
    return {"encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": state.secrets_key}}]}


def health_issue(code: str, message: str, resources: Iterable[str] = ()) -> Answer:
    """One issue in the form that clusters, add-ons, node groups and capabilities share."""
    return {"code": code, "message": message, "resourceIds": list(resources)}


def list_insights(account: Account, call: Call) -> Answer:
    """The cluster's insights, by category and status when asked."""
    require_cluster(account, call, call.params["clusterName"])
    wanted = call.params.get("filter") or {}
    rows = [
        _insight(account, one)
        for one in account.insights.values()
        if one.category in (wanted.get("categories") or [one.category])
        and one.status in (wanted.get("statuses") or [one.status])
    ]
    return page("insights", rows, call)


def describe_insight(account: Account, call: Call) -> Answer:
    """One insight with its recommendation."""
    require_cluster(account, call, call.params["clusterName"])
    insight = account.insights.get(call.params["id"])
    if insight is None:
        raise not_found(f"No insight found for id: {call.params['id']}")
    return {
        "insight": {
            **_insight(account, insight),
            "recommendation": insight.recommendation,
            "resources": [
                {"kubernetesResourceUri": uri, "insightStatus": {"status": status}}
                for uri, status in insight.resources
            ],
            "categorySpecificSummary": {"deprecationDetails": _deprecations(account, insight)},
        }
    }


def _deprecations(account: Account, insight: Insight) -> list[Answer]:
    return [
        {
            "usage": used.usage,
            "replacedWith": used.replaced_with,
            "stopServingVersion": used.stops_in,
            "clientStats": [
                {
                    "userAgent": agent,
                    "numberOfRequestsLast30Days": requests,
                    "lastRequestTime": account.started_at,
                }
                for agent, requests in used.callers
            ],
        }
        for used in insight.deprecations
    ]


def _insight(account: Account, insight: Insight) -> dict[str, Any]:
    return {
        "id": insight.insight_id,
        "name": insight.name,
        "category": insight.category,
        "kubernetesVersion": insight.kubernetes or account.area(EksState).kubernetes,
        "lastRefreshTime": account.started_at,
        "lastTransitionTime": account.created_at,
        "description": insight.description,
        "insightStatus": {"status": insight.status, "reason": insight.reason},
    }


def list_nodegroups(account: Account, call: Call) -> Answer:
    """Names of the managed node groups."""
    require_cluster(account, call, call.params["clusterName"])
    return page("nodegroups", sorted(account.nodegroups), call)


def describe_nodegroup(account: Account, call: Call) -> Answer:
    """One managed node group."""
    require_cluster(account, call, call.params["clusterName"])
    group = account.nodegroups.get(call.params["nodegroupName"])
    if group is None:
        raise not_found(f"No node group found for name: {call.params['nodegroupName']}.")
    return {"nodegroup": _nodegroup(account, group)}


def _nodegroup(account: Account, group: Nodegroup) -> Answer:
    kubernetes = group.kubernetes or account.area(EksState).kubernetes
    return {
        "nodegroupName": group.name,
        "nodegroupArn": f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:nodegroup/{account.cluster}/{group.name}/lab",
        "clusterName": account.cluster,
        "version": kubernetes,
        "releaseVersion": group.release or f"{kubernetes}.0-20261101",
        "createdAt": account.created_at,
        "modifiedAt": account.created_at,
        "status": group.status,
        "capacityType": group.capacity_type,
        "scalingConfig": {"minSize": group.min_size, "maxSize": group.max_size, "desiredSize": group.size},
        "instanceTypes": list(group.instance_types),
        "subnets": sorted(account.subnets),
        "amiType": group.ami_type,
        "nodeRole": f"arn:aws:iam::{ACCOUNT_ID}:role/{account.cluster}-node",
        "labels": dict(group.labels),
        "health": {"issues": [health_issue(*one) for one in group.issues]},
        "nodeRepairConfig": {"enabled": group.auto_repair},
        "resources": {"autoScalingGroups": [{"name": f"eks-{group.name}-lab"}]},
        "updateConfig": {"maxUnavailable": 1},
    }
