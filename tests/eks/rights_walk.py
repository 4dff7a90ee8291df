"""Every tool in every way that needs a right, on the lab, and what each call asked of Kubernetes and AWS.

Kubernetes: the lab's own log of requests. AWS: botocore's events (`before-call`) on the product's own
clients. Used by `test_rights_used.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from aiops_lab.aws.access import Access, Association
from aiops_lab.aws.eks_state import Capability, EksState, Update
from aiops_lab.aws.iam import Iam, Role, trusting_account
from aiops_lab.aws.ssm import Ssm
from aiops_lab.kube.requests import LoggedRequest
from aiops_lab.scenarios.disk import the_node
from aiops_lab.scenarios.eks_side import inventory_of
from aiops_lab.scenarios.names import cast
from aiops_lab.scenarios.profiles import leaker
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import ApprovalInvalidError
from tests.e2e.stage import Answer, Stage

Use = tuple[str, ...]
ADDONS, FULL = "plan_addon_change", "disk-pressure-again"
AWS_WORLDS = (
    *("eks-insight-error-positive", "nodegroup-degraded-positive", "subnet-ip-exhaustion"),
    *("fargate-profile-mismatch-positive",),
)
OPEN = ("/api", "/apis", "/version", "/openapi", "/healthz", "/livez", "/readyz")


@dataclass
class Uses:
    """What was asked, by the tool that was being called then."""

    by_tool: dict[str, set[Use]] = field(default_factory=dict)
    aws: list[str] = field(default_factory=list)  # since the last look
    refused: list[str] = field(default_factory=list)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hear what every client of AWS that the product makes from now on is asked."""
        uses, make = self, AwsClients.client

        def heard(clients: AwsClients, service: str, target: AwsTarget) -> Any:
            client = make(clients, service, target)
            client.meta.events.register("before-call", uses.hear, unique_id="rights")
            return client

        monkeypatch.setattr(AwsClients, "client", heard)

    def hear(self, model: Any, **_: Any) -> None:
        """One call, from botocore's event."""
        self.aws.append(f"{model.service_model.signing_name}:{model.name}")

    def take(self, tool: str, seen: list[LoggedRequest]) -> None:
        """Book what was asked on a tool."""
        book = self.by_tool.setdefault(tool, set())
        for one in seen:
            if (use := kube_use(one)) is not None:
                book.add(use)
                if one.verb == "patch" and one.status == 201:  # an apply that creates is asked for both
                    book.add(("kube", "create", *use[2:]))
                if one.status == 403:
                    self.refused.append(f"{tool}: {' '.join(use)}")
        book |= {("aws", action) for action in self.aws}
        self.aws.clear()


def kube_use(one: LoggedRequest) -> Use | None:
    """What RBAC decides on; None for what every authenticated user may ask."""
    if not one.resource:
        return None if one.path.startswith(OPEN) else ("url", one.verb, one.path)
    group = one.path.split("/")[2] if one.path.startswith("/apis/") else ""
    if group == "authorization.k8s.io":
        return None  # system:basic-user
    served = f"{one.resource}/{one.subresource}" if one.subresource else one.resource
    return ("kube", one.verb, group, served, one.namespace)


