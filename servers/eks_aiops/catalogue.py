"""Every server's tools as a client sees them: `eks-aiops tools`, the docs and the contract tests ask here."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastmcp import Client

from aiops_cost.server import make as make_cost
from aiops_eks.server import make as make_eks
from aiops_observability.server import make as make_observability
from aiops_shared.settings import Settings, StateSettings
from aiops_sop.server import make as make_sop

SERVERS = {"eks": make_eks, "observability": make_observability, "cost": make_cost, "sop": make_sop}


async def all_tools(*, write: bool) -> dict[str, list[dict[str, Any]]]:
    """`{server: [tool, …]}`, each tool as `tools/list` gives it; needs no network and no credentials."""
    found: dict[str, list[dict[str, Any]]] = {}
    # A state of its own: a server that is only asked for its tools must not carry an operator's runs on.
    with TemporaryDirectory(prefix="eks-aiops-tools-") as folder:
        settings = Settings(write=write, tools=[], toolsets=[], state=StateSettings(dir=Path(folder), url=""))
        for name, make in SERVERS.items():
            async with Client(make(settings)) as client:
                listed = await client.list_tools()
            found[name] = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]
    return found


async def gateway_tools(*, write: bool) -> dict[str, list[dict[str, Any]]]:
    """The same, as the gateway lists them: `{"gateway": [tool, …]}`."""
    from eks_aiops.gateway import make

    with TemporaryDirectory(prefix="eks-aiops-tools-") as folder:
        settings = Settings(write=write, tools=[], toolsets=[], state=StateSettings(dir=Path(folder), url=""))
        async with Client(make(settings)) as client:
            listed = await client.list_tools()
    return {"gateway": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]}
