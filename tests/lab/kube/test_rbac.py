"""Who may do what, by the objects stored, on every request."""

from typing import Any

import httpx
import pytest

from aiops_lab.kube.ports import UserInfo
from aiops_lab.kube.rbac import Attributes, Rbac
from aiops_lab.kube.store import Store
from tests.lab.kube.lab import VIEWER_TOKEN, KubeLab
from tests.lab.kube.objects import Obj, config_map, deployment, pod

RBAC = "rbac.authorization.k8s.io/v1"
ANNA = UserInfo("anna", ("ops", "system:authenticated"))
PODS = "/api/v1/namespaces/shop/pods"


def role(name: str, *rules: Obj, namespace: str = "") -> Obj:
    meta = {"name": name, "namespace": namespace} if namespace else {"name": name}
    kind = "Role" if namespace else "ClusterRole"
    return {"apiVersion": RBAC, "kind": kind, "metadata": meta, "rules": list(rules)}


def rule(verbs: list[str], resources: list[str], group: str = "", **more: Any) -> Obj:
    return {"verbs": verbs, "apiGroups": [group], "resources": resources, **more}


def bind(store: Store, to: Obj, subject: Obj, namespace: str = "") -> None:
    meta: Obj = {"name": f"b-{to['metadata']['name']}-{namespace}"}
    if namespace:
        meta["namespace"] = namespace
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": to["kind"], "name": to["metadata"]["name"]}
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    store.create(
        {"apiVersion": RBAC, "kind": kind, "metadata": meta, "subjects": [subject], "roleRef": reference}
    )


def user(name: str) -> Obj:
    return {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def may(store: Store, who: UserInfo, verb: str, resource: str, namespace: str = "", **more: str) -> bool:
    served, _, sub = resource.partition("/")
    group = more.pop("group", "")
    return Rbac(store).allows(who, Attributes(verb, group, served, sub, namespace, **more))


def test_a_role_holds_in_its_namespace_and_a_cluster_role_everywhere(store: Store) -> None:
    viewer = role("view", rule(["get", "list"], ["pods", "pods/log"]))
    store.create(viewer)
    bind(store, viewer, user("anna"), "shop")
    assert may(store, ANNA, "list", "pods", "shop")
    assert may(store, ANNA, "get", "pods/log", "shop")
    assert not may(store, ANNA, "list", "pods", "default")
    assert not may(store, ANNA, "list", "pods")
    assert not may(store, ANNA, "delete", "pods", "shop")
    assert not may(store, ANNA, "get", "pods/exec", "shop")
    bind(store, viewer, {"kind": "Group", "name": "ops"})
    assert may(store, ANNA, "list", "pods")


def test_names_groups_and_wildcards_are_honoured(store: Store) -> None:
    one = role("one", rule(["get"], ["configmaps"], resourceNames=["settings"]), namespace="shop")
    store.create(one)
    bind(store, one, user("anna"), "shop")
    assert may(store, ANNA, "get", "configmaps", "shop", name="settings")
    assert not may(store, ANNA, "get", "configmaps", "shop", name="other")
    assert not may(store, ANNA, "get", "configmaps", "shop")
    wide = role(
        "wide",
        {"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"]},
        rule(["update"], ["*/scale"], "batch"),
    )
    store.create(wide)
    bind(store, wide, user("anna"))
    assert may(store, ANNA, "patch", "deployments", "shop", group="apps")
    assert not may(store, ANNA, "patch", "deployments", "shop", group="extensions")
    assert may(store, ANNA, "update", "jobs/scale", "shop", group="batch")
    assert not may(store, ANNA, "update", "jobs", "shop", group="batch")


def test_a_service_account_is_known_by_its_user_name(store: Store) -> None:
    viewer = role("view", rule(["list"], ["pods"]))
    store.create(viewer)
    bind(store, viewer, {"kind": "ServiceAccount", "name": "bot", "namespace": "default"})
    assert may(store, UserInfo("system:serviceaccount:default:bot"), "list", "pods")
    assert not may(store, UserInfo("system:serviceaccount:shop:bot"), "list", "pods")


def test_masters_may_everything_and_a_dangling_binding_nothing(store: Store) -> None:
    assert may(store, UserInfo("root", ("system:masters",)), "delete", "nodes")
    bind(store, role("ghost"), user("anna"))
    assert not may(store, ANNA, "list", "pods")


IN_SHOP, EVERYWHERE = 'in the namespace "shop"', "at the cluster scope"