@dataclass
class Walker:
    """Calls tools of one stage and books what each asked."""

    stage: Stage
    uses: Uses

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """One tool; its requests are booked on it."""
        self.stage.lab.requests.clear()
        answer = await self.stage.ask(tool, **arguments)
        self.uses.take(tool, self.stage.lab.requests.entries)
        return answer

    async def execute(self, plan: dict[str, Any]) -> Answer:
        """Execute to the end; all that happens meanwhile is execute_plan's."""
        self.stage.lab.requests.clear()
        answer = await self.stage.execute(plan)
        self.uses.take("execute_plan", self.stage.lab.requests.entries)
        return answer

    async def undo(self, action_id: str) -> Answer:
        """Undo to the end."""
        self.stage.lab.requests.clear()
        started = await self.stage.ask("undo_action", action_id=action_id)
        answer = started if started.error else await self.stage.ended(action_id)
        self.uses.take("undo_action", self.stage.lab.requests.entries)
        return answer

    async def planned(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A plan that must come out whole: a right that is missing shows as `schema_only`."""
        answer = await self.ask(tool, **arguments)
        assert not answer.error, f"{tool} {arguments}: {answer.error}"
        assert "schema_only" not in answer.data["validation"], f"{tool} {arguments}: {answer.text[:600]}"
        return answer.data

    async def done(self, plan: dict[str, Any]) -> str:
        """Executed, approved by another person where policy wants one; the action's id."""
        answer = await self.execute(plan)
        if answer.code == "approval_pending":
            try:
                await self.stage.approved_by("bela", answer)
            except ApprovalInvalidError:  # the one who asked may say yes
                await self.stage.approved_by("anna", answer)
            answer = await self.execute(plan)
        assert not answer.error, answer.error
        assert answer.data["state"] == "succeeded", answer.text[:800]
        return str(answer.data["action_id"])

    def play(self, scenario: str, seed: int = 0) -> None:
        """Another world for the same server; what was done in the last one limits nothing here."""
        self.stage.lab.reset(scenario, seed)
        self.stage.sql("delete from limits")


SPACE = "staging"
_TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "walk"}},
    "spec": {
        "containers": [
            {
                "name": "walk",
                "image": "set by the walk: one that the lab can pull",
            }
        ]
    },
}
_CHOSEN = {"matchLabels": {"app": "walk"}}
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "walk"}
_JOB = {"template": {**_TEMPLATE, "spec": {**_TEMPLATE["spec"], "restartPolicy": "Never"}}}
_PORTS = [{"port": 80, "targetPort": 80}]
_BACKEND = {"service": {"name": "walk", "port": {"number": 80}}}
# Kind -> version, what it is made of, and what becomes of that.
MADE: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "ConfigMap": ("v1", {"data": {"a": "1"}}, {"data": {"a": "2"}}),
    "Service": (
        "v1",
        {"spec": {"selector": {"app": "walk"}, "ports": _PORTS}},
        {"spec": {"selector": {"app": "walk", "more": "1"}, "ports": _PORTS}},
    ),
    "Deployment": (
        "apps/v1",
        {"spec": {"replicas": 2, "selector": _CHOSEN, "template": _TEMPLATE}},
        {"spec": {"replicas": 3, "selector": _CHOSEN, "template": _TEMPLATE}},
    ),
    "StatefulSet": (
        "apps/v1",
        {"spec": {"replicas": 2, "serviceName": "walk", "selector": _CHOSEN, "template": _TEMPLATE}},
        {"spec": {"replicas": 3, "serviceName": "walk", "selector": _CHOSEN, "template": _TEMPLATE}},
    ),
    "DaemonSet": (
        "apps/v1",
        {"spec": {"selector": _CHOSEN, "template": _TEMPLATE}},
        {"spec": {"selector": _CHOSEN, "template": _TEMPLATE, "minReadySeconds": 1}},
    ),
    "HorizontalPodAutoscaler": (
        "autoscaling/v2",
        {"spec": {"scaleTargetRef": _TARGET, "minReplicas": 2, "maxReplicas": 3}},
        {"spec": {"scaleTargetRef": _TARGET, "minReplicas": 2, "maxReplicas": 4}},
    ),
    "CronJob": (
        "batch/v1",
        {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": _JOB}}},
        {"spec": {"schedule": "0 1 1 1 *", "jobTemplate": {"spec": _JOB}}},
    ),
    "Job": ("batch/v1", {"spec": _JOB}, {"spec": {**_JOB, "suspend": True}}),
    "Ingress": (
        "networking.k8s.io/v1",
        {"spec": {"defaultBackend": _BACKEND}},
        {"spec": {"defaultBackend": {"service": {"name": "walk", "port": {"number": 81}}}}},
    ),
    "NetworkPolicy": (
        "networking.k8s.io/v1",
        {"spec": {"podSelector": _CHOSEN, "policyTypes": ["Ingress"], "ingress": [{}]}},
        {"spec": {"podSelector": _CHOSEN, "policyTypes": ["Ingress"], "ingress": []}},
    ),
    "PodDisruptionBudget": (
        "policy/v1",
        {"spec": {"selector": _CHOSEN, "maxUnavailable": 1}},
        {"spec": {"selector": _CHOSEN, "maxUnavailable": 2}},
    ),
}


async def read_every_kind(walker: Walker, kinds: Mapping[str, tuple[str, str]]) -> None:
    """List each kind and get one of it."""
    served = {(one.group, one.plural): one for one in walker.stage.lab.store.registry.all()}
    for kind, (group, resource) in kinds.items():
        found = served.get((group, resource))
        if found is None:
            continue
        word = f"{resource}.{group}" if group else kind
        await walker.ask("list_resources", kind=word)
        where = {"namespace": "production"} if found.namespaced else {}
        await walker.ask("get_resource", kind=word, name="nothing-here", **where)


async def change_manifests(walker: Walker, kinds: Iterable[str]) -> None:
    """Each kind made, changed and deleted by plans, and each of that undone."""
    some = walker.stage.lab.store.list("Deployment", SPACE)[0]
    held = some["spec"]["template"]["spec"]["containers"][0]
    _TEMPLATE["spec"]["containers"][0] |= {"image": held["image"], "resources": held["resources"]}
    for kind in kinds:
        version, first, then = MADE[kind]
        named = {"apiVersion": version, "kind": kind, "metadata": {"name": "walk", "namespace": SPACE}}
        made = await walker.done(await _applied(walker, {**named, **first}))
        changed = await walker.done(await _applied(walker, {**named, **then}))
        await walker.undo(changed)
        await _deleted(walker, {"kind": kind, "namespace": SPACE, "name": "walk"})
        await walker.undo(made)
        walker.stage.sql("delete from limits")


