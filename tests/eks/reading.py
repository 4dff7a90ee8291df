"""The read tools wired to a fake cluster, as a client sees them."""

from collections.abc import Sequence
from typing import Any

from fastmcp import Client, FastMCP
from fastmcp.client.transports import FastMCPTransport

from aiops_eks.clients.inventory import InventoryReader
from aiops_eks.clients.logs import LogReader
from aiops_eks.ports import Clusters
from aiops_eks.tools.clusters import ClusterTools
from aiops_eks.tools.logs import LogTools
from aiops_eks.tools.resources import ResourceTools
from tests.fakes.kube import FakeClock, FakeSensitive

Answered = dict[str, Any]


def connect(clusters: Clusters, sensitive: FakeSensitive | None = None) -> Client[FastMCPTransport]:
    gate, clock = sensitive or FakeSensitive(), FakeClock()
    inventory = InventoryReader(clusters, clock, gate)
    server = FastMCP("eks", mask_error_details=True)
    logs = LogReader(clusters, clock, gate, lambda text: text)
    for tool in [
        *ClusterTools(inventory).tools(),
        *ResourceTools(inventory, None).tools(),
        *LogTools(logs).tools(),
    ]:
        server.add_tool(tool)
    return Client(server)


async def ask(clusters: Clusters, tool: str, **arguments: Any) -> Answered:
    async with connect(clusters) as client:
        answer = await client.call_tool(tool, arguments)
    found: Answered = answer.structured_content or {}
    return found


def records(table: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """A columnar table as one dict per row."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
