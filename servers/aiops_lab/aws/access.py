"""EKS's access: entries and their policies, Pod Identity associations, Fargate profiles.

Every principal of the lab has an entry with its groups; `account.area(Access)` holds what a scenario adds or
takes away. Kubernetes itself does not follow it: who a token is stays with `aiops_lab.identity`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.eks import page, require_cluster
from aiops_lab.aws.errors import not_found
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.principals import Directory

Answer = Mapping[str, Any]
POLICY_ARN = "arn:aws:eks::aws:cluster-access-policy/{}"


@dataclass(frozen=True, slots=True)
class Entry:
    """An access entry. `policies`: name and namespaces, none of which means the whole cluster."""

    principal: str
    groups: tuple[str, ...] = ()
    username: str = ""
    kind: str = "STANDARD"
    policies: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Association:
    """A Pod Identity association."""

    association_id: str
    namespace: str
    service_account: str
    role_arn: str


@dataclass(frozen=True, slots=True)
class FargateProfile:
    """A Fargate profile; `selectors` are namespace and labels."""

    name: str
    selectors: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    status: str = "ACTIVE"
    issues: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Access:
    """What a scenario changes. `without` names principals of the lab that have no entry here."""

    entries: dict[str, Entry] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    associations: dict[str, Association] = field(default_factory=dict)
    fargate: dict[str, FargateProfile] = field(default_factory=dict)


def access_operations(account: Account, directory: Directory) -> Operations:
    """The operations of service `eks` about access, bound to one account."""
    entries = {
        "ListAccessEntries": list_access_entries,
        "DescribeAccessEntry": describe_access_entry,
        "ListAssociatedAccessPolicies": list_associated_access_policies,
    }
    served = {
        "ListPodIdentityAssociations": list_pod_identity_associations,
        "DescribePodIdentityAssociation": describe_pod_identity_association,
        "ListFargateProfiles": list_fargate_profiles,
        "DescribeFargateProfile": describe_fargate_profile,
    }
    return {("eks", name): partial(act, account) for name, act in served.items()} | {
        ("eks", name): partial(act, account, directory) for name, act in entries.items()
    }


def node_role(account: Account) -> str:
    """The ARN of the role that the nodes bear."""
    return f"arn:aws:iam::{ACCOUNT_ID}:role/{account.cluster}-node"


def _entries(account: Account, directory: Directory) -> dict[str, Entry]:
    state = account.area(Access)
    nodes = Entry(node_role(account), ("system:nodes",), "system:node:{{EC2PrivateDNSName}}", "EC2_LINUX")
    known = [
        *(Entry(one.arn, one.groups, one.name) for one in directory.principals.values()),
        nodes,
        *state.entries.values(),
    ]
    return {one.principal: one for one in known if one.principal not in state.without}


def _entry(account: Account, directory: Directory, call: Call) -> Entry:
    require_cluster(account, call, call.params["clusterName"])
    arn = call.params["principalArn"]
    found = _entries(account, directory).get(arn)
    if found is None:
        raise not_found(f"The specified principalArn could not be found: {arn}")
    return found


def list_access_entries(account: Account, directory: Directory, call: Call) -> Answer:
    """The principals that may enter the cluster."""
    require_cluster(account, call, call.params["clusterName"])
    return page("accessEntries", sorted(_entries(account, directory)), call)


def describe_access_entry(account: Account, directory: Directory, call: Call) -> Answer:
    """Which Kubernetes user and groups a principal becomes."""
    found = _entry(account, directory, call)
    kind, _, name = found.principal.rpartition(":")[2].partition("/")
    shown = f"access-entry/{account.cluster}/{kind}/{ACCOUNT_ID}/{name.rpartition('/')[2]}/lab"
    return {
        "accessEntry": {
            "clusterName": account.cluster,
            "principalArn": found.principal,
            "kubernetesGroups": list(found.groups),
            "accessEntryArn": f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:{shown}",
            "createdAt": account.created_at,
            "modifiedAt": account.created_at,
            "username": found.username or found.principal,
            "type": found.kind,
            "tags": {},
        }
    }


def list_associated_access_policies(account: Account, directory: Directory, call: Call) -> Answer:
    """EKS's own policies of an entry, and how far each reaches."""
    found = _entry(account, directory, call)
    rows = [
        {
            "policyArn": POLICY_ARN.format(name),
            "accessScope": {"type": "namespace", "namespaces": list(spaces)}
            if spaces
            else {"type": "cluster", "namespaces": []},
            "associatedAt": account.created_at,
            "modifiedAt": account.created_at,
        }
        for name, spaces in found.policies
    ]
    answer = page("associatedAccessPolicies", rows, call)
    return {**answer, "clusterName": account.cluster, "principalArn": found.principal}


def list_pod_identity_associations(account: Account, call: Call) -> Answer:
    """Associations, of a namespace or of one ServiceAccount when asked; roles come with Describe."""
    require_cluster(account, call, call.params["clusterName"])
    wanted = {"namespace": call.params.get("namespace"), "serviceAccount": call.params.get("serviceAccount")}
    rows = [_association(account, one) for one in account.area(Access).associations.values()]
    kept = [row for row in rows if all(value in (None, row[key]) for key, value in wanted.items())]
    summaries = [{key: row[key] for key in row if key not in {"roleArn", "createdAt"}} for row in kept]
    return page("associations", summaries, call)


def describe_pod_identity_association(account: Account, call: Call) -> Answer:
    """One association with its role."""
    require_cluster(account, call, call.params["clusterName"])
    found = account.area(Access).associations.get(call.params["associationId"])
    if found is None:
        raise not_found(f"No association found for associationId: {call.params['associationId']}")
    return {"association": _association(account, found)}


def _association(account: Account, one: Association) -> dict[str, Any]:
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:podidentityassociation/{account.cluster}/{one.association_id}"
    return {
        "clusterName": account.cluster,
        "namespace": one.namespace,
        "serviceAccount": one.service_account,
        "roleArn": one.role_arn,
        "associationArn": arn,
        "associationId": one.association_id,
        "createdAt": account.created_at,
    }


def list_fargate_profiles(account: Account, call: Call) -> Answer:
    """Names of the Fargate profiles."""
    require_cluster(account, call, call.params["clusterName"])
    return page("fargateProfileNames", sorted(account.area(Access).fargate), call)


def describe_fargate_profile(account: Account, call: Call) -> Answer:
    """One Fargate profile."""
    require_cluster(account, call, call.params["clusterName"])
    name = call.params["fargateProfileName"]
    found = account.area(Access).fargate.get(name)
    if found is None:
        raise not_found(f"No Fargate Profile found with name: {name}.")
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:fargateprofile/{account.cluster}/{name}/lab"
    return {
        "fargateProfile": {
            "fargateProfileName": name,
            "fargateProfileArn": arn,
            "clusterName": account.cluster,
            "createdAt": account.created_at,
            "podExecutionRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/{account.cluster}-fargate",
            "subnets": sorted(account.subnets),
            "selectors": [{"namespace": space, "labels": dict(labels)} for space, labels in found.selectors],
            "status": found.status,
            "tags": {},
            "health": {"issues": [{"code": code, "message": words} for code, words in found.issues]},
        }
    }