async def _deleted(walker: Walker, one: dict[str, str]) -> None:
    """Deleted and given back, where policy lets it be deleted at all."""
    plan = await walker.ask("plan_manifest", action="delete", **one)
    if plan.error or "refuse" in str(plan.data["verdict"]).lower():
        return
    gone = await walker.execute(plan.data)
    if gone.code == "approval_pending":
        await walker.done(plan.data)
    elif not gone.error:
        await walker.undo(gone.data["action_id"])


async def _applied(walker: Walker, obj: dict[str, Any]) -> dict[str, Any]:
    return await walker.planned("plan_manifest", action="apply", manifest=str(yaml.safe_dump(obj)))


async def change_workloads(walker: Walker) -> None:
    """Restarted: every change of a workload has the same verb."""
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        found = sorted(walker.stage.lab.store.list(kind), key=_is_system)
        meta = found[0]["metadata"]
        one = {"kind": kind, "namespace": meta["namespace"], "name": meta["name"]}
        await walker.done(
            await walker.planned("plan_workload_change", action="restart", reason="walk", **one)
        )


def _is_system(obj: dict[str, Any]) -> bool:
    return bool(obj["metadata"]["namespace"].startswith("kube-"))


async def change_pods(walker: Walker) -> None:
    """One pod evicted, one deleted."""
    pods = [one["metadata"]["name"] for one in walker.stage.lab.store.list("Pod", SPACE)]
    for action, name in (("evict", pods[0]), ("delete", pods[-1])):
        one = {"kind": "Pod", "namespace": SPACE, "name": name}
        await walker.done(await walker.planned("plan_manifest", action=action, **one))


async def change_nodes(walker: Walker) -> None:
    """Disks cleaned over SSM and by debug pods; a node cordoned, drained and given back."""
    stage = walker.stage
    for online in (True, False):
        walker.play(FULL, 1)
        if not online:
            stage.lab.account.area(Ssm).offline.update(stage.lab.world.disks.instances())
        node = the_node(cast(1))
        await walker.ask("list_events", kind="Node", name=node)
        await walker.done(await walker.planned("plan_node_change", action="clean_disk", names=[node]))
    for action in ("cordon", "drain"):
        plan = await walker.planned("plan_node_change", action=action, names=[node])
        await walker.undo(await walker.done(plan))


async def change_addons(walker: Walker) -> None:
    """An add-on made and taken back, one updated, one deleted and given back."""
    walker.play("healthy", 1)
    made = await walker.done(await walker.planned(ADDONS, action="create", name="cert-manager"))
    await walker.undo(made)
    walker.play("addon-inventory", 1)
    behind = sorted(inventory_of(cast(1)).behind)
    if behind:
        await walker.done(await walker.planned(ADDONS, action="update", name=behind[0]))


async def profile(walker: Walker) -> None:
    """A heap profile of one pod."""
    walker.play("memory-growing", 0)
    one = {"namespace": "production", "name": leaker(cast(0))}
    await walker.done(await walker.planned("plan_workload_change", action="profile", **one))


async def read_aws(walker: Walker, views: Iterable[str]) -> None:
    """Every view and a diagnosis in worlds that have what AWS is asked about."""
    for scenario in AWS_WORLDS:
        walker.play(scenario)
        stage = walker.stage
        _furnish_access(stage)
        await walker.ask("describe_cluster", include=list(views))
        await walker.ask("diagnose")
        await walker.ask("list_changes", since="-2d")
    await walker.ask("describe_cluster", include=["access"], principal="production/walk")
    await walker.ask("list_clusters")


def _furnish_access(stage: Stage) -> None:
    """What no story has: a capability, a Pod Identity association and an IRSA role of one ServiceAccount."""
    arn = "arn:aws:iam::111122223333:role/walk"
    annotations = {"eks.amazonaws.com/role-arn": arn}
    meta = {"name": "walk", "namespace": "production", "annotations": annotations}
    stage.lab.store.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    area = stage.lab.account.area
    area(Iam).roles["walk"] = Role("walk", trusting_account("production", "walk"))
    area(Access).associations["a-1"] = Association("a-1", "production", "walk", arn)
    area(EksState).capabilities["gitops"] = Capability("gitops", "ARGOCD")
    area(EksState).updates["u-1"] = Update("u-1", "VersionUpdate", stage.lab.clock.now())


async def read_logs(walker: Walker) -> None:
    """Logs of one pod and of a workload; a scan of what is there."""
    lab = walker.stage.lab
    pod = lab.store.list("Pod", "production")[0]["metadata"]["name"]
    name = lab.store.list("Deployment", "production")[0]["metadata"]["name"]
    await walker.ask("get_pod_logs", namespace="production", pod=pod)
    await walker.ask("get_pod_logs", namespace="production", workload=f"deployment/{name}")
    one = {"kind": "Deployment", "namespace": "production", "name": name}
    for tool in ("list_events", "get_resource", "scan_manifest", "diagnose"):
        await walker.ask(tool, **one)
    await walker.ask("scan_manifest", **one, fix=True)


def lines(uses: Uses) -> Iterator[str]:
    """For people."""
    for tool, book in sorted(uses.by_tool.items()):
        for use in sorted(book):
            yield f"{tool}: {' '.join(use)}"
