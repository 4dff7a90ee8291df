"""What every tool promises in its listing: name, words, hints, schemas. A change here changes a contract."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from fastmcp import Context
from fastmcp.tools.function_tool import FunctionTool
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aiops_shared import params
from aiops_shared.settings import Settings
from eks_aiops.catalogue import SERVERS
from tests.contracts.snapshots import FOLDER, HASHES, REGENERATE, Tool, digest, listed, text_of

WRITES: dict[str, set[str]] = {
    "eks": {"execute_plan", "undo_action"},
    "observability": set(),
    "cost": set(),
    "sop": {"start_run", "control_run", "submit_event"},
}
VERBS = {
    *("list", "get", "query", "compare", "estimate", "forecast", "plan", "generate", "scan", "verify"),
    *("detect", "analyze", "explain", "recommend", "describe", "find", "search", "record"),
}
WHOLE_NAMES = {
    "diagnose",
    "investigate",
    "execute_plan",
    "undo_action",
    "start_run",
    "control_run",
    "submit_event",
}
# The words of style.md 6 and of the tools' page. A new parameter is a decision: it goes in here first.
WORDS = {
    *(
        "cluster",
        "namespace",
        "kind",
        "name",
        "since",
        "until",
        "limit",
        "cursor",
        "selector",
        "detail",
        "view",
    ),
    *("pod", "workload", "container", "previous", "grep", "tail", "reason", "unhealthy_only", "manifest"),
    *("policy", "fix", "action", "replicas", "memory_limit", "memory_request", "cpu_limit", "cpu_request"),
    *("image", "profile", "to_revision", "plan_id", "confirm", "action_id", "idempotency_key"),
    *("include", "principal"),
    *("names", "nodepool", "taint", "wait_minutes"),  # of nodes
    *("version", "configuration", "resolve_conflicts", "role", "preserve"),  # of add-ons
    *("via", "repository", "place"),  # of commits; a place is a file inside a repository of the table
    "autoscale",
    *("query", "what", "search", "show", "step", "by_hour_of_week", "source", "target"),  # of telemetry
    *("state", "group", "history", "changes", "horizon", "capacity_per_pod", "chart", "a", "b", "by"),
    *("current", "compare", "service", "group_by", "endpoint", "slo", "mode", "at"),
    *("period", "baseline", "filters", "granularity", "amortized", "scope"),  # of costs
    *("sop", "params", "run_id", "event", "symptom", "window", "alarm"),  # of runs and investigations
    *("workload", "kinds", "app", "text", "fingerprint", "incident_id", "confirmed_cause", "effective"),
    *("note", "audience", "cause", "canary", "rates"),
    *("min_vcpus", "min_memory_gib", "architecture", "spot_days", "instances"),  # of prices and estimates
}
NEVER_WORDS = {
    "account_id",
    "region",
    "approve",
    "approved",
    "force",
    "path",
    "file",
    "url",
    "kubeconfig",
    "command",
}


async def every() -> list[tuple[str, Tool]]:
    return [(server, tool) for server, tools in (await listed()).items() for tool in tools]


async def functions() -> list[FunctionTool]:
    found = [
        tool for make in SERVERS.values() for tool in await make(Settings(write=True, tools=[])).list_tools()
    ]
    return [tool for tool in found if isinstance(tool, FunctionTool)]


@pytest.mark.threat("T16")
async def test_every_listing_equals_its_committed_snapshot() -> None:
    servers = await listed()
    assert {path.stem for path in FOLDER.glob("*.json")} - {HASHES.stem} == set(servers), REGENERATE
    for server, tools in servers.items():
        assert text_of(tools) == (FOLDER / f"{server}.json").read_text(encoding="utf-8"), REGENERATE


@pytest.mark.threat("T16")
@pytest.mark.row("BI-130")
async def test_the_hash_of_every_listing_equals_the_committed_one() -> None:
    now = {server: digest(tools) for server, tools in (await listed()).items()}
    assert now == json.loads(HASHES.read_text(encoding="utf-8")), REGENERATE


@pytest.mark.threat("T16")
async def test_a_changed_word_in_a_description_changes_the_hash() -> None:
    tools = (await listed())["eks"]
    poisoned = [{**tools[0], "description": tools[0]["description"] + " Always."}, *tools[1:]]
    assert digest(poisoned) != digest(tools)


async def test_every_name_is_a_verb_and_a_noun_and_short_enough_for_every_client() -> None:
    for server, tool in await every():
        name = tool["name"]
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert len(f"mcp__aiops-{server}__{name}") <= 64, name
        assert name in WHOLE_NAMES or (name.split("_")[0] in VERBS and "_" in name), name


async def test_a_list_is_plural_and_a_get_is_singular() -> None:
    for _, tool in await every():
        verb, _, noun = tool["name"].partition("_")
        if verb == "list":
            assert noun.endswith("s"), tool["name"]


async def test_every_description_says_something_and_at_most_300_characters() -> None:
    for _, tool in await every():
        assert 40 <= len(tool["description"]) <= 300, tool["name"]
        assert tool["title"] == tool["name"].replace("_", " ").title()


RECORDING = {"record_outcome"}  # local_write: our own store only (D6)
# What is open by nature: an event as any sender sends it, the parameters of any SOP.
OPEN_WORDS = {"event", "params"}


@pytest.mark.row("S3")
async def test_hints_are_true_to_the_effect_of_each_tool() -> None:
    expected = {
        "read": params.READS,
        "plan": params.PLANS,
        "write": params.WRITES,
        "local_write": params.RECORDS,
    }
    for tool in await functions():
        effects = tool.tags & set(expected)
        assert len(effects) == 1, tool.name
        assert tool.annotations == expected[effects.pop()], tool.name
    for _, listing in await every():
        hints = listing["annotations"]
        if listing["name"] not in RECORDING:
            assert hints["readOnlyHint"] is not hints["destructiveHint"], listing["name"]
        assert set(hints) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}


async def test_only_the_two_hands_write() -> None:
    for server, tools in (await listed()).items():
        writing = {tool["name"] for tool in tools if not tool["annotations"]["readOnlyHint"]}
        assert writing - RECORDING == WRITES[server]
    assert {tool.name for tool in await functions() if "write" in tool.tags} == set().union(*WRITES.values())


async def test_every_plan_tool_is_named_so_and_nothing_else_is_tagged_so() -> None:
    tools = await functions()
    assert {tool.name for tool in tools if "plan" in tool.tags} == {
        tool.name for tool in tools if tool.name.startswith("plan_")
    }


@pytest.mark.row("S3")
async def test_every_tool_lists_an_output_schema_and_closed_arguments() -> None:
    for _, tool in await every():
        output = tool["outputSchema"]
        assert output["type"] == "object", tool["name"]
        assert "summary" in output["properties"], tool["name"]
        assert tool["inputSchema"]["additionalProperties"] is False, tool["name"]


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from _nodes(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _nodes(item)


async def test_no_schema_pays_for_null_branches_titles_or_defaults() -> None:
    for _, tool in await every():
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            for node in _nodes({key: value for key, value in schema.items() if key != "properties"}):
                assert not {"title", "default", "$defs"} & set(node), tool["name"]
            for field in schema["properties"].values():
                for node in _nodes(field):
                    assert {"type": "null"} not in node.get("anyOf", ()), tool["name"]
                    assert not {"default", "$defs", "$ref"} & set(node), tool["name"]


async def test_no_listing_carries_a_framework_s_meta() -> None:
    for tool in await functions():
        assert tool.to_mcp_tool().meta is None


async def test_every_argument_is_a_word_of_the_vocabulary_with_a_description_or_a_closed_set() -> None:
    for _, tool in await every():
        for word, schema in tool["inputSchema"].get("properties", {}).items():
            assert word in WORDS, f"{tool['name']}.{word}: a new word is a decision; see WORDS"
            assert word not in NEVER_WORDS
            closed = schema.get("enum") or schema.get("items", {}).get("enum")
            assert schema.get("description") or closed or word in OPEN_WORDS, f"{tool['name']}.{word}"


def _aliases() -> dict[str, set[str]]:
    """Word -> the descriptions that the shared aliases give it."""
    words = {
        "cluster": ("Cluster", "Clusters", "AnyCluster"),
        "namespace": ("Namespace", "AnyNamespace"),
        "kind": ("KindName", "AnyKind"),
        "name": ("ObjectName", "AnyName"),
        "pod": ("PodName",),
        "workload": ("Workload",),
        "container": ("Container",),
        "selector": ("Selector",),
        "since": ("Since", "SinceHour"),
        "until": ("Until",),
        "limit": ("Limit",),
        "tail": ("Tail",),
        "grep": ("Grep",),
        "cursor": ("Cursor",),
        "detail": ("Detail",),
    }
    return {word: {_said(getattr(params, name)) for name in names} for word, names in words.items()}


def _said(alias: Any) -> str:
    found = [item.description for item in get_args(alias) if isinstance(item, FieldInfo) and item.description]
    return str(found[0])


# Words said otherwise on purpose: the argument narrows what the shared alias means.
SAID_OTHERWISE = {
    ("plan_manifest", "namespace"): "only for delete and evict",
    ("plan_workload_change", "kind"): "a closed set of four kinds",
    ("compare_windows", "kind"): "a closed set of kinds that serve requests",
    ("get_report", "kind"): "which report, a closed set",
    ("find_sops", "name"): "of a SOP, no object",
}


async def test_a_shared_word_is_described_by_its_shared_alias_in_every_tool() -> None:
    shared = _aliases()
    for _, tool in await every():
        for word, schema in tool["inputSchema"].get("properties", {}).items():
            if word in shared and (tool["name"], word) not in SAID_OTHERWISE:
                assert schema.get("description") in shared[word], f"{tool['name']}.{word}"


def _kinds_of(hint: Any) -> Iterator[Any]:
    """Every type that a signature's annotation is made of, not looking into models."""
    yield hint
    if get_origin(hint) is not None:
        for part in get_args(hint):
            if isinstance(part, type) or get_origin(part) is not None or part is Any:
                yield from _kinds_of(part)


async def test_no_signature_has_any_or_a_bare_dict() -> None:
    for tool in await functions():
        hints = get_type_hints(tool.fn, include_extras=False)
        parameters = set(inspect.signature(tool.fn).parameters)
        assert parameters <= set(hints), f"{tool.name}: every parameter is annotated"
        for word, hint in hints.items():
            if hint is Context or word in OPEN_WORDS:
                continue
            for part in _kinds_of(hint):
                assert part is not Any, f"{tool.name}.{word}"
                assert part is not dict, f"{tool.name}.{word}"
                assert get_origin(part) is not dict, f"{tool.name}.{word}"


async def test_every_answer_is_a_frozen_model_with_a_summary_and_its_evidence() -> None:
    for tool in await functions():
        returned = get_type_hints(tool.fn)["return"]
        models = [
            part
            for part in _kinds_of(returned)
            if isinstance(part, type) and issubclass(part, BaseModel) and part.__module__.startswith("aiops_")
        ]
        assert len(models) == 1, tool.name
        assert models[0].model_config.get("frozen") is True, tool.name
        assert {"summary", "evidence", "warnings", "truncated", "untrusted"} <= set(models[0].model_fields), (
            tool.name
        )
