"""EKS's add-ons: those of the cluster, and the catalogue.

What changes them (`CreateAddon` and its kin) is a room of its own. Wordings of refusals are EKS's.
"""

from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account, InstalledAddon
from aiops_lab.aws.addon_catalogue import AddonRelease, CatalogueAddon
from aiops_lab.aws.addon_state import settle
from aiops_lab.aws.eks import Answer, health_issue, page, require_cluster
from aiops_lab.aws.errors import not_found
from aiops_lab.aws.overlay import Call, Operations


def eks_addon_operations(account: Account) -> Operations:
    """The operations of service `eks` about add-ons, bound to one account."""
    return {
        ("eks", "ListAddons"): partial(list_addons, account),
        ("eks", "DescribeAddon"): partial(describe_addon, account),
        ("eks", "DescribeAddonVersions"): partial(describe_addon_versions, account),
    }


def list_addons(account: Account, call: Call) -> Answer:
    """Names of the installed add-ons."""
    require_cluster(account, call, call.params["clusterName"])
    settle(account)
    return page("addons", sorted(account.addons), call)


def describe_addon(account: Account, call: Call) -> Answer:
    """One installed add-on with its health."""
    require_cluster(account, call, call.params["clusterName"])
    settle(account)
    addon = account.addons.get(call.params["addonName"])
    if addon is None:
        raise not_found(f"No addon: {call.params['addonName']} found in cluster: {account.cluster}")
    return {"addon": addon_answer(account, addon)}


def addon_answer(account: Account, addon: InstalledAddon) -> Answer:
    """`Addon`, as DescribeAddon and what changes it answer."""
    offered = next((one for one in account.catalogue if one.name == addon.name), None)
    known: dict[str, Any] = {}
    if offered is not None:
        known = {
            "publisher": offered.publisher,
            "owner": offered.owner,
            "namespaceConfig": {"namespace": offered.namespace},
        }
    if addon.role_arn:
        known["serviceAccountRoleArn"] = addon.role_arn
    if addon.configuration:
        known["configurationValues"] = addon.configuration
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:addon/{account.cluster}/{addon.name}/{addon.addon_id}"
    return {
        "addonName": addon.name,
        "clusterName": account.cluster,
        "status": addon.status,
        "addonVersion": addon.version,
        "health": {"issues": [health_issue(code, text) for code, text in addon.issues]},
        "addonArn": arn,
        "createdAt": addon.created_at or account.created_at,
        "modifiedAt": addon.modified_at or addon.created_at or account.created_at,
        "podIdentityAssociations": list(addon.pod_identities),
        "tags": dict(addon.tags),
        **known,
    }


def describe_addon_versions(account: Account, call: Call) -> Answer:
    """The catalogue, cut to one add-on, one Kubernetes version, some kinds, publishers, owners when asked."""
    name, kubernetes = call.params.get("addonName"), call.params.get("kubernetesVersion")
    found = [addon for addon in account.catalogue if name in {None, addon.name} and _wanted(addon, call)]
    if not found:
        raise not_found(f"Addon {name} specified is not supported")
    rows = [_catalogue_row(addon, kubernetes) for addon in found]
    return page("addons", [row for row in rows if row["addonVersions"]], call)


def _wanted(addon: CatalogueAddon, call: Call) -> bool:
    asked = {"types": addon.kind, "publishers": addon.publisher, "owners": addon.owner}
    return all(own in (call.params.get(key) or [own]) for key, own in asked.items())


def _catalogue_row(addon: CatalogueAddon, kubernetes: str | None) -> dict[str, Any]:
    fitting = [one for one in addon.releases if kubernetes is None or kubernetes in one.kubernetes]
    return {
        "addonName": addon.name,
        "type": addon.kind,
        "publisher": addon.publisher,
        "owner": addon.owner,
        "defaultNamespace": addon.namespace,
        "addonVersions": [_version_row(addon, release, kubernetes) for release in fitting],
    }


def _version_row(addon: CatalogueAddon, release: AddonRelease, kubernetes: str | None) -> dict[str, Any]:
    return {
        "addonVersion": release.version,
        "architecture": ["amd64", "arm64"],
        "computeTypes": list(addon.compute),
        "requiresConfiguration": False,
        "requiresIamPermissions": addon.needs_iam,
        "compatibilities": [
            {"clusterVersion": one, "platformVersions": ["*"], "defaultVersion": one in release.default_for}
            for one in release.kubernetes
            if kubernetes in {None, one}
        ],
    }
