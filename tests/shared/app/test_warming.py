"""What the first call needs is loaded once the tools were listed, and not before."""

import sys
import threading

import anyio.to_thread
import pytest
from fastmcp import Client, FastMCP

from aiops_shared.app import warming

_UNUSED = "nturl2path"  # of the standard library; nothing here needs it


async def test_it_is_loaded_after_the_list_and_not_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "BY_AWS", (_UNUSED,))
    monkeypatch.delitem(sys.modules, _UNUSED, raising=False)
    server = FastMCP("any", middleware=[warming.Warming(by_aws=True)])
    async with Client(server) as client:
        assert _UNUSED not in sys.modules
        await client.list_tools()
        for beside in [one for one in threading.enumerate() if isinstance(one, threading.Timer)]:
            await anyio.to_thread.run_sync(beside.join, 20.0)
        assert _UNUSED in sys.modules
