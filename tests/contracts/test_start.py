"""A server starts light: before the first call nothing is loaded but what lists the tools (D31)."""

import subprocess
import sys

import pytest

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
def test_the_command_line_loads_nothing_heavy_before_a_command_needs_it() -> None:
    assert not packages(loaded(COMMAND)) & {*HEAVY, "fastmcp", "mcp"}
