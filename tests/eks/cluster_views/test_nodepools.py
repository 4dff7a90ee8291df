"""What include=nodepools says: limits, claims that do not come up, node groups with issues, Fargate."""

import pytest

from aiops_lab.aws.access import Access, FargateProfile
from aiops_lab.aws.account import Nodegroup
from aiops_lab.kube.wire import Obj
from aiops_lab.run import Lab
from tests.eks.cluster_views.seeing import gaps, rows, seen

T = "2026-11-22T00:00:00Z"


def node_class(name: str, ready: bool, message: str = "") -> Obj:
    status = {"type": "Ready", "status": str(ready), "reason": "NotReady", "message": message}
    return {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {"name": name},
        "spec": {},
        "status": {"conditions": [status | {"lastTransitionTime": T}]},
    }


def node_pool(name: str, cpu: int, used: int, made_by: str = "default") -> Obj:
    wants = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot", "on-demand"]}
    ref = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": made_by}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "limits": {"cpu": str(cpu), "memory": "128Gi"},
            "template": {"spec": {"nodeClassRef": ref, "requirements": [wants]}},
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "30s"},
        },
        "status": {"resources": {"cpu": str(used), "memory": f"{used * 4}Gi", "nodes": str(used // 4)}},
    }


def claim(name: str, pool: str, *, launched: bool, why: str = "") -> Obj:
    told = [
        {
            "type": "Launched",
            "status": "True" if launched else "Unknown",
            "reason": "LaunchFailed",
            "message": why,
        },
        {
            "type": "Registered",
            "status": "Unknown",
            "reason": "NodeNotFound",
            "message": "Node not registered",
        },
    ]
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"name": name, "labels": {"karpenter.sh/nodepool": pool}},
        "spec": {
            "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
            "requirements": [],
        },
        "status": {"conditions": [one | {"lastTransitionTime": T} for one in told]},
    }


def put(lab: Lab, *objects: Obj) -> None:
    for obj in objects:
        status = obj.pop("status", None)
        lab.store.create(obj)
        if status:
            lab.store.set_status(obj["kind"], None, obj["metadata"]["name"], status)


async def test_pools_claims_groups_and_profiles_are_said_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        put(
            view.lab,
            node_class("default", ready=True),
            node_class("gpu", ready=False, message="Failed to resolve AMIs"),
            node_pool("general", 32, 24),
            node_pool("full", 32, 32),
            node_pool("gpu", 64, 0, "gpu"),
            node_pool("lost", 64, 0, "nowhere"),
            claim(
                "general-a1", "general", launched=False, why="all requested instance types were unavailable"
            ),
            claim("general-b2", "general", launched=True),
        )
        issue = (("AsgInstanceLaunchFailures", "Instance quota reached", ("eks-web-lab",)),)
        view.lab.account.nodegroups["web"] = Nodegroup(
            "web", ("m5.large",), 3, 1, 5, status="DEGRADED", issues=issue
        )
        profile = FargateProfile("batch", (("jobs", (("tier", "batch"),)),))
        view.lab.account.area(Access).fargate["batch"] = profile
        answer = await view.describe("nodepools")
        pools = {row["nodepool"]: row for row in rows(answer, "nodepools")}
        assert (pools["general"]["cpu"], pools["general"]["trouble"]) == ("24 of 32", None)
        assert pools["general"]["market"] == "spot/on-demand"
        assert "100% of a limit" in str(pools["full"]["trouble"])
        assert "EC2NodeClass not ready: Failed to resolve AMIs" in str(pools["gpu"]["trouble"])
        assert pools["lost"]["trouble"] == "EC2NodeClass nowhere does not exist"
        claims = {row["nodeclaim"]: row for row in rows(answer, "nodeclaims_not_ready")}
        assert claims["general-a1"]["stage"] == "not Launched"
        assert "instance types were unavailable" in str(claims["general-a1"]["why"])
        assert claims["general-b2"]["stage"] == "not Registered"
        (group,) = rows(answer, "managed_node_groups")
        assert (group["status"], group["desired"]) == ("DEGRADED", 3)
        assert "AsgInstanceLaunchFailures" in str(group["issues"])
        (fargate,) = rows(answer, "fargate_profiles")
        assert fargate["selects"] == "jobs (tier=batch)"
        assert "node groups with issues: web" in answer["summary"]
        assert not gaps(answer)


async def test_without_karpenter_there_are_no_pools_and_that_is_no_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        answer = await view.describe("nodepools")
        assert "0 NodePools" in answer["summary"] or "no Karpenter" in answer["summary"]
        assert not gaps(answer)


async def test_each_source_that_fails_is_named_and_the_others_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch, timeout_s=5) as view:
        put(view.lab, node_class("default", ready=True), node_pool("general", 32, 24))
        view.lab.fail_aws("eks", "ListNodegroups", code="AccessDeniedException")
        view.lab.fail_aws("eks", "ListFargateProfiles", delay_s=20)
        answer = await view.describe("nodepools")
        assert "eks:ListNodegroups is not allowed" in gaps(answer)
        assert "eks:ListFargateProfiles: [timeout]" in gaps(answer)
        assert [row["nodepool"] for row in rows(answer, "nodepools")] == ["general"]


async def test_a_throttled_source_and_kinds_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.fail_aws("eks", "ListNodegroups", code="ThrottlingException")
        role = view.lab.store.get("ClusterRole", None, "aiops-eks-read")
        assert role is not None
        role["rules"] = [rule for rule in role["rules"] if rule.get("apiGroups") != ["karpenter.sh"]]
        view.lab.store.update(role)
        answer = await view.describe("nodepools")
        assert "eks:ListNodegroups: [throttled]" in gaps(answer)
        assert "grant list on nodepools.karpenter.sh" in gaps(answer)
        assert "NodePools unknown" in answer["summary"]
