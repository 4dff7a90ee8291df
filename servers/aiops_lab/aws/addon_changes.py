"""EKS: what changes an add-on, and which configuration it takes.

Refusals, codes and wordings are EKS's (its service model, the user guide's troubleshooting page, what its
users quote). Changes take world time and leave pods in the world: see `addon_state` and the Installer.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from aiops_lab.aws.access import Access, Association
from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account, InstalledAddon
from aiops_lab.aws.addon_catalogue import CatalogueAddon
from aiops_lab.aws.addon_schemas import POD_IDENTITY, problems_of, schema_of
from aiops_lab.aws.addon_state import AddonChanges, Begun, settle
from aiops_lab.aws.eks import Answer, require_cluster
from aiops_lab.aws.eks_addons import addon_answer
from aiops_lab.aws.eks_lifecycle import update_answer
from aiops_lab.aws.eks_state import EksState, Update
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.iam import Iam
from aiops_lab.aws.overlay import Call, Operations

BUSY = frozenset({"CREATING", "UPDATING", "DELETING"})
_PARAMS = {
    "addonVersion": "AddonVersion",
    "serviceAccountRoleArn": "ServiceAccountRoleArn",
    "resolveConflicts": "ResolveConflicts",
    "configurationValues": "ConfigurationValues",
    "podIdentityAssociations": "PodIdentityAssociations",
}


def addon_change_operations(account: Account) -> Operations:
    """The operations of service `eks` that change add-ons, bound to one account."""
    return {
        ("eks", "CreateAddon"): partial(create_addon, account),
        ("eks", "UpdateAddon"): partial(update_addon, account),
        ("eks", "DeleteAddon"): partial(delete_addon, account),
        ("eks", "DescribeAddonConfiguration"): partial(describe_addon_configuration, account),
    }


def create_addon(account: Account, call: Call) -> Answer:
    """Begin to install. The same client token gets the same answer."""
    require_cluster(account, call, call.params["clusterName"])
    settle(account)
    if said := _answered(account, call):
        return said
    name = call.params["addonName"]
    offered = _offered(account, name)
    if name in account.addons:
        raise AwsError("ResourceInUseException", "Addon already exists.", 409)
    if call.params.get("resolveConflicts") == "PRESERVE":
        said_no = "Resolve conflicts option preserve is not supported for operation CreateAddon"
        raise AwsError("InvalidParameterException", said_no)
    version = _version(account, offered, call.params.get("addonVersion"))
    role, configuration = _role(call), _configuration(offered, call)
    identities = _associated(account, offered, call)
    conflicts = _conflicts(account, name, call)
    now = account.now()
    account.addons[name] = InstalledAddon(
        name,
        version,
        "CREATING",
        configuration=configuration,
        role_arn=role,
        pod_identities=identities,
        created_at=now,
        modified_at=now,
        addon_id=str(uuid5(NAMESPACE_URL, f"{name}/{now.isoformat()}")),
        tags=tuple((call.params.get("tags") or {}).items()),
    )
    account.area(AddonChanges).begun[name] = Begun("create", now, version, conflicts)
    if not conflicts:
        _install(account, offered, account.addons[name], version)
    return _remember(account, call, {"addon": addon_answer(account, account.addons[name])})


def update_addon(account: Account, call: Call) -> Answer:
    """Begin to update. What is left out is as if it had never been given, except the version."""
    require_cluster(account, call, call.params["clusterName"])
    settle(account)
    if said := _answered(account, call):
        return said
    held = _held(account, call)
    offered, now = _offered(account, held.name), account.now()
    version = _version(account, offered, call.params.get("addonVersion") or held.version)
    role, configuration = _role(call), _configuration(offered, call)
    identities = _associated(account, offered, call) or held.pod_identities
    conflicts = _conflicts(account, held.name, call)
    made = replace(
        held,
        status="UPDATING",
        issues=(),
        configuration=configuration,
        role_arn=role,
        pod_identities=identities,
        modified_at=now,
    )
    update = Update(
        str(uuid5(NAMESPACE_URL, f"update/{held.name}/{now.isoformat()}")),
        "AddonUpdate",
        now,
        "InProgress",
        addon=held.name,
        params=tuple(_told(call)),
    )
    account.addons[held.name] = made
    account.area(EksState).updates[update.update_id] = update
    account.area(AddonChanges).begun[held.name] = Begun("update", now, version, conflicts, update.update_id)
    if not conflicts:
        _install(account, offered, made, version)
    return _remember(account, call, {"update": update_answer(update)})


def delete_addon(account: Account, call: Call) -> Answer:
    """Begin to delete; with `preserve` what runs in the cluster stays."""
    require_cluster(account, call, call.params["clusterName"])
    settle(account)
    held = _held(account, call)
    account.addons[held.name] = replace(held, status="DELETING", modified_at=account.now())
    account.area(AddonChanges).begun[held.name] = Begun("delete", account.now())
    if not call.params.get("preserve") and account.installer is not None:
        account.in_world(partial(account.installer.remove, held.name))
    return {"addon": addon_answer(account, account.addons[held.name])}


def describe_addon_configuration(account: Account, call: Call) -> Answer:
    """The JSON schema of a version's configuration, as text, and the roles that its accounts want."""
    offered = _offered(account, call.params["addonName"])
    version = call.params["addonVersion"]
    if version not in {one.version for one in offered.releases}:
        raise AwsError("InvalidParameterException", "Addon version specified is not supported")
    return {
        "addonName": offered.name,
        "addonVersion": version,
        "configurationSchema": json.dumps(schema_of(offered.name)),
        "podIdentityConfiguration": [
            {"serviceAccount": account_name, "recommendedManagedPolicies": list(policies)}
            for account_name, policies in POD_IDENTITY.get(offered.name, {}).items()
        ],
    }


