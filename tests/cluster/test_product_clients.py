"""Our server on a real control plane's kubeconfig, driven by clients that others wrote."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from aiops_shared.settings import inherited
from tests.cluster.control_plane import ControlPlane
from tests.e2e.clients import CLIENTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
HOME, AHEAD_S = "misplaced", 300.0


class _Later(BaseHTTPRequestHandler):
    """World time some minutes ahead: a pod that has just come is given time to start, and no finding yet."""

    def do_GET(self) -> None:
        body = json.dumps({"now": datetime.fromtimestamp(time.time() + AHEAD_S, UTC).isoformat()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def later() -> Iterator[str]:
    """A time source's URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Later) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _environment(plane: ControlPlane, folder: Path, later: str) -> dict[str, str]:
    """A server process that knows one kubeconfig and no AWS."""
    return {
        **inherited("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV"),
        "HOME": str(folder),
        "KUBECONFIG": str(plane.kubeconfig()),
        "AIOPS_KUBE_CONTEXT": "real",
        "AIOPS_STATE_DIR": str(folder / "state"),
        "AIOPS_CALLER_NAME": "anna",
        "AIOPS_TIME_SOURCE": later,
    }


def _deployment(name: str, pool: str) -> dict[str, Any]:
    pod = {
        "metadata": {"labels": {"app": name}},
        "spec": {"nodeSelector": {"type": pool}, "containers": [{"name": "app", "image": "hello:1"}]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": pod}
    return {"metadata": {"name": name}, "spec": spec}


async def _make_trouble(plane: ControlPlane) -> None:
    """A deployment that runs and one that no node fits, seen by the scheduler, for the whole session."""
    apps = f"/apis/apps/v1/namespaces/{HOME}/deployments"
    async with plane.client() as api:
        await api.post("/api/v1/namespaces", json={"metadata": {"name": HOME}})
        for name, pool in (("fine", "kwok"), ("stuck", "nowhere")):
            assert (await api.post(apps, json=_deployment(name, pool))).status_code in {201, 409}
        watch = {"watch": "true", "labelSelector": "app=stuck", "timeoutSeconds": "60"}
        async with api.stream("GET", f"/api/v1/namespaces/{HOME}/pods", params=watch) as pods:
            async for line in pods.aiter_lines():
                if "Unschedulable" in line:
                    break


@pytest.mark.parametrize("client", list(CLIENTS))
async def test_a_client_reads_and_diagnoses_a_real_cluster_and_is_refused_a_write(
    client: str, whole: ControlPlane, later: str, tmp_path: Path
) -> None:
    await _make_trouble(whole)
    async with CLIENTS[client](_environment(whole, tmp_path, later), tmp_path) as call:
        pods = await call("list_resources", {"kind": "Pod", "namespace": HOME})
        assert not pods.error, pods.text
        table = pods.data["resources"]
        assert table["rows"][0][table["columns"].index("name")].startswith("stuck-"), "worst first"
        found = await call("diagnose", {"namespace": HOME})
        assert not found.error, found.text
        assert [one["code"] for one in found.data["findings"]] == ["NODE_SELECTOR_UNMATCHED"], found.text
        refused = await call("execute_plan", {"plan_id": "pln_" + "x" * 20, "confirm": "yes"})
        assert refused.error
        assert refused.text.startswith("[read_only]")