@pytest.mark.parametrize(
    ("method", "path", "subject", "cannot"),
    [
        ("GET", PODS, "pods", f'list resource "pods" in API group "" {IN_SHOP}'),
        ("GET", f"{PODS}/a", 'pods "a"', f'get resource "pods" in API group "" {IN_SHOP}'),
        ("GET", f"{PODS}/a/log", 'pods "a"', f'get resource "pods/log" in API group "" {IN_SHOP}'),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/shop/deployments",
            "deployments.apps",
            f'deletecollection resource "deployments" in API group "apps" {IN_SHOP}',
        ),
        ("GET", "/api/v1/nodes?watch=1", "nodes", f'watch resource "nodes" in API group "" {EVERYWHERE}'),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All",
            'deployments.apps "web"',
            f'patch resource "deployments" in API group "apps" {IN_SHOP}',
        ),
    ],
)
async def test_without_a_right_the_request_is_refused_in_the_real_words(
    lab: KubeLab, method: str, path: str, subject: str, cannot: str
) -> None:
    lab.store.create(deployment())
    answer = await lab.client(VIEWER_TOKEN).request(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
    assert answer.json()["message"] == f'{subject} is forbidden: User "viewer" cannot {cannot}'
    assert lab.requests.entries[-1].status == 403


async def test_discovery_needs_an_identity_but_no_right(lab: KubeLab) -> None:
    assert (await lab.client(VIEWER_TOKEN).get("/apis/apps/v1")).status_code == 200


async def test_a_list_of_one_name_is_judged_by_that_name(lab: KubeLab) -> None:
    one = role("one", rule(["list"], ["configmaps"], resourceNames=["settings"]), namespace="shop")
    lab.store.create(one)
    bind(lab.store, one, user("viewer"), "shop")
    client, path = lab.client(VIEWER_TOKEN), "/api/v1/namespaces/shop/configmaps"
    lab.store.create(config_map())
    assert (await client.get(path, params={"fieldSelector": "metadata.name=settings"})).status_code == 200
    assert (await client.get(path)).status_code == 403


async def test_an_apply_that_creates_needs_the_right_to_create(lab: KubeLab) -> None:
    patcher = role("patch", rule(["patch"], ["deployments"], "apps"))
    lab.store.create(patcher)
    bind(lab.store, patcher, user("viewer"))
    path = "/apis/apps/v1/namespaces/shop/deployments/web"

    async def apply() -> httpx.Response:
        headers = {"Content-Type": "application/apply-patch+yaml"}
        client = lab.client(VIEWER_TOKEN)
        return await client.patch(path, json=deployment(), headers=headers, params={"fieldManager": "me"})

    refused = await apply()
    assert (refused.status_code, "cannot create" in refused.text) == (403, True)
    lab.store.create(deployment())
    assert (await apply()).status_code == 200


async def test_acting_as_another_needs_the_right_and_is_logged(lab: KubeLab) -> None:
    lab.store.create(pod("a"))
    viewer = role("view", rule(["list"], ["pods"]))
    lab.store.create(viewer)
    bind(lab.store, viewer, {"kind": "Group", "name": "ops"})
    as_anna = {"Impersonate-User": "anna", "Impersonate-Group": "ops"}
    refused = await lab.client(VIEWER_TOKEN).get(PODS, headers=as_anna)
    assert (refused.status_code, 'cannot impersonate resource "users"' in refused.json()["message"]) == (
        403,
        True,
    )
    allowed = await lab.client().get(PODS, headers=as_anna)
    assert allowed.status_code == 200
    assert (lab.requests.entries[-1].user, lab.requests.entries[-1].impersonator) == ("anna", "admin")
    weaker = await lab.client().get("/api/v1/nodes", headers=as_anna)
    assert weaker.status_code == 403
    groups_only = await lab.client().get(PODS, headers={"Impersonate-Group": "ops"})
    assert (groups_only.status_code, "without impersonating a user" in groups_only.text) == (500, True)
    account = {"Impersonate-User": "system:serviceaccount:shop:bot", "Impersonate-Extra-Scopes": "x"}
    assert (await lab.client().get(PODS, headers=account)).status_code == 403


async def test_a_refused_dry_run_is_logged_as_the_dry_run_that_it_was(lab: KubeLab) -> None:
    path, client = "/api/v1/namespaces/shop/configmaps", lab.client(VIEWER_TOKEN)
    refused = await client.post(path, json=config_map(), params={"dryRun": "All"})
    assert refused.status_code == 403
    assert lab.requests.entries[-1].dry_run is True
    assert lab.requests.writes() == []
