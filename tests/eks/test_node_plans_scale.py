"""What a drain asks of the API server at 20,000 pods on 200 nodes: the node's own pods, and little more."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from aiops_eks.clients.effects import KubeEffects
from aiops_eks.clients.node_effects import NodeEffects
from aiops_eks.clients.node_surroundings import NodeSurroundings
from aiops_eks.clients.surroundings import KubeSurroundings
from aiops_eks.planning import nodes as node_changes
from aiops_eks.planning.nodes_scene import NodesAsked, NodeWish
from aiops_shared.guardrails.models import ObjectRef, Step
from aiops_shared.guardrails.permits import Permit
from aiops_shared.kube.models import ObjectPage
from tests.fakes.clocks import FakeClock
from tests.fakes.kube import FakeKube, made, owned_by
from tests.fakes.kube import pod as a_pod

Obj = dict[str, Any]
NODES, PODS_EACH, SPACES = 200, 100, 10


@dataclass
class CountingKube(FakeKube):
    """Counts the whole objects it hands out, and takes dry runs."""

    handed_out: dict[str, int] = field(default_factory=dict)

    async def list(self, kind: str, namespace: str = "", **more: Any) -> ObjectPage:
        page = await super().list(kind, namespace, **more)
        word = kind.rpartition("/")[2]
        self.handed_out[word] = self.handed_out.get(word, 0) + len(page.items)
        return page

    async def create(self, obj: Obj, *, dry_run: bool, permit: Permit | None = None) -> Obj:
        raise NotImplementedError

    async def replace(self, obj: Obj, *, dry_run: bool, permit: Permit | None = None) -> Obj:
        self.requests.append(f"replace dry_run={dry_run}")
        return obj

    async def apply(
        self, obj: Obj, *, force: bool = False, dry_run: bool, permit: Permit | None = None
    ) -> Obj:
        raise NotImplementedError

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str,
        dry_run: bool,
        permit: Permit | None = None,
    ) -> None:
        raise NotImplementedError

    async def evict(
        self, namespace: str, name: str, *, uid: str, dry_run: bool, permit: Permit | None = None
    ) -> None:
        self.requests.append(f"evict dry_run={dry_run}")


@dataclass
class OneCluster:
    """The directory of that cluster."""

    kube: CountingKube

    async def open(self, cluster: str | None) -> CountingKube:
        del cluster
        return self.kube


def node(number: int) -> Obj:
    labels = {
        "topology.kubernetes.io/zone": "abc"[number % 3],
        "karpenter.sh/nodepool": "default",
    }
    found = made("Node", f"n{number:03}", "", metadata={"labels": labels}, spec={})
    found["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    if number == 7:  # somebody drains it: `true` as the fake's field selector compares texts
        found["spec"]["unschedulable"] = "true"
    return found


def pod(number: int) -> Obj:
    found = a_pod(f"web-{number:05}", f"shop-{number % SPACES}")
    found["spec"]["nodeName"] = f"n{number // PODS_EACH:03}"
    found["metadata"]["ownerReferences"] = owned_by("ReplicaSet", f"rs-{number % 40}")
    return found


@pytest.fixture(scope="module")
def objects() -> list[Obj]:
    sets = [
        made("ReplicaSet", f"rs-{number}", f"shop-{number % SPACES}", "apps/v1", spec={"replicas": 500})
        for number in range(40)
    ]
    spaces = [made("Namespace", f"shop-{number}", "") for number in range(SPACES)]
    budgets = [
        made("PodDisruptionBudget", f"b-{number}", f"shop-{number % 50}", "policy/v1", spec={}, status={})
        for number in range(500)
    ]
    return [
        *(node(number) for number in range(NODES)),
        *(pod(number) for number in range(NODES * PODS_EACH)),
        *sets,
        *spaces,
        *budgets,
    ]


@pytest.mark.row("S73")
async def test_a_drain_reads_its_own_node_and_not_the_cluster(objects: list[Obj]) -> None:
    kube = CountingKube(objects, cluster="big")
    surroundings = NodeSurroundings(OneCluster(kube), FakeClock())
    nodes = await surroundings.around(NodesAsked(names=("n001",)), moves=True)
    draft = node_changes.draft("drain", nodes, NodeWish())
    await surroundings.dry_run(draft, nodes)
    asked = [each for each in kube.requests if each != "discovery"]
    assert len(nodes.spots[0].pods) == PODS_EACH
    assert kube.handed_out["Pod"] == 2 * PODS_EACH  # its own, and those of the node that is cordoned
    assert kube.handed_out["PodDisruptionBudget"] == 100  # of the ten namespaces, not of all fifty
    assert kube.handed_out["Node"] == 1  # the cordoned one; the pool is counted by rows without objects
    assert sum(each.startswith("list pods") for each in asked) == 2
    assert sum(each.startswith("list poddisruptionbudgets") for each in asked) == SPACES
    assert sum(each.startswith("table nodes") for each in asked) == 1
    assert sum(each.startswith("get replicasets") for each in asked) == 40
    assert len(asked) < 70, len(asked)


async def test_a_look_of_the_drain_asks_for_the_pods_and_their_budgets_only(objects: list[Obj]) -> None:
    kube = CountingKube(objects, cluster="big")
    directory = OneCluster(kube)
    effects = NodeEffects(
        kube,
        NodeSurroundings(directory, FakeClock()),
        KubeEffects(kube, KubeSurroundings(directory, FakeClock())),
    )
    ref = ObjectRef(cluster="big", api_version="v1", kind="Node", name="n001")
    found = await effects.parts(ref, Step(name="evict", verb="sweep", body={"within_s": 600, "owners": []}))
    assert len(found.left) == PODS_EACH
    assert len(found.todo) == 40  # one of each controller
    assert [each for each in kube.requests if each != "discovery"] == [
        "list pods",
        *(f"list poddisruptionbudgets shop-{number}" for number in range(SPACES)),
    ]
