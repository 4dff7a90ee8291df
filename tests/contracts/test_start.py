"""A server starts light: before the first call nothing is loaded but what lists the tools (D31)."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.talking import talking
from tests.contracts.repository import ROOT

HEAVY = {
    *("httpx", "boto3", "botocore", "kubernetes", "sqlalchemy", "cedarpy", "numpy", "moto", "hypothesis"),
    *("aiops_lab", "dbos", "duckdb", "pandas", "promql_parser", "matplotlib"),
}
# Beside FastMCP: the JSON encoder of the answers. Everything else is the standard library or ours.
ALLOWED = {"orjson"}
# Started as it is served: the framework looks at every provider when a server starts.
_LIST = """
async def listed():
    async with server._lifespan_manager():
        await server.list_tools()
anyio.run(listed); print(*sorted(sys.modules), sep='\\n')
"""
OURS = (
    "import anyio, sys; from aiops_{}.server import make; from aiops_shared.settings import Settings;"
    f" server = make(Settings(write=True))\n{_LIST}"
)
SMALLEST = f"import anyio, sys; from bench.minimal_fastmcp import server\n{_LIST}"
SERVED = (
    "import sys; from pathlib import Path; from eks_aiops.serving import serve; serve('eks');"
    " Path(sys.argv[1]).write_text('\\n'.join(sys.modules))"
)
COMMAND = "import sys; import eks_aiops.cli; print(*sorted(sys.modules), sep='\\n')"


def loaded(program: str) -> set[str]:
    """The modules of a fresh process after the program."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.slow
@pytest.mark.parametrize("server", ["eks", "observability", "cost", "sop"])
def test_listing_the_tools_loads_no_sdk_no_database_and_no_policy_engine(server: str) -> None:
    ours, smallest = loaded(OURS.replace("{}", server, 1)), loaded(SMALLEST)
    beside = packages(ours) - packages(smallest) - set(sys.stdlib_module_names)
    assert not beside & HEAVY
    assert {name for name in beside if not name.startswith("aiops_")} <= ALLOWED


@pytest.mark.slow
def test_a_call_loads_no_store_of_session_state(tmp_path: Path) -> None:
    told = tmp_path / "modules"
    with talking(
        [sys.executable, "-c", SERVED, str(told)], {"AIOPS_STATE_DIR": str(tmp_path / "state")}
    ) as server:
        server.greet()
        answer = server.request("tools/call", {"name": "get_action", "arguments": {}})
    assert answer["result"]["isError"]
    found = packages(set(told.read_text(encoding="utf-8").split()))
    assert "aiops_eks" in found
    assert not found & {"key_value", "beartype"}


@pytest.mark.slow
def test_the_command_line_loads_nothing_heavy_before_a_command_needs_it() -> None:
    assert not packages(loaded(COMMAND)) & {*HEAVY, "fastmcp", "mcp"}
