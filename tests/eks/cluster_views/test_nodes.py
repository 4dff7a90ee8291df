"""What include=nodes says: the worst by name with why and since when, the rest counted."""

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from aiops_eks.clients.cluster_views.base import Scene
from aiops_eks.clients.cluster_views.node_census import Asked, add_pod, seen_node, versions
from aiops_eks.clients.cluster_views.nodes import nodes
from aiops_eks.models.answers import ClusterView
from aiops_eks.ports import Kube
from aiops_lab.kube.faults import Fault, FaultKind
from aiops_lab.kube.wire import Obj
from aiops_lab.run import Lab
from tests.eks.cluster_views.seeing import gaps, rows, seen
from tests.eks.reading import tokens

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def change(lab: Lab, name: str, **spec: object) -> None:
    found = lab.store.get("Node", None, name)
    assert found is not None
    found["spec"].update(spec)
    lab.store.update(found, manager="kubectl-cordon")


@pytest.mark.row("B12")
async def test_pressure_the_agents_faults_and_cordons_are_named_with_since_when(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        lab = view.lab
        names = sorted(lab.world.cni.nodes)
        words = "kubelet has disk pressure"
        lab.world.nodes.set_condition(names[0], "DiskPressure", "True", "KubeletHasDiskPressure", words)
        fault = "NvidiaXID79Error", "GPU has fallen off the bus"
        lab.world.nodes.set_condition(names[1], "AcceleratedHardwareReady", "False", *fault)
        change(lab, names[2], unschedulable=True)
        lab.clock.advance(600)
        answer = await view.describe("nodes")
        told = {row["node"]: row for row in rows(answer, "nodes")}
        assert set(told) == set(names[:3])
        assert "DiskPressure" in str(told[names[0]]["state"])
        assert "NvidiaXID79Error (node monitoring agent)" in str(told[names[1]]["why"])
        assert told[names[1]]["since"] == "10m"
        assert "cordoned 10m ago by kubectl-cordon" in str(told[names[2]]["why"])
        conditions = {row["condition"]: row for row in rows(answer, "node_conditions")}
        assert conditions["AcceleratedHardwareReady"]["said_by"] == "node monitoring agent"
        assert conditions["DiskPressure"]["said_by"] == "kubelet"
        groups = rows(answer, "node_groups")
        assert sum(int(str(row["nodes"])) for row in groups) == 6
        assert {row["run_by"] for row in groups} == {"karpenter default"}
        assert all(str(row["cpu_requested"]).endswith("%") for row in groups)
        (kubelet,) = rows(answer, "kubelets")
        assert (kubelet["nodes"], kubelet["minors_behind"]) == (6, 0)
        assert f"1 under pressure ({names[0]})" in answer["summary"]
        assert not gaps(answer)


async def test_a_healthy_cluster_names_no_node_until_asked_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch, seed=1) as view:
        answer = await view.describe("nodes")
        assert rows(answer, "nodes") == []
        assert "6 nodes in 3 zones, all Ready" in answer["summary"]
        answer = await view.describe("nodes", detail="full")
        assert len(rows(answer, "nodes")) == 6


async def test_what_may_not_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        role = view.lab.store.get("ClusterRole", None, "aiops-eks-read")
        assert role is not None
        for rule in role["rules"]:
            rule["resources"] = [one for one in rule.get("resources", ()) if one != "pods"] or ["none"]
        view.lab.store.update(role)
        answer = await view.describe("nodes")
        assert "requests of pods" in gaps(answer)
        assert "grant list on pods" in gaps(answer)
        assert {row["cpu_requested"] for row in rows(answer, "node_groups")} == {None}
        role["rules"] = [rule for rule in role["rules"] if "nodes" not in rule.get("resources", ())]
        view.lab.store.update({**role, "metadata": {"name": "aiops-eks-read"}})
        answer = await view.describe("nodes")
        assert "grant list on nodes" in gaps(answer)
        assert "nodes unknown" in answer["summary"]


@pytest.mark.parametrize(
    ("kind", "code"), [("throttle", "throttled"), ("stall", "timeout"), ("error", "upstream")]
)
async def test_pods_that_do_not_come_leave_the_nodes(
    kind: FaultKind, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[nodes.__module__], "PODS_WITHIN_S", 1.0)
    async with seen("healthy", monkeypatch) as view:
        await view.describe("nodes")
        view.lab.set_faults([Fault(kind, times=None, path_contains="/api/v1/pods")])
        answer = await view.describe("nodes")
        assert "coverage_gap: nodes: requests" in gaps(answer)
        assert code in gaps(answer) or "not every pod was read" in gaps(answer)
        assert sum(int(str(row["nodes"])) for row in rows(answer, "node_groups")) == 6


