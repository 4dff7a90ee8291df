"""Of a list longer than what is kept every row is judged, and the worst are kept (fault R20)."""

from typing import Any

import anyio
import pytest

from aiops_eks.clients import inventory_rows
from aiops_shared.kube.models import TablePage
from tests.eks.reading import ask, on, refused
from tests.fakes.kube import FakeKube, crashing, made, pod

pytestmark = pytest.mark.fault("R20")


@pytest.mark.parametrize("namespace", ["", "team-9"])
async def test_the_worst_of_a_long_list_stands_first_wherever_it_was_read(
    namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory_rows, "MOST_ROWS", 20)
    monkeypatch.setattr(inventory_rows, "PAGE", 10)
    well = [pod(f"a-{n:03}", f"team-{n % 10}") for n in range(200)]
    last = [pod(f"w-{n:03}", "team-9") for n in range(100)]
    clusters = on(*well, *last, crashing("z", "team-9"))
    answer = await ask(clusters, "list_resources", kind="Pod", namespace=namespace, limit=5)
    total = 121 if namespace else 301
    assert (answer["total"], answer["unhealthy"]) == (total, 1)
    assert "z" in answer["resources"]["rows"][0]
    assert answer["warnings"] == [f"all {total} rows were judged; only the first 20, worst first, are listed"]


async def test_a_list_of_the_unhealthy_is_of_all_pods_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_rows, "MOST_ROWS", 20)
    monkeypatch.setattr(inventory_rows, "PAGE", 10)
    clusters = on(*(pod(f"a-{n:03}", f"team-{n % 10}") for n in range(200)), crashing("z", "team-9"))
    answer = await ask(clusters, "list_resources", kind="Pod", unhealthy_only=True)
    assert (answer["total"], answer["unhealthy"], answer.get("warnings")) == (201, 1, None)


async def test_namespaces_that_answer_too_late_leave_an_answer_that_says_it_is_a_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inventory_rows, "WITHIN_S", 0.5)
    clusters, at_once = on(pod("a", "team-1"), pod("b", "team-9")), FakeKube.table

    async def table(self: FakeKube, kind: str, namespace: str = "", **more: Any) -> TablePage:
        if namespace == "team-9" or (namespace and none_answers):
            await anyio.sleep_forever()
        return await at_once(self, kind, namespace, **more)

    monkeypatch.setattr(FakeKube, "table", table)
    none_answers = False
    answer = await ask(clusters, "list_resources", kind="Pod")
    assert answer["total"] == 1
    assert answer["warnings"] == ["only the first 1 rows were read and ranked within 0.5 s; name a namespace"]
    none_answers = True
    said = await refused(clusters, "list_resources", kind="Pod")
    assert said.startswith("[timeout] list of pods: no namespace was read within 0.5 s")


async def test_nodes_too_many_to_be_read_whole_are_judged_by_their_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inventory_rows, "MOST_WHOLE", 5)
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    clusters = on(*(made("Node", f"node-{n}", "") | {"status": ready} for n in range(8)))
    answer = await ask(clusters, "list_resources", kind="Node")
    assert answer["total"] == 8
    assert answer["warnings"] == [
        "more than 5 objects: only the first 5 were read whole, the rest by their rows"
    ]
