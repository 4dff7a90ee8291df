"""Bad inputs (BI-001 to BI-038) through every string parameter: refused before any request goes out."""

from typing import Any

import pytest

from tests.eks.reading import connect, on
from tests.fakes.kube import FakeClusters, pod

BAD = {
    "BI-001": "default; rm -rf /",
    "BI-003": "default\n--kubeconfig=/tmp/evil",
    "BI-005": "--token=abc",
    "BI-007": "../../../../api/v1/namespaces/kube-system/secrets/x",
    "BI-009": "web?fieldManager=x&dryRun=",
    "BI-011": "Default_NS",
    "BI-013": "kube\u2010system",
    "BI-023": "{.data..*}",
    "BI-029": "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0",
    "BI-038": "--previous",
    "dot": "..",
    "encoded": "%2e%2e",
    "nul": "a\x00b",
    "newline": "a\n",
    "long": "a" * 9_000,
    "slash": "a/b/c/d/e",
}
# Where the text is no name: what it means there is something else, and harmless.
FINE = {("grep", name) for name in BAD if name not in {"BI-003", "nul", "newline", "long"}} | {
    ("selector", "BI-011"),  # a label's key may look so
    ("selector", "BI-029"),
    ("kind", "BI-029"),  # a word: discovery says that there is no such kind
    ("cluster", "BI-011"),  # a form that a context may have; it is simply not known
    ("cluster", "BI-029"),
    ("cluster", "slash"),
    ("reason", "BI-029"),
}
GOOD: dict[str, dict[str, Any]] = {
    "list_clusters": {},
    "describe_cluster": {},
    "list_resources": {"kind": "Pod"},
    "get_resource": {"kind": "Pod", "name": "web", "namespace": "production"},
    "get_pod_logs": {"namespace": "production"},
    "list_events": {},
}
TARGETS = {"pod", "workload", "selector"}


async def cases(clusters: FakeClusters) -> list[tuple[str, str]]:
    """Every string parameter of every tool, from the schemas themselves."""
    async with connect(clusters) as client:
        tools = await client.list_tools()
    return [
        (tool.name, name)
        for tool in tools
        for name, schema in (tool.input_schema or {}).get("properties", {}).items()
        if schema.get("type") == "string" and "enum" not in schema
    ]


@pytest.mark.threat("T1")
@pytest.mark.parametrize("bad", BAD)
async def test_a_bad_value_is_refused_with_its_code_and_no_request(bad: str) -> None:
    clusters = on(pod("web"))
    parameters = await cases(clusters)
    assert len(parameters) >= 20
    async with connect(clusters) as client:
        for tool, name in parameters:
            arguments = {**GOOD[tool], name: BAD[bad]}
            if tool == "get_pod_logs" and name not in TARGETS:
                arguments["pod"] = "web"
            if tool == "list_events" and name == "name":
                arguments["kind"] = "Pod"
            if (name, bad) in FINE:
                continue
            clusters.kubes[0].requests.clear()
            answer = await client.call_tool(tool, arguments, raise_on_error=False)
            said = "".join(getattr(each, "text", "") for each in answer.content)
            assert said.startswith("[invalid_input]"), (tool, name, said)
            assert clusters.kubes[0].requests == [], (tool, name)


@pytest.mark.threat("T1")
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_resources", {"kind": "Pod", "limit": -1}),
        ("list_resources", {"kind": "Pod", "limit": 501}),
        ("get_pod_logs", {"namespace": "production", "pod": "web", "tail": 1_000_000_000}),
        ("get_pod_logs", {"namespace": "production", "pod": "web", "previous": "maybe"}),
        ("get_resource", {"kind": "Pod", "name": "", "namespace": "production"}),
        ("get_resource", {"kind": "Pod", "name": "web", "view": "raw"}),
        ("list_resources", {}),
        ("list_resources", {"kind": "Pod", "output": "/etc/passwd"}),
        ("list_events", {"since": "yesterday"}),
        ("list_events", {"since": "2030-01-01T00:00:00Z"}),
        ("get_pod_logs", {"namespace": "production", "pod": "web", "since": "-99999w"}),
    ],
)
async def test_a_value_out_of_bounds_is_refused_and_no_request(tool: str, arguments: dict[str, Any]) -> None:
    clusters = on(pod("web"))
    async with connect(clusters) as client:
        answer = await client.call_tool(tool, arguments, raise_on_error=False)
    said = "".join(getattr(each, "text", "") for each in answer.content)
    assert said.startswith("[invalid_input]"), said
    assert clusters.kubes[0].requests == []


async def test_empty_text_counts_as_not_given() -> None:
    """Many clients send every parameter, the unused ones empty."""
    empty = {"cluster": "", "namespace": "", "selector": "", "cursor": ""}
    async with connect(on(pod("web"))) as client:
        answer = await client.call_tool("list_resources", {"kind": "Pod", **empty})
    assert (answer.structured_content or {})["total"] == 1


async def test_an_unknown_cluster_names_the_known_ones() -> None:
    async with connect(on()) as client:
        answer = await client.call_tool(
            "list_resources", {"kind": "Pod", "cluster": "my-clutser"}, raise_on_error=False
        )
    said = "".join(getattr(each, "text", "") for each in answer.content)
    assert said == "[cluster_not_found] cluster my-clutser: not known; nearest: my-cluster"
