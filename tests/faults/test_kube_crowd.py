"""Fault R20 from the tool down: 5,000 nodes and 150,000 pods cost pages of at most 500, little memory, truth.

The server is a process of its own, so that its peak memory (VmHWM of /proc) is its own.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from aiops_shared.settings import inherited
from tests.e2e.stage import Answer, asked
from tests.faults.crowd import NODES, crowd
from tests.shared.http.wire_server import WireServer

pytestmark = [pytest.mark.fault("R20"), pytest.mark.slow, pytest.mark.timeout(150)]
MOST_MB = 512


@dataclass(frozen=True)
class Crowded:
    """A client of a server process on the crowd."""

    server: WireServer
    client: Client[StdioTransport]
    mark: str

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        return await asked(self.client, tool, arguments)

    def peak_mb(self) -> int:
        """The most memory that the server process ever had resident."""
        for status in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.mark.encode() in status.read_bytes():
                    text = (status.parent / "status").read_text()
                    return int(text.partition("VmHWM:")[2].split()[0]) // 1024
            except OSError:
                continue  # not ours, or gone
        raise AssertionError("the server process is not there")

    def limits(self) -> set[str]:
        """The page sizes of every list that was asked."""
        lists = [one for one in self.server.seen if one.path.rsplit("/", 1)[-1] in {"pods", "nodes"}]
        return {one.query.get("limit", "none") for one in lists if "watch" not in one.query}


@asynccontextmanager
async def crowded(folder: Path) -> AsyncIterator[Crowded]:
    async with crowd(folder) as (server, kubeconfig):
        mark = str(folder / "state")
        environment = {
            **inherited("PATH", "LANG", "TMPDIR", "VIRTUAL_ENV"),
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            "AIOPS_KUBE_CONTEXT": "crowd",
            "AIOPS_STATE_DIR": mark,
            "AIOPS_SENSITIVE_READS": "true",
        }
        transport = StdioTransport(
            sys.executable,
            ["-m", "eks_aiops", "eks"],
            env=environment,
            cwd=str(folder),
            keep_alive=False,
            log_file=folder / "server.log",
        )
        async with Client(transport) as client:
            yield Crowded(server, client, mark)


def said_to_be_partial(answer: Answer) -> bool:
    """Whether the answer, or the refusal, says that it is not about everything."""
    told = [*answer.data.get("warnings", ()), *answer.data.get("coverage_gaps", ()), answer.error]
    return any(word in text for text in told for word in ("only the first", "more than", "no answer within"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_every_answer_over_a_huge_cluster_is_paged_small_and_says_what_it_left_out(
    tmp_path: Path,
) -> None:
    async with crowded(tmp_path) as crowd_of:
        pods = await crowd_of.ask("list_resources", kind="Pod")
        assert pods.data["total"] >= 5_000, pods.text
        assert said_to_be_partial(pods), pods.text
        one = await crowd_of.ask("list_resources", kind="Pod", namespace="ns-07")
        assert one.data["total"] == 2_500
        assert not said_to_be_partial(one)
        nodes = await crowd_of.ask("list_resources", kind="Node")
        assert nodes.data.get("total") == NODES or said_to_be_partial(nodes), nodes.text
        with anyio.fail_after(60):
            found = await crowd_of.ask("diagnose")
        assert said_to_be_partial(found), found.text
        limits = crowd_of.limits()
        assert "500" in limits
        assert all(limit != "none" and int(limit) <= 500 for limit in limits), limits
        peak = crowd_of.peak_mb()
        assert peak < MOST_MB, f"{peak} MB"
