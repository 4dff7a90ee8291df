"""The read tools wired to a cluster, as a client sees them."""

import json
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport
from fastmcp.tools.function_tool import FunctionTool

from aiops_eks.clients.cluster_reading import ClusterReader
from aiops_eks.clients.dossiers import DossierReader
from aiops_eks.clients.events import EventReader
from aiops_eks.clients.inventory import InventoryReader
from aiops_eks.clients.logs import LogReader
from aiops_eks.ports import Clusters
from aiops_eks.tools.clusters import ClusterTools
from aiops_eks.tools.events import EventTools
from aiops_eks.tools.logs import LogTools
from aiops_eks.tools.resources import ResourceTools
from aiops_shared.app import build
from aiops_shared.clock import Clock
from aiops_shared.guardrails.redacting import redact
from aiops_shared.settings import Settings
from tests.fakes.kube import FakeClock, FakeClusters, FakeKube, FakeSensitive, Obj, made

Answered = dict[str, Any]


def read_tools(clusters: Clusters, clock: Clock, gate: FakeSensitive) -> list[FunctionTool]:
    inventory = InventoryReader(clusters, clock, gate)
    return [
        *ClusterTools(inventory, ClusterReader(clusters, clock, redact)).tools(),
        *ResourceTools(inventory, DossierReader(clusters, clock, gate)).tools(),
        *LogTools(LogReader(clusters, clock, gate, redact)).tools(),
        *EventTools(EventReader(clusters, clock, gate)).tools(),
    ]


def connect(
    clusters: Clusters, gate: FakeSensitive | None = None, clock: Clock | None = None
) -> Client[FastMCPTransport]:
    tools = read_tools(clusters, clock or FakeClock(), gate or FakeSensitive())
    return Client(build("eks", tools, settings=Settings(sensitive_reads=True), instructions="EKS."))


async def ask(clusters: Clusters, tool: str, **arguments: Any) -> Answered:
    async with connect(clusters) as client:
        answer = await client.call_tool(tool, arguments)
    found: Answered = answer.structured_content or {}
    return found


@cache
def _encoding() -> Any:
    with warnings.catch_warnings():  # it reads its own data through a deprecated function
        warnings.simplefilter("ignore", DeprecationWarning)
        return import_module("bpe_openai").get_encoding("o200k_base")


def tokens(value: object) -> int:
    """Size of a JSON value as a model reads it (o200k)."""
    return len(_encoding().encode(json.dumps(value, separators=(",", ":"), ensure_ascii=False)))


def on(*objects: Obj) -> FakeClusters:
    """One cluster that has these objects, and their namespaces."""
    names = {str(obj["metadata"]["namespace"]) for obj in objects if "namespace" in obj["metadata"]}
    return FakeClusters([FakeKube([*objects, *(made("Namespace", name, "") for name in sorted(names))])])


async def refused(clusters: Clusters, tool: str, gate: FakeSensitive | None = None, **arguments: Any) -> str:
    """The error text of a call that must fail."""
    async with connect(clusters, gate) as client:
        answer = await client.call_tool(tool, arguments, raise_on_error=False)
    assert answer.is_error, answer.structured_content
    return "".join(getattr(each, "text", "") for each in answer.content)


def records(table: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """A columnar table as one dict per row; an empty answer leaves `rows` out."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table.get("rows", [])]
