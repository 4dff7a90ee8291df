"""What the first call needs is loaded once the tools were listed, and not before."""

import sys
import threading
from importlib.util import find_spec

import anyio.to_thread
import pytest
from fastmcp import Client, FastMCP

from aiops_shared.app import warming
from eks_aiops.serving import FIRST_NEEDED

_UNUSED = "nturl2path"  # of the standard library; nothing here needs it


async def test_it_is_loaded_after_the_list_and_not_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, _UNUSED, raising=False)
    server = FastMCP("any", middleware=[warming.Warming((_UNUSED,), by_aws=True)])
    async with Client(server) as client:
        assert _UNUSED not in sys.modules
        await client.list_tools()
        for beside in [one for one in threading.enumerate() if isinstance(one, threading.Timer)]:
            await anyio.to_thread.run_sync(beside.join, 20.0)
        assert _UNUSED in sys.modules


def test_what_is_loaded_beside_is_there() -> None:
    named = [*warming.NEEDED, *warming.BY_AWS, *(name for some in FIRST_NEEDED.values() for name in some)]
    assert [name for name in named if find_spec(name) is None] == []
