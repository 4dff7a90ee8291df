"""Loads what nearly every call needs while the client's model reads the list of tools and thinks.

A server lists its tools without the database library or an HTTP client; else its first call waits for both.
"""

from collections.abc import Sequence
from importlib import import_module
from threading import Timer

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool
from mcp_types import ListToolsRequest

AFTER_S = 0.1  # the list is on its way to the client by then
BY_AWS = ("aiops_shared.aws.sessions",)
NEEDED = (
    "sqlalchemy",
    "aiops_shared.state.opening",
    "aiops_shared.state.migrating",
    "httpcore",
    "aiops_shared.kube.connection",
)


class Warming(Middleware):
    """Loads it once, in a thread beside, after the tools were listed the first time.

    `own`: what most calls of this server need besides. Where clusters are found through AWS (`by_aws`), its
    SDK too.
    """

    def __init__(self, own: Sequence[str], *, by_aws: bool) -> None:
        self._needed = (*NEEDED, *(BY_AWS if by_aws else ()), *own)
        self._begun = False

    async def on_list_tools(
        self,
        context: MiddlewareContext[ListToolsRequest],
        call_next: CallNext[ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:
        """List, then load."""
        tools = await call_next(context)
        if not self._begun:
            self._begun = True
            beside = Timer(AFTER_S, _load, [self._needed])
            beside.daemon = True  # nobody waits for it when the client leaves
            beside.start()
        return tools


def _load(needed: Sequence[str]) -> None:
    for name in needed:
        import_module(name)
