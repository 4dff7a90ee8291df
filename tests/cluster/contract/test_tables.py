"""Tables, metadata alone, and discovery: the forms that clients ask for."""

import pytest

from tests.cluster.contract.objects import CORE, DEPLOYMENTS, MAPS, NETWORK, PODS, SERVICES, given
from tests.cluster.contract.server import METADATA, METADATA_LIST, TABLE, Server

COLUMNS = {
    "pods": (PODS, "Name Ready Status Restarts Age IP Node Nominated_Node Readiness_Gates"),
    "configmaps": (MAPS, "Name Data Age"),
    "deployments": (DEPLOYMENTS, "Name Ready Up-to-date Available Age Containers Images Selector"),
    "services": (SERVICES, "Name Type Cluster-IP External-IP Port(s) Age Selector"),
    "secrets": (f"{CORE}/secrets", "Name Type Data Age"),
    "events": (
        f"{CORE}/events",
        "Last_Seen Type Reason Object Subobject Source Message First_Seen Count Name",
    ),
    "ingresses": (f"{NETWORK}/ingresses", "Name Class Hosts Address Ports Age"),
    "jobs": (
        "/apis/batch/v1/namespaces/{ns}/jobs",
        "Name Status Completions Duration Age Containers Images Selector",
    ),
}
WIDE = {"IP", "Node", "Nominated_Node", "Readiness_Gates", "Containers", "Images", "Selector"}
WIDE_OF_EVENTS = {"Subobject", "Source", "First_Seen", "Count", "Name"}


@pytest.mark.parametrize("kind", list(COLUMNS))
async def test_a_table_has_the_columns_that_kubectl_prints(server: Server, kind: str) -> None:
    path, names = COLUMNS[kind]
    table = (await server.ask(f"GET {path}", accept=TABLE)).ok
    assert (table["kind"], table["apiVersion"], table["rows"]) == ("Table", "meta.k8s.io/v1", [])
    shown = {column["name"].replace(" ", "_"): column["priority"] for column in table["columnDefinitions"]}
    assert list(shown) == names.split()
    wide = WIDE_OF_EVENTS if kind == "events" else WIDE
    assert {name for name, priority in shown.items() if priority} == wide & set(shown)


@pytest.mark.parametrize(
    ("include", "kind"),
    [("", "PartialObjectMetadata"), ("Metadata", "PartialObjectMetadata"), ("Object", "Pod")],
)
async def test_a_row_carries_what_was_asked(server: Server, include: str, kind: str) -> None:
    await given(server, "pod")
    table = (await server.ask(f"GET {PODS}?includeObject={include}", accept=TABLE)).ok
    row = table["rows"][0]
    assert row["cells"][:4] == ["p", "0/1", "Pending", "0"]
    assert row["object"]["kind"] == kind


async def test_a_row_without_its_object(server: Server) -> None:
    await given(server, "pod")
    table = (await server.ask(f"GET {PODS}?includeObject=None", accept=TABLE)).ok
    assert sorted(table["rows"][0]) == server.differing("rows-without-objects")


async def test_one_object_as_a_table(server: Server) -> None:
    await given(server, "pod")
    table = (await server.ask(f"GET {PODS}/p", accept=TABLE)).ok
    assert (table["kind"], len(table["rows"])) == ("Table", 1)


async def test_metadata_alone(server: Server) -> None:
    await given(server, "pod")
    one = (await server.ask(f"GET {PODS}/p", accept=METADATA)).ok
    assert (one["kind"], sorted(one)) == ("PartialObjectMetadata", ["apiVersion", "kind", "metadata"])
    several = (await server.ask(f"GET {PODS}", accept=METADATA_LIST)).ok
    assert (several["kind"], several["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert sorted(several["items"][0]) == ["apiVersion", "kind", "metadata"]


async def test_items_of_a_list_leave_their_kind_out(server: Server) -> None:
    await given(server, "pod")
    listed = (await server.ask(f"GET {PODS}")).ok
    assert (listed["kind"], [item.get("kind") for item in listed["items"]]) == ("PodList", [None])


async def test_discovery_of_one_group(server: Server) -> None:
    version = {"groupVersion": "apps/v1", "version": "v1"}
    assert (await server.ask("GET /apis/apps")).ok == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "apps",
        "versions": [version],
        "preferredVersion": version,
    }
    listed = (await server.ask("GET /apis/apps/v1")).ok
    rows = {row["name"]: row for row in listed["resources"]}
    assert (rows["deployments"]["shortNames"], rows["deployments"]["categories"]) == (["deploy"], ["all"])
    assert rows["deployments/scale"]["kind"] == "Scale"
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    assert sorted(rows["deployments"]["verbs"]) == verbs


async def test_discovery_of_the_core(server: Server) -> None:
    assert (await server.ask("GET /api")).ok["versions"] == ["v1"]
    groups = {group["name"] for group in (await server.ask("GET /apis")).ok["groups"]}
    assert {"apps", "batch", "policy", "autoscaling", "rbac.authorization.k8s.io"} <= groups
    rows = {row["name"]: row for row in (await server.ask("GET /api/v1")).ok["resources"]}
    assert {"pods/log", "pods/eviction", "pods/exec", "serviceaccounts/token", "nodes"} <= set(rows) | (
        server.differing("subresources-left-out-of-discovery").keys()
    )


async def test_who_asks_for_aggregated_discovery_can_tell_what_came(server: Server) -> None:
    wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = await server.ask("GET /api", accept=wanted)
    assert answer.ok["kind"] == server.differing("aggregated-discovery")
