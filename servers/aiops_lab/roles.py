"""What the lab's identities may do in the cluster and in AWS: the roles that `deploy/` gives (decision D14).

`rights_given.json` is made from the same table as deploy/rbac and deploy/iam (`make docs`), so that what a
tool lacks there it lacks here. Laid into the store before the world is built: every scenario and reset starts
with it. aiops-executor plans too, since one server does both.
"""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj

RBAC = "rbac.authorization.k8s.io"
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete")
_READING = ("eks/read", "eks/secrets", "eks/sensitive", "eks/forward")
# Group -> server/role. Each server's rights apart, so that a tool cannot live on another server's.
GIVEN: Mapping[str, tuple[str, ...]] = {
    "read": _READING,
    "plan": (*_READING, "eks/plan"),
    "execute": (*_READING, "eks/plan", "eks/execute"),
    "observe": ("observability/read", "observability/sensitive"),
    "account": ("cost/read", "cost/sensitive"),
}
# Operations that need no right of the caller's own: who am I, and a role says itself who may assume it.
_FREE = frozenset({"sts:GetCallerIdentity", "sts:AssumeRole"})


@cache
def _given() -> dict[str, Obj]:
    """`server/role` -> its manifests and policy."""
    told: dict[str, dict[str, Obj]] = json.loads(
        Path(__file__).with_name("rights_given.json").read_text("utf-8")
    )
    return {f"{server}/{role}": one for server, roles in told.items() for role, one in roles.items()}


def grant(store: Store) -> None:
    """Create the roles and bind each to the groups that have it; a namespace's own once there is one."""
    homeless: dict[str, list[Obj]] = {}
    for role, told in _given().items():
        groups = [f"aiops:{group}" for group, roles in GIVEN.items() if role in roles]
        for manifest in told["manifests"]:
            pair = [manifest, _binding(manifest, groups)]
            if space := manifest["metadata"].get("namespace"):
                homeless.setdefault(space, []).extend(pair)
                continue
            _create(store, pair)
    pipeline = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "aiops-ci"},
        "rules": _pipeline(),
    }
    _create(store, [pipeline, _binding(pipeline, ["aiops:ci"])])

    def settle(change: str, obj: Obj) -> None:
        if change == "ADDED" and obj.get("kind") == "Namespace":
            _create(store, homeless.get(obj["metadata"]["name"], []))

    store.subscribe(settle)


def _create(store: Store, objects: list[Obj]) -> None:
    for obj in objects:
        store.create(obj, manager="eks-aiops")


def _binding(role: Obj, groups: list[str]) -> Obj:
    metadata = {key: role["metadata"][key] for key in ("name", "namespace") if key in role["metadata"]}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{role['kind']}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": role["kind"], "name": metadata["name"]},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group} for group in groups],
    }


def _pipeline() -> list[Obj]:
    """What the pipeline user of the stories needs: it deploys, and it tidies up too much."""
    return [
        {"apiGroups": ["", "apps"], "resources": ["configmaps", "deployments"], "verbs": [*READ, *WRITE]},
    ]


def may(groups: tuple[str, ...], action: str) -> bool:
    """Whether IAM lets a principal with these Kubernetes groups call an action.

    Only principals of this suite are bound by policies; the administrator and the stories' others are not.
    Resources and conditions are not played.
    """
    ours = [group.removeprefix("aiops:") for group in groups if group.removeprefix("aiops:") in GIVEN]
    if not ours or action in _FREE:
        return True
    return any(fnmatchcase(action, one) for group in ours for one in _actions(group))


def _actions(group: str) -> Iterator[str]:
    for role in GIVEN[group]:
        for statement in _given()[role]["policy"]:
            yield from statement["Action"]