class Crowd:
    """Two thousand nodes of many kinds, and their pods: as much of the port as the view asks."""

    cluster = "large"

    async def every(self, kind: str, namespace: str = "", **_: object) -> AsyncIterator[Obj]:
        for place in range(2_000):
            for each in (crowd_node(place),) if kind == "Node" else (crowd_pod(place, n) for n in range(3)):
                yield each


def crowd_node(place: int) -> Obj:
    sick = place % 40 == 0
    told = [
        {"type": "Ready", "status": "Unknown" if place % 97 == 0 else "True", "reason": "NodeStatusUnknown"},
        {
            "type": "MemoryPressure",
            "status": "True" if sick else "False",
            "reason": "KubeletHasInsufficientMemory",
        },
        {"type": "KernelReady", "status": "False" if place % 55 == 0 else "True", "reason": "SoftLockup"},
    ]
    since = (NOW - timedelta(minutes=place % 300)).isoformat()
    return {
        "metadata": {
            "name": f"ip-10-{place // 250}-{place % 250}-17.eu-central-1.compute.internal",
            "labels": {
                "topology.kubernetes.io/zone": f"eu-central-1{'abc'[place % 3]}",
                "node.kubernetes.io/instance-type": f"m{5 + place % 3}.{2 ** (place % 4)}xlarge",
                "karpenter.sh/nodepool": f"pool-{place % 7}",
                "karpenter.sh/capacity-type": "spot" if place % 2 else "on-demand",
            },
        },
        "spec": {"unschedulable": place % 61 == 0},
        "status": {
            "allocatable": {"cpu": "3920m", "memory": "14Gi", "pods": "58"},
            "conditions": [one | {"lastTransitionTime": since, "message": "m" * 400} for one in told],
            "nodeInfo": {"kubeletVersion": f"v1.{33 + place % 3}.0-eks-1"},
        },
    }


def crowd_pod(place: int, number: int) -> Obj:
    wants = {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
    node = crowd_node(place)["metadata"]["name"]
    return {"metadata": {"name": f"p-{place}-{number}"}, "spec": {"nodeName": node, "containers": [wants]}}


@pytest.mark.fault("R20")
async def test_two_thousand_nodes_fit_one_answer() -> None:
    scene = Scene(kube=cast("Kube", Crowd()), now=NOW, cluster={"version": "1.35"})
    section = await nodes(scene)
    view = ClusterView(
        summary=section.says[:400],
        facts=section.tables["kubelets"],
        sections=section.tables,
        warnings=tuple(section.warnings),
    )
    size = tokens(cast("Any", view.model_dump(mode="json")))
    assert size <= 1_500, size
    groups = section.tables["node_groups"]
    assert sum(int(str(row[4])) for row in groups.rows) == 2_000
    assert len(section.tables["nodes"].rows) == 8
    assert all("NotReady" in str(row[3]) for row in section.tables["nodes"].rows)
    assert "more nodes are not named" in section.warnings[0]
    assert len(section.says) < 380


def test_a_misshapen_node_reads_as_an_empty_one() -> None:
    for broken in ({}, {"spec": 3, "status": "x", "metadata": []}, {"status": {"conditions": [None, "x"]}}):
        found = seen_node(cast("Obj", broken))
        assert (found.ready, found.run_by, found.cpu_m) == (False, "self-managed", 0)


def test_what_a_pod_asks_for_is_counted_as_the_scheduler_does() -> None:
    def one(cpu: str, **more: str) -> Obj:
        return {"resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}, **more}

    asked: dict[str, Asked] = {}
    spec = {
        "nodeName": "n",
        "containers": [one("100m"), one("200m")],
        "initContainers": [one("900m"), one("50m", restartPolicy="Always")],
        "overhead": {"cpu": "10m"},
    }
    add_pod(asked, {"spec": spec})
    add_pod(asked, {"spec": spec, "status": {"phase": "Succeeded"}})
    assert (asked["n"].cpu_m, asked["n"].memory, asked["n"].pods) == (910, 3 * 64 * 2**20, 1)


def test_kubelets_are_compared_with_the_control_plane() -> None:
    def node(version: str) -> Obj:
        return {"status": {"nodeInfo": {"kubeletVersion": version}}}

    found = [seen_node(node(version)) for version in ("v1.31.2-eks-1", "v1.35.0", "v1.36.1", "odd")]
    assert versions(found, "1.35") == [
        ("v1.31.2-eks-1", 1, 4),
        ("odd", 1, None),
        ("v1.35.0", 1, 0),
        ("v1.36.1", 1, -1),
    ]