def _held(account: Account, call: Call) -> InstalledAddon:
    held = account.addons.get(call.params["addonName"])
    if held is None:
        raise not_found(f"No addon: {call.params['addonName']} found in cluster: {account.cluster}")
    if held.status in BUSY:
        raise AwsError("ResourceInUseException", f"Addon {held.name} is currently in {held.status}", 409)
    return held


def _offered(account: Account, name: str) -> CatalogueAddon:
    found = next((one for one in account.catalogue if one.name == name), None)
    if found is None:
        raise not_found(f"Addon {name} specified is not supported")
    return found


def _version(account: Account, offered: CatalogueAddon, wanted: str | None) -> str:
    kubernetes = account.area(EksState).kubernetes
    fitting = [one for one in offered.releases if kubernetes in one.kubernetes]
    default = next((one.version for one in fitting if kubernetes in one.default_for), "")
    version = wanted or default
    if version not in {one.version for one in fitting}:
        raise AwsError("InvalidParameterException", "Addon version specified is not supported")
    return version


def _role(call: Call) -> str:
    role = str(call.params.get("serviceAccountRoleArn") or "")
    if role and f":{ACCOUNT_ID}:" not in role:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.", 403)
    return role


def _configuration(offered: CatalogueAddon, call: Call) -> str:
    text = str(call.params.get("configurationValues") or "")
    if text and (wrong := problems_of(offered.name, text)):
        said = "ConfigurationValue provided in request is not supported: "
        raise AwsError(
            "InvalidParameterException", f"{said}Json schema validation failed with error: [{wrong}]"
        )
    return text


def _associated(account: Account, offered: CatalogueAddon, call: Call) -> tuple[str, ...]:
    made = []
    for one in call.params.get("podIdentityAssociations") or ():
        ident = f"a-{uuid5(NAMESPACE_URL, offered.name + one['serviceAccount']).hex[:17]}"
        association = Association(ident, offered.namespace, one["serviceAccount"], one["roleArn"])
        account.area(Access).associations[ident] = association
        made.append(f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:podidentityassociation/{account.cluster}/{ident}")
    return tuple(made)


def _conflicts(account: Account, name: str, call: Call) -> tuple[str, ...]:
    if account.installer is None or call.params.get("resolveConflicts") in {"OVERWRITE", "PRESERVE"}:
        return ()
    found: tuple[str, ...] = account.in_world(partial(account.installer.conflicts, name))
    return found


def _install(account: Account, offered: CatalogueAddon, held: InstalledAddon, version: str) -> None:
    """Have it run in the cluster; with a role that does not exist its pods do not come up."""
    if account.installer is None:
        return
    roles = {one.arn for one in account.area(Iam).roles.values()}
    ill = bool(held.role_arn) and held.role_arn not in roles
    wish = partial(
        account.installer.install,
        held.name,
        offered.namespace,
        version,
        configuration=held.configuration,
        ill=ill,
    )
    account.in_world(wish)


def _told(call: Call) -> Iterable[tuple[str, str]]:
    for key, kind in _PARAMS.items():
        if value := call.params.get(key):
            yield kind, value if isinstance(value, str) else json.dumps(value)


def _answered(account: Account, call: Call) -> Answer | None:
    """What was answered to this client token. The same token with other values is refused."""
    token = str(call.params.get("clientRequestToken") or "")
    known = account.area(AddonChanges).answered.get(token) if token else None
    if known is None:
        return None
    if known[0] != _digest(call):
        said = "Request token was used before with other parameters"
        raise AwsError("InvalidRequestException", said)
    return known[1]


def _remember(account: Account, call: Call, answer: Mapping[str, Any]) -> Answer:
    if token := str(call.params.get("clientRequestToken") or ""):
        account.area(AddonChanges).answered[token] = _digest(call), answer
    return answer


def _digest(call: Call) -> str:
    return json.dumps(dict(call.params), sort_keys=True, default=str)
