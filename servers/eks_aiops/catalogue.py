"""Every server's tools as a client sees them: `eks-aiops tools`, the docs and the contract tests ask here."""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Offered:
    """One resource or prompt: how it is named, what it is, which arguments it takes."""

    name: str
    says: str
    arguments: tuple[str, ...] = ()


async def all_offers(*, write: bool) -> dict[str, tuple[list[Offered], list[Offered]]]:
    """`{server: (resources, prompts)}`, as a client lists them; templates stand among the resources."""
    found: dict[str, tuple[list[Offered], list[Offered]]] = {}
    with TemporaryDirectory(prefix="eks-aiops-tools-") as folder:
        settings = Settings(write=write, tools=[], toolsets=[], state=StateSettings(dir=Path(folder), url=""))
        for name, make in SERVERS.items():
            async with Client(make(settings)) as client:
                fixed = [
                    Offered(str(one.uri), one.description or "") for one in await client.list_resources()
                ]
                filled = [
                    Offered(one.uri_template, one.description or "")
                    for one in await client.list_resource_templates()
                ]
                prompts = [
                    Offered(one.name, one.description or "", tuple(said.name for said in one.arguments or ()))
                    for one in await client.list_prompts()
                ]
            found[name] = (sorted(fixed + filled, key=lambda one: one.name), prompts)
    return found


async def gateway_tools(*, write: bool) -> dict[str, list[dict[str, Any]]]:
    """The same, as the gateway lists them: `{"gateway": [tool, …]}`."""
    from eks_aiops.gateway import make

    with TemporaryDirectory(prefix="eks-aiops-tools-") as folder:
        settings = Settings(write=write, tools=[], toolsets=[], state=StateSettings(dir=Path(folder), url=""))
        async with Client(make(settings)) as client:
            listed = await client.list_tools()
    return {"gateway": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]}
